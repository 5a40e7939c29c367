// notices, notice, notify, warnings, okay.
#include "base/text.h"
#include "pebble_cli/command.h"
#include "pebble_cli/cursors.h"
#include "supervise/go_text.h"

namespace pgherd::pebble_cli {
namespace {

// Remembering what was shown is a convenience: without a home, the command still shows it.
void remember(Context& context, const Status& written) {
    if (!written) context.note("warning: " + written.error().message);
}

std::string user_of(const JsonObject& notice) {
    const Json* user = notice.if_contains("user-id");
    return user && user->is_number() ? std::to_string(pebble::number_of(notice, "user-id")) : "public";
}

Result<int> notices(Context& context, const Arguments& arguments) {
    Cursors cursors(context.client.socket());
    Cursor cursor = cursors.notices();
    pebble::Query query{{"after", cursor.okayed},
                        {"users", arguments.value("--users")},
                        {"user-id", arguments.value("--uid")}};
    for (const std::string& type : arguments.values("--type")) query.emplace_back("types", type);
    for (const std::string& key : arguments.values("--key")) query.emplace_back("keys", key);
    Duration patience{};
    if (arguments.has("--timeout")) {
        PGHERD_TRY(patience, supervise::parse_go_duration(arguments.value("--timeout")));
        query.emplace_back("timeout", arguments.value("--timeout"));
    }
    PGHERD_TRY(const pebble::Answer answer, context.client.long_poll("/v1/notices", query, patience));
    if (!answer.result.is_array()) return fail("cannot understand the answer: the result is no list");
    const auto& found = answer.result.get_array();
    if (!found.empty()) {
        cursor.listed = pebble::text_of(found.back().as_object(), "last-repeated");
        remember(context, cursors.set_notices(cursor));
    }
    if (print_formatted(context, arguments, answer.result)) return 0;
    if (found.empty()) {
        context.note("No matching notices.");
        return 0;
    }
    std::vector<std::vector<std::string>> rows{
        {"ID", "User", "Type", "Key", "First", "Repeated", "Occurrences"}};
    const bool absolute = arguments.has("--abs-time");
    for (const Json& item : found) {
        const JsonObject& notice = item.as_object();
        rows.push_back({pebble::text_of(notice, "id"), user_of(notice), pebble::text_of(notice, "type"),
                        pebble::text_of(notice, "key"),
                        shown_time(pebble::text_of(notice, "first-occurred"), absolute, context.now()),
                        shown_time(pebble::text_of(notice, "last-repeated"), absolute, context.now()),
                        std::to_string(pebble::number_of(notice, "occurrences"))});
    }
    context.print(table(rows));
    return 0;
}

Result<JsonObject> find_notice(Context& context, const Arguments& arguments) {
    const auto& words = arguments.words();
    if (words.size() == 1) return context.object("/v1/notices/" + words[0]);
    PGHERD_TRY(const auto found, context.list("/v1/notices", {{"types", words[0]},
                                                              {"keys", words[1]},
                                                              {"user-id", arguments.value("--uid")}}));
    if (found.empty())
        return fail(ErrorCode::not_found,
                    fmt::format("cannot find {} notice with key \"{}\"", words[0], words[1]));
    return found[0].as_object();
}

Result<int> notice(Context& context, const Arguments& arguments) {
    PGHERD_TRY(JsonObject found, find_notice(context, arguments));
    if (print_formatted(context, arguments, found)) return 0;
    if (user_of(found) == "public") found["user-id"] = "public";
    context.print(yaml(found));
    return 0;
}

Result<int> notify(Context& context, const Arguments& arguments) {
    JsonObject body{{"action", "add"}, {"type", "custom"}, {"key", arguments.words()[0]}};
    if (arguments.has("--repeat-after")) body["repeat-after"] = arguments.value("--repeat-after");
    JsonObject data;
    for (std::size_t at = 1; at < arguments.words().size(); ++at) {
        const std::string& pair = arguments.words()[at];
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(ErrorCode::invalid,
                        fmt::format("data fields must be in name=value format, not \"{}\"", pair));
        data[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    if (!data.empty()) body["data"] = std::move(data);
    PGHERD_TRY(const pebble::Answer answer, context.client.post("/v1/notices", std::move(body)));
    context.say("Recorded notice {}",
                answer.result.is_object() ? pebble::text_of(answer.result.get_object(), "id") : "");
    return 0;
}

std::string shown_warning(Context& context, const Arguments& arguments, const JsonObject& warning) {
    const bool absolute = arguments.has("--abs-time");
    const auto time = [&](std::string_view key) {
        return shown_time(pebble::text_of(warning, key), absolute, context.now());
    };
    std::string text;
    if (arguments.has("--verbose")) text += fmt::format("first-occurrence:  {}\n", time("first-occurred"));
    text += fmt::format("last-occurrence:  {}\n", time("last-occurred"));
    if (arguments.has("--verbose"))
        text +=
            fmt::format("repeats-after:  {}\nexpires-after:  {}\n", pebble::text_of(warning, "repeat-after"),
                        pebble::text_of(warning, "expire-after"));
    text += "warning: |\n";
    for (const std::string& line : split(pebble::text_of(warning, "key"), '\n')) text += "  " + line + "\n";
    return text;
}

Result<int> warnings(Context& context, const Arguments& arguments) {
    Cursors cursors(context.client.socket());
    Cursor cursor = cursors.warnings();
    PGHERD_TRY(const auto found,
               context.list("/v1/notices",
                            {{"types", "warning"}, {"after", arguments.has("--all") ? "" : cursor.okayed}}));
    if (!found.empty()) {
        cursor.listed = pebble::text_of(found.back().as_object(), "last-repeated");
        remember(context, cursors.set_warnings(cursor));
    }
    if (print_formatted(context, arguments, found)) return 0;
    if (found.empty()) context.note(cursor.okayed.empty() ? "No warnings." : "No further warnings.");
    std::vector<std::string> shown;
    for (const Json& item : found) shown.push_back(shown_warning(context, arguments, item.as_object()));
    context.print(join(shown, "---\n"));
    return 0;
}

Result<int> okay(Context& context, const Arguments& arguments) {
    Cursors cursors(context.client.socket());
    Cursor notices = cursors.notices();
    Cursor warnings = cursors.warnings();
    const bool only_warnings = arguments.has("--warnings");
    if (warnings.listed.empty() && (only_warnings || notices.listed.empty()))
        return fail(ErrorCode::invalid,
                    only_warnings
                        ? fmt::format("no warnings have been listed; try '{} warnings'", context.program)
                        : fmt::format("no notices or warnings have been listed; try '{0} notices' or "
                                      "'{0} warnings'",
                                      context.program));
    warnings.okayed = warnings.listed;
    PGHERD_CHECK(cursors.set_warnings(warnings));
    if (only_warnings) return 0;
    notices.okayed = notices.listed;
    PGHERD_CHECK(cursors.set_notices(notices));
    return 0;
}

}  // namespace

std::vector<Command> notice_commands() {
    return {
        {"warnings",
         "Notices",
         "",
         0,
         0,
         "List warnings",
         "The warnings command lists the warnings that nobody has said okay to.",
         {{"--all", "", false, "Show all warnings"},
          {"--verbose", "", false, "Show more information"},
          {"--unicode", "", true, "Accepted, without effect", "auto|never|always"},
          kAbsoluteTime,
          kFormat},
         warnings},
        {"okay",
         "Notices",
         "",
         0,
         0,
         "Acknowledge notices and warnings",
         "The okay command acknowledges the notices and warnings that have been listed, so that they are not "
         "listed again\n"
         "before they repeat.",
         {{"--warnings", "", false, "Only acknowledge warnings, not other notices"}},
         okay},
        {"notices",
         "Notices",
         "",
         0,
         0,
         "List notices",
         "The notices command lists the notices that nobody has said okay to, those that repeated last at "
         "the end.",
         {{"--users", "", true, "all: notices of all users (admin only)"},
          {"--uid", "", true, "Only notices of this user (admin only)"},
          {"--type", "", true, "Only notices of this type (multiple allowed)"},
          {"--key", "", true, "Only notices with this key (multiple allowed)"},
          {"--timeout", "", true, "Wait up to this duration for matching notices to arrive"},
          kAbsoluteTime,
          kFormat},
         notices},
        {"notice",
         "Notices",
         "<id-or-type> [<key>]",
         1,
         2,
         "Fetch a single notice",
         "The notice command shows a notice, by its id or by its type and key.",
         {{"--uid", "", true, "Look up the notice of this user (admin only; with type and key)"}, kFormat},
         notice},
        {"notify",
         "Notices",
         "<key> [<name=value>...]",
         1,
         kAnyNumber,
         "Record a custom notice",
         "The notify command records a custom notice with the given key and data.",
         {{"--repeat-after", "", true, "Prevent the notice from repeating within this duration"}},
         notify},
    };
}

}  // namespace pgherd::pebble_cli
