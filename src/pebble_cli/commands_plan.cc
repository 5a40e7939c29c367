// plan, add, replan.
#include "base/utf8.h"
#include "pebble_cli/command.h"
#include "pebble_cli/local_file.h"

namespace pgherd::pebble_cli {
namespace {

Result<int> plan(Context& context, const Arguments&) {
    PGHERD_TRY(const pebble::Answer answer, context.client.get("/v1/plan", {{"format", "yaml"}}));
    if (!answer.result.is_string()) return fail("cannot understand the answer: the plan is no text");
    context.print(std::string_view(answer.result.get_string()));
    return 0;
}

Result<int> add(Context& context, const Arguments& arguments) {
    const std::string& label = arguments.words()[0];
    const std::string& path = arguments.words()[1];
    PGHERD_TRY(LocalFile file, LocalFile::open_to_read(path));
    PGHERD_TRY(const std::string content, file.read_all());
    if (!is_utf8(content))
        return fail(ErrorCode::invalid, fmt::format("cannot use {} as a layer: it is no UTF-8 text", path));
    PGHERD_CHECK(context.post("/v1/layers", Json{{"action", "add"},
                                                 {"combine", arguments.has("--combine")},
                                                 {"inner", arguments.has("--inner")},
                                                 {"label", label},
                                                 {"format", "yaml"},
                                                 {"layer", content}}));
    context.say("Layer \"{}\" added successfully from \"{}\"", label, path);
    return 0;
}

Result<int> replan(Context& context, const Arguments& arguments) {
    return finish_change(context, arguments, context.client.post("/v1/services", Json{{"action", "replan"}}));
}

}  // namespace

std::vector<Command> plan_commands() {
    return {
        {"add",
         "Plan",
         "<label> <layer-path>",
         2,
         2,
         "Dynamically add a layer to the plan's layers",
         "The add command reads a layer from the file at the given path and appends it,\n"
         "under the given label, to the layers of the plan.",
         {{"--combine", "", false, "Combine the new layer with the one of that label, if there is one"},
          {"--inner", "", false, "Allow a new layer inside an existing sub-directory"}},
         add},
        {"plan",
         "Plan",
         "",
         0,
         0,
         "Show the plan with layers combined",
         "The plan command prints the configuration in force, all layers combined, in YAML.",
         {},
         plan},
        {"replan",
         "Plan",
         "",
         0,
         0,
         "Stop changed services and start startup-enabled services",
         "The replan command starts, stops or restarts services and checks that have changed,\n"
         "so that what runs is what the plan says.",
         {kNoWait},
         replan},
    };
}

}  // namespace pgherd::pebble_cli
