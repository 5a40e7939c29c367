// ls, mkdir, rm, push, pull.
#include "pebble_cli/command.h"
#include "pebble_cli/local_file.h"
#include "pebble_client/files.h"

namespace pgherd::pebble_cli {
namespace {

struct Listing {
    std::string path;
    std::string pattern;
};

// A pattern in the last element of the path is the API's to match.
Listing with_pattern(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string last = slash == std::string::npos ? path : path.substr(slash + 1);
    if (last.find_first_of("*?[") == std::string::npos) return {path, ""};
    return {slash == 0 ? "/" : path.substr(0, slash == std::string::npos ? 0 : slash), last};
}

std::string owner(const JsonObject& file, std::string_view name, std::string_view id) {
    if (std::string known = pebble::text_of(file, name); !known.empty()) return known;
    return file.contains(id) ? std::to_string(pebble::number_of(file, id)) : "";
}

Result<int> ls(Context& context, const Arguments& arguments) {
    const Listing listing = with_pattern(arguments.words()[0]);
    PGHERD_TRY(const auto files, context.list("/v1/files", {{"action", "list"},
                                                            {"path", listing.path},
                                                            {"pattern", listing.pattern},
                                                            {"itself", arguments.has("-d") ? "true" : ""}}));
    if (print_formatted(context, arguments, files)) return 0;
    std::vector<std::vector<std::string>> rows;
    for (const Json& item : files) {
        const JsonObject& file = item.as_object();
        const std::string name =
            pebble::text_of(file, arguments.has("-d") && listing.pattern.empty() ? "path" : "name");
        if (!arguments.has("-l")) {
            rows.push_back({name});
            continue;
        }
        rows.push_back(
            {shown_mode(pebble::text_of(file, "type"), pebble::text_of(file, "permissions")),
             owner(file, "user", "user-id"), owner(file, "group", "group-id"),
             file.contains("size") ? shown_size(pebble::number_of(file, "size")) : "-",
             shown_time(pebble::text_of(file, "last-modified"), arguments.has("--abs-time"), context.now()),
             name});
    }
    context.print(table(rows));
    return 0;
}

Result<int> about_one_path(Context& context, const Json& request) {
    PGHERD_TRY(const pebble::Answer answer, context.client.post("/v1/files", request));
    PGHERD_CHECK(pebble::path_result(answer.result));
    return 0;
}

Result<int> mkdir(Context& context, const Arguments& arguments) {
    JsonObject directory{{"path", arguments.words()[0]}, {"make-parents", arguments.has("-p")}};
    if (arguments.has("-m")) directory["permissions"] = arguments.value("-m");
    PGHERD_CHECK(add_owner(directory, arguments));
    return about_one_path(context, Json{{"action", "make-dirs"}, {"dirs", {std::move(directory)}}});
}

Result<int> rm(Context& context, const Arguments& arguments) {
    JsonObject path{{"path", arguments.words()[0]}, {"recursive", arguments.has("-r")}};
    return about_one_path(context, Json{{"action", "remove"}, {"paths", {std::move(path)}}});
}

Result<int> push(Context& context, const Arguments& arguments) {
    PGHERD_TRY(LocalFile local, LocalFile::open_to_read(arguments.words()[0]));
    JsonObject file{{"path", arguments.words()[1]},
                    {"make-dirs", arguments.has("-p")},
                    {"permissions", arguments.value("-m", local.permissions())}};
    PGHERD_CHECK(add_owner(file, arguments));
    PGHERD_CHECK(pebble::push_file(context.client, std::move(file), [&local] { return local.read_some(); }));
    return 0;
}

Result<int> pull(Context& context, const Arguments& arguments) {
    std::optional<LocalFile> local;
    PGHERD_CHECK(pebble::pull_file(
        context.client, arguments.words()[0],
        [&]() -> Status {
            PGHERD_TRY(LocalFile opened, LocalFile::open_to_write(arguments.words()[1]));
            local.emplace(std::move(opened));
            return {};
        },
        [&](std::string_view bytes) { return local->write(bytes); }));
    return 0;
}

}  // namespace

std::vector<Command> file_commands() {
    const OptionSpec mode{"-m", "", true, "Override mode bits (3-digit octal)"};
    return {
        {"push", "Files", "<local-path> <remote-path>", 2, 2, "Transfer a file to the remote system",
         "The push command transfers a file to the remote system.",
         with_owner({{"-p", "", false, "Create parent directories for the file"}, mode}), push},
        {"pull",
         "Files",
         "<remote-path> <local-path>",
         2,
         2,
         "Retrieve a file from the remote system",
         "The pull command retrieves a file from the remote system.",
         {},
         pull},
        {"ls",
         "Files",
         "<path>",
         1,
         1,
         "List path contents",
         "The ls command lists what is at a path; the last element may be a pattern.",
         {{"-l", "", false, "Use a long listing format"},
          {"-d", "", false, "List matching entries themselves, not directory contents"},
          kAbsoluteTime,
          kFormat},
         ls},
        {"mkdir", "Files", "<path>", 1, 1, "Create a directory", "The mkdir command creates a directory.",
         with_owner(
             {{"-p", "", false, "Create parent directories as needed, and don't fail if path exists"}, mode}),
         mkdir},
        {"rm",
         "Files",
         "<path>",
         1,
         1,
         "Remove a file or directory",
         "The rm command removes a file or directory.",
         {{"-r", "", false, "Remove all files and directories recursively in the specified path"}},
         rm},
    };
}

}  // namespace pgherd::pebble_cli
