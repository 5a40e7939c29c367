#include "postgres/identity.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

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
    const std::string temporary = path + ".pgherd-new";
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) return cannot("write", temporary);
    bool done =
        ::fchmod(fd, mode) == 0 && (!identity.change || ::fchown(fd, identity.uid, identity.gid) == 0);
    for (std::size_t at = 0; done && at < content.size();) {
        const ssize_t size = ::write(fd, content.data() + at, content.size() - at);
        if (size < 0 && errno == EINTR) continue;
        done = size > 0;
        if (done) at += static_cast<std::size_t>(size);
    }
    done = done && ::fsync(fd) == 0;
    const int error = errno;
    ::close(fd);
    errno = error;
    if (!done || ::rename(temporary.c_str(), path.c_str()) != 0) {
        const auto failure = cannot("write", path);
        ::unlink(temporary.c_str());
        return failure;
    }
    return sync_parent(path);
}

Result<std::string> read_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return cannot("read", path);
    std::string text;
    char buffer[8192];
    ssize_t size = 0;
    while ((size = ::read(fd, buffer, sizeof buffer)) > 0)
        text.append(buffer, static_cast<std::size_t>(size));
    const int error = errno;
    ::close(fd);
    errno = error;
    if (size < 0) return cannot("read", path);
    return text;
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

Status remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return cannot("remove", path);
    return {};
}

Status sync_parent(const std::string& path) {
    const std::string parent = std::filesystem::path(path).parent_path().string();
    const int fd = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return cannot("open", parent);
    const bool done = ::fsync(fd) == 0;
    const int error = errno;
    ::close(fd);
    errno = error;
    if (!done) return cannot("sync", parent);
    return {};
}

}  // namespace pgherd::postgres
