#include "postgres/tablespaces.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/process_info.h"
#include "base/text.h"
#include "postgres/identity.h"

namespace pgherd::postgres {

namespace fs = std::filesystem;

namespace {

struct Link {
    fs::path path;  // pg_tblspc/<oid>
    fs::path tablespace;
};

std::unexpected<Error> cannot(std::string_view verb, const fs::path& path, const std::error_code& error,
                              std::string_view advice = "") {
    return fail(fmt::format("cannot {} {}: {}{}", verb, path.string(), error.message(), advice));
}

std::error_code last_error() {
    return {errno, std::generic_category()};
}

// The entries of a directory; none when there is no such directory.
Result<std::vector<fs::path>> entries_of(const fs::path& directory) {
    std::vector<fs::path> found;
    std::error_code error;
    fs::directory_iterator entry(directory, error), end;
    for (; !error && entry != end; entry.increment(error)) found.push_back(entry->path());
    if (error && error != std::errc::no_such_file_or_directory) return cannot("read", directory, error);
    return found;
}

// A tablespace in place (a directory of pg_tblspc) goes with its data directory.
Result<std::vector<Link>> links_of(const fs::path& data_dir) {
    std::vector<Link> links;
    PGHERD_TRY(const auto entries, entries_of(data_dir / "pg_tblspc"));
    for (const fs::path& path : entries) {
        std::error_code error;
        if (!fs::is_symlink(fs::symlink_status(path, error))) continue;
        const fs::path target = fs::read_symlink(path, error);
        if (error) return cannot("read", path, error);
        if (target.is_absolute()) links.push_back({path, target.lexically_normal()});
    }
    return links;
}

// PG_<major>_<catalog version>: from PG_VERSION, and from pg_control, which begins with the system identifier
// (8 bytes), its own version and the catalog's (4 each) in every version.
Result<std::string> version_directory(const fs::path& data_dir) {
    PGHERD_TRY(const std::string version, read_file((data_dir / "PG_VERSION").string()));
    PGHERD_TRY(const std::string control, read_file((data_dir / "global/pg_control").string()));
    std::uint32_t catalog = 0;
    if (control.size() < 16 || trim(version).empty())
        return fail(fmt::format("cannot tell the version of {}", data_dir.string()));
    std::memcpy(&catalog, control.data() + 12, sizeof catalog);
    return fmt::format("PG_{}_{}", trim(version), catalog);
}

bool names_a_version(const std::string& name) {
    const auto parts = split(name, '_');
    return parts.size() == 3 && parts[0] == "PG" && parse_uint(parts[1]) && parse_uint(parts[2]);
}

// Another instance that runs on this machine and has this tablespace: a copy of the data directory by hand,
// or a member beside this one, shares it.
Result<std::optional<std::string>> other_user_of(const fs::path& tablespace) {
    const auto processes = all_processes();
    if (processes.empty()) return fail("cannot look at the processes of this machine");
    std::set<fs::path> places;
    for (const auto& process : processes) {
        std::error_code error;
        const fs::path place = fs::read_symlink(fmt::format("/proc/{}/cwd", process.pid), error);
        if (!error) places.insert(place);
    }
    for (const fs::path& place : places) {
        std::error_code error;
        if (!fs::exists(place / "PG_VERSION", error)) continue;
        PGHERD_TRY(const auto links, links_of(place));
        for (const Link& link : links)
            if (fs::equivalent(link.tablespace, tablespace, error)) return std::optional(place.string());
    }
    return std::nullopt;
}

Status check_unused(const fs::path& tablespace) {
    PGHERD_TRY(const auto user, other_user_of(tablespace));
    if (!user) return {};
    return fail(ErrorCode::conflict,
                fmt::format("cannot empty tablespace {}: the instance in {} uses it, too",
                            tablespace.string(), *user));
}

Status remove_tree(const fs::path& path) {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) return cannot("remove", path, error);
    return {};
}

// As the tablespace itself: PostgreSQL's user owns it.
Status make_like(const fs::path& directory, const fs::path& model) {
    struct stat info{};
    if (::stat(model.c_str(), &info) != 0) return cannot("look at", model, last_error());
    if (::mkdir(directory.c_str(), 0700) == 0) {
        if (::geteuid() == 0 && ::chown(directory.c_str(), info.st_uid, info.st_gid) != 0)
            return cannot("give away", directory, last_error());
    } else if (errno != EEXIST) {
        return cannot(
            "create", directory, last_error(),
            "; it would hold what the former data directory has in the tablespace: let PostgreSQL's "
            "user write there, or empty the tablespace by hand");
    }
    return {};
}

Status move_directory(const fs::path& from, const fs::path& to) {
    PGHERD_CHECK(make_like(to.parent_path(), from.parent_path()));
    PGHERD_CHECK(remove_tree(to));
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return cannot("move", from, last_error(),
                  errno == EXDEV ? "; a file system is mounted on the tablespace: empty it by hand" : "");
}

Status point_link(const fs::path& link, const fs::path& target) {
    const fs::path fresh = link.string() + std::string(kUnfinished);
    ::unlink(fresh.c_str());
    if (::symlink(target.c_str(), fresh.c_str()) != 0 || ::rename(fresh.c_str(), link.c_str()) != 0)
        return cannot("change", link, last_error());
    return {};
}

}  // namespace

Status move_tablespaces_aside(const std::string& moved_data_dir) {
    PGHERD_TRY(const auto links, links_of(moved_data_dir));
    for (const auto& [link, tablespace] : links) {
        if (tablespace.string().ends_with(".failed")) continue;
        PGHERD_TRY(const std::string version, version_directory(moved_data_dir));
        const fs::path aside = tablespace.string() + ".failed";
        PGHERD_TRY(const bool there, is_there((tablespace / version).string()));
        if (there) {
            PGHERD_CHECK(check_unused(tablespace));
            PGHERD_CHECK(move_directory(tablespace / version, aside / version));
        }
        PGHERD_CHECK(point_link(link, aside));
    }
    return {};
}

Status remove_linked_tablespaces(const std::string& data_dir) {
    PGHERD_TRY(const auto links, links_of(data_dir));
    for (const Link& link : links) {
        PGHERD_TRY(const std::string version, version_directory(data_dir));
        PGHERD_CHECK(check_unused(link.tablespace));
        PGHERD_CHECK(remove_tree(link.tablespace / version));
    }
    return {};
}

Status clear_tablespace(const std::string& tablespace) {
    PGHERD_TRY(const auto entries, entries_of(tablespace));
    for (const fs::path& entry : entries) {
        if (!names_a_version(entry.filename().string())) continue;
        PGHERD_CHECK(check_unused(tablespace));
        PGHERD_CHECK(remove_tree(entry));
    }
    return {};
}

bool may_be_filled(const std::string& tablespace) {
    const auto entries = entries_of(tablespace);
    return entries && entries->empty();
}

std::string mapped_tablespace(const std::string& location, const std::vector<std::string>& options) {
    const std::string wanted = "--tablespace-mapping=" + location + "=";
    const auto found =
        std::ranges::find_if(options, [&](const std::string& option) { return option.starts_with(wanted); });
    return found == options.end() ? location : found->substr(wanted.size());
}

}  // namespace pgherd::postgres
