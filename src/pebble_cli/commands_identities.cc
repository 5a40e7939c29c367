// identities, identity, add-identities, update-identities, remove-identities.
#include "base/text.h"
#include "codec/agent_config.h"
#include "pebble_cli/command.h"
#include "pebble_cli/local_file.h"

namespace pgherd::pebble_cli {
namespace {

constexpr std::string_view kTypes[] = {"local", "basic", "cert"};

Result<int> identities(Context& context, const Arguments& arguments) {
    PGHERD_TRY(const JsonObject found, context.object("/v1/identities"));
    if (print_formatted(context, arguments, found)) return 0;
    if (found.empty()) {
        context.note("No identities.");
        return 0;
    }
    std::vector<std::vector<std::string>> rows{{"Name", "Access", "Types"}};
    for (const auto& [name, identity] : found) {
        std::vector<std::string> types;
        for (std::string_view type : kTypes)
            if (identity.as_object().contains(type)) types.emplace_back(type);
        rows.push_back({name, pebble::text_of(identity.as_object(), "access"), join(types, ",")});
    }
    context.print(table(rows));
    return 0;
}

Result<int> identity(Context& context, const Arguments& arguments) {
    const std::string& name = arguments.words()[0];
    PGHERD_TRY(const JsonObject found, context.object("/v1/identities"));
    const Json* one = found.if_contains(name);
    if (!one) return fail(ErrorCode::not_found, fmt::format("cannot find identity \"{}\"", name));
    if (!print_formatted(context, arguments, *one)) context.print(yaml(*one));
    return 0;
}

// {identities: {name: …}} from a YAML file.
Result<Json> read_identities(const Arguments& arguments) {
    if (!arguments.has("--from"))
        return fail(ErrorCode::invalid, "the required flag `--from' was not specified");
    const std::string path = arguments.value("--from");
    PGHERD_TRY(LocalFile file, LocalFile::open_to_read(path));
    PGHERD_TRY(const std::string text, file.read_all());
    PGHERD_TRY(const Json document, parse_yaml(text, path));
    const Json* found = document.is_object() ? document.get_object().if_contains("identities") : nullptr;
    if (!found || !found->is_object() || found->get_object().empty())
        return fail(
            ErrorCode::invalid,
            fmt::format("{}: no identities in the file: the key \"identities\" must name them", path));
    return *found;
}

Result<int> change(Context& context, const Arguments& arguments, std::string_view action,
                   std::string_view done) {
    PGHERD_TRY(Json found, read_identities(arguments));
    const std::size_t count = found.get_object().size();
    PGHERD_CHECK(context.post("/v1/identities", Json{{"action", action}, {"identities", std::move(found)}}));
    context.say("{} {} {}.", done, count, count == 1 ? "identity" : "identities");
    return 0;
}

}  // namespace

std::vector<Command> identity_commands() {
    const OptionSpec from{"--from", "", true, "Path of YAML file to read identities from (required)"};
    return {
        {"identities",
         "Identities",
         "",
         0,
         0,
         "List identities",
         "The identities command lists all identities.",
         {kFormat},
         identities},
        {"identity",
         "Identities",
         "<name>",
         1,
         1,
         "Show a single identity",
         "The identity command shows an identity in YAML; secrets are not shown.",
         {kFormat},
         identity},
        {"add-identities",
         "Identities",
         "",
         0,
         0,
         "Add new identities",
         "The add-identities command adds identities that do not exist yet:\n\n"
         "    identities:\n        bob:\n            access: admin\n            local:\n                "
         "user-id: 42\n\n"
         "`openssl passwd -6` makes the hash of a password (basic: password: …).",
         {from},
         [](Context& context, const Arguments& arguments) {
             return change(context, arguments, "add", "Added");
         }},
        {"update-identities",
         "Identities",
         "",
         0,
         0,
         "Update or replace identities",
         "The update-identities command changes identities that exist; with --replace it adds what does not "
         "exist, and\n"
         "removes those that are null in the file.",
         {from, {"--replace", "", false, "Add or update identities; remove those that are null"}},
         [](Context& context, const Arguments& arguments) {
             return arguments.has("--replace") ? change(context, arguments, "replace", "Replaced")
                                               : change(context, arguments, "update", "Updated");
         }},
        {"remove-identities",
         "Identities",
         "",
         0,
         0,
         "Remove identities",
         "The remove-identities command removes the identities that the file names, all of them null.",
         {from},
         [](Context& context, const Arguments& arguments) {
             return change(context, arguments, "remove", "Removed");
         }},
    };
}

}  // namespace pgherd::pebble_cli
