#include "pebble_cli/cursors.h"

#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include "codec/json.h"
#include "pebble_cli/local_file.h"
#include "pebble_client/answer.h"

namespace pgherd::pebble_cli {
namespace {

std::string config_directory() {
    if (const char* directory = std::getenv("XDG_CONFIG_HOME"); directory && *directory) return directory;
    const char* home = std::getenv("HOME");
    return std::string(home && *home ? home : "/") + "/.config";
}

}  // namespace

Cursors::Cursors(std::string socket)
    : socket_(std::move(socket)), path_(config_directory() + "/pebble/cli.json") {
    auto file = LocalFile::open_to_read(path_);
    const auto text = file ? file->read_all() : Result<std::string>(fail("no file"));
    if (auto all = text ? parse_json_object(*text) : Result<JsonObject>(fail("no text")))
        all_ = std::move(*all);
}

Cursor Cursors::read(const std::string& kind) const {
    const JsonObject& mine = pebble::object_of(pebble::object_of(all_, "sockets"), socket_);
    return {pebble::text_of(mine, kind + "-last-listed"), pebble::text_of(mine, kind + "-last-okayed")};
}

Status Cursors::write(const std::string& kind, const Cursor& cursor) {
    Json& sockets = all_["sockets"];
    if (!sockets.is_object()) sockets = JsonObject();
    Json& mine = sockets.get_object()[socket_];
    if (!mine.is_object()) mine = JsonObject();
    mine.get_object()[kind + "-last-listed"] = cursor.listed;
    mine.get_object()[kind + "-last-okayed"] = cursor.okayed;
    std::error_code failed;
    std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), failed);
    const std::string fresh = path_ + "." + std::to_string(::getpid()) + "~";
    {
        PGHERD_TRY(LocalFile file, LocalFile::open_to_write(fresh));
        PGHERD_CHECK(file.write(to_pretty(all_) + "\n"));
    }
    std::filesystem::rename(fresh, path_, failed);
    if (failed) return fail("cannot write " + path_ + ": " + failed.message());
    return {};
}

}  // namespace pgherd::pebble_cli
