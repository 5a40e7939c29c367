#include "local/user.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

namespace pgherd::local {
namespace {

constexpr const char* kUserForRoot = "postgres";

User myself() {
    return {false, ::geteuid(), ::getegid(), {}, {}};
}

User from_entry(const passwd& entry) {
    User user{::geteuid() == 0 && entry.pw_uid != 0, entry.pw_uid, entry.pw_gid, {}, entry.pw_name};
    int count = 0;
    ::getgrouplist(entry.pw_name, entry.pw_gid, nullptr, &count);
    user.groups.resize(std::size_t(count));
    ::getgrouplist(entry.pw_name, entry.pw_gid, user.groups.data(), &count);
    return user;
}

}  // namespace

Result<User> cluster_user() {
    if (::geteuid() != 0) return myself();
    const passwd* entry = ::getpwnam(kUserForRoot);
    if (!entry)
        return fail(
            fmt::format("PostgreSQL does not run as root, and there is no user \"{0}\" for it: `apt install "
                        "postgresql-common` makes "
                        "one, or run this as another user",
                        kUserForRoot));
    return from_entry(*entry);
}

Result<User> owner_of(const std::filesystem::path& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0)
        return fail(fmt::format("cannot look at {}: {}", path.string(), std::strerror(errno)));
    if (::geteuid() != 0 || info.st_uid == 0) return myself();
    const passwd* entry = ::getpwuid(info.st_uid);
    return entry ? from_entry(*entry)
                 : User{true, info.st_uid, info.st_gid, {info.st_gid}, std::to_string(info.st_uid)};
}

Status become(const User& user) {
    if (!user.change) return {};
    if (::setgroups(user.groups.size(), user.groups.data()) != 0 || ::setgid(user.gid) != 0 ||
        ::setuid(user.uid) != 0)
        return fail(fmt::format("cannot become user {}: {}", user.name, std::strerror(errno)));
    return {};
}

ActingAs::ActingAs(const User& user) : changed_(user.change) {
    if (!changed_) return;
    int count = ::getgroups(0, nullptr);
    groups_.resize(std::size_t(std::max(count, 0)));
    ::getgroups(count, groups_.data());
    bool ok = ::setgroups(user.groups.size(), user.groups.data()) == 0 && ::setegid(user.gid) == 0 &&
              ::seteuid(user.uid) == 0;
    PGHERD_ASSERT(ok, "root may act as anybody");
}

ActingAs::~ActingAs() {
    if (!changed_) return;
    bool ok = ::seteuid(::getuid()) == 0 && ::setegid(::getgid()) == 0 &&
              ::setgroups(groups_.size(), groups_.data()) == 0;
    PGHERD_ASSERT(ok, "the way back to root is open");
}

std::optional<std::filesystem::path> unreachable_part(const User& user, const std::filesystem::path& path) {
    ActingAs acting(user);
    std::filesystem::path part;
    for (const auto& name : path) {
        part /= name;
        if (::faccessat(AT_FDCWD, part.c_str(), X_OK, AT_EACCESS) == 0) continue;
        if (errno == ENOENT) return std::nullopt;
        return part;
    }
    return std::nullopt;
}

}  // namespace pgherd::local
