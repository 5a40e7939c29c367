#include "postgres/identity.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

namespace pgherd::postgres {

namespace {

std::unexpected<Error> cannot(std::string_view verb, const std::string& path) {
    const ErrorCode code = errno == EACCES || errno == EPERM ? ErrorCode::denied
                           : errno == ENOENT                 ? ErrorCode::not_found
                                                             : ErrorCode::failed;
    return fail(code, fmt::format("cannot {} {}: {}", verb, path, std::strerror(errno)));
}

}  // namespace

Result<Identity> find_identity(const std::string& run_as) {
    Identity identity;
    identity.change = ::geteuid() == 0;
    const std::string name = run_as.empty() ? "postgres" : run_as;
    const passwd* entry = identity.change ? ::getpwnam(name.c_str()) : ::getpwuid(::geteuid());
    if (!entry && identity.change)
        return fail(ErrorCode::invalid, fmt::format("cannot run PostgreSQL as \"{}\": no such user (it does "
                                                    "not run as root; set postgresql.run_as)",
                                                    name));
    if (entry && entry->pw_uid == 0)
        return fail(ErrorCode::invalid,
                    "cannot run PostgreSQL as root: set postgresql.run_as to another user");
    identity.uid = entry ? entry->pw_uid : ::geteuid();
    identity.gid = entry ? entry->pw_gid : ::getegid();
    identity.user = entry ? entry->pw_name : std::to_string(identity.uid);
    identity.home = entry ? entry->pw_dir : "/";
    if (!identity.change) {
        // Ours already; asking the name service again would load its modules into every brain.
        identity.groups.resize(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
        const int held = ::getgroups(static_cast<int>(identity.groups.size()), identity.groups.data());
        identity.groups.resize(static_cast<std::size_t>(std::max(0, held)));
        return identity;
    }
    int count = 32;
    identity.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(entry->pw_name, entry->pw_gid, identity.groups.data(), &count) < 0)
        identity.groups = {identity.gid};
    else
        identity.groups.resize(static_cast<std::size_t>(count));
    return identity;
}

bool may_write(const Identity& identity, const std::string& directory) {
    struct stat info{};
    if (::stat(directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return false;
    if (info.st_uid == identity.uid) return (info.st_mode & S_IWUSR) != 0;
    if (std::ranges::find(identity.groups, info.st_gid) != identity.groups.end())
        return (info.st_mode & S_IWGRP) != 0;
    return (info.st_mode & S_IWOTH) != 0;
}

Status make_directory(const Identity& identity, const std::string& path, mode_t mode) {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) {
        if (!S_ISDIR(info.st_mode)) return fail(fmt::format("cannot use {}: not a directory", path));
        return {};
    }
    if (errno != ENOENT) return cannot("use", path);
    const std::string parent = std::filesystem::path(path).parent_path().string();
    if (!parent.empty() && parent != path) PGHERD_CHECK(make_directory(identity, parent, 0755));
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return cannot("create", path);
    if (identity.change && ::chown(path.c_str(), identity.uid, identity.gid) != 0)
        return cannot("give away", path);
    return {};
}

Status write_file(const Identity& identity, const std::string& path, std::string_view content, mode_t mode) {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 07777) == mode && info.st_uid == identity.uid)
        if (const auto old = read_file(path); old && *old == content) return {};
    return write_file_atomically(
        path, content, mode,
        identity.change ? std::optional(Ownership{identity.uid, identity.gid}) : std::nullopt);
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

Result<bool> is_there(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT) return false;
    return cannot("look at", path);
}

Status remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return cannot("remove", path);
    return {};
}

}  // namespace pgherd::postgres
