#include "process/users.h"

#include <vector>

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd {

namespace {

constexpr std::size_t kFirstBuffer = 1024;
constexpr std::size_t kLastBuffer = 1024 * 1024;  // a group may have many members

// Calls one of the get*_r family until its buffer is large enough. Nothing: there is no such entry.
template <class Entry, class Call>
std::optional<Entry> look_up(std::vector<char>& buffer, Call call) {
    Entry entry{};
    Entry* found = nullptr;
    for (buffer.resize(kFirstBuffer); buffer.size() <= kLastBuffer; buffer.resize(buffer.size() * 4))
        if (call(&entry, buffer.data(), buffer.size(), &found) != ERANGE) break;
    if (found == nullptr) return std::nullopt;
    return entry;
}

UserEntry to_user(const passwd& entry) {
    return {entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir};
}

}  // namespace

Result<UserEntry> find_user(const std::string& name) {
    std::vector<char> buffer;
    const auto entry =
        look_up<passwd>(buffer, [&](passwd* into, char* data, std::size_t size, passwd** found) {
            return ::getpwnam_r(name.c_str(), into, data, size, found);
        });
    if (!entry) return fail(ErrorCode::invalid, "user: unknown user " + name);
    return to_user(*entry);
}

Result<UserEntry> find_user(std::uint32_t uid) {
    std::vector<char> buffer;
    const auto entry =
        look_up<passwd>(buffer, [&](passwd* into, char* data, std::size_t size, passwd** found) {
            return ::getpwuid_r(uid, into, data, size, found);
        });
    if (!entry) return fail(ErrorCode::invalid, fmt::format("user: unknown userid {}", uid));
    return to_user(*entry);
}

Result<std::uint32_t> find_group(const std::string& name) {
    std::vector<char> buffer;
    const auto entry = look_up<struct group>(
        buffer, [&](struct group* into, char* data, std::size_t size, struct group** found) {
            return ::getgrnam_r(name.c_str(), into, data, size, found);
        });
    if (!entry) return fail(ErrorCode::invalid, "group: unknown group " + name);
    return entry->gr_gid;
}

Result<std::string> find_group_name(std::uint32_t gid) {
    std::vector<char> buffer;
    const auto entry = look_up<struct group>(
        buffer, [&](struct group* into, char* data, std::size_t size, struct group** found) {
            return ::getgrgid_r(gid, into, data, size, found);
        });
    if (!entry) return fail(ErrorCode::invalid, fmt::format("group: unknown groupid {}", gid));
    return std::string(entry->gr_name);
}

Result<std::optional<ProcessUser>> resolve_user(std::optional<std::int64_t> uid, const std::string& user_name,
                                                std::optional<std::int64_t> gid,
                                                const std::string& group_name) {
    if (!user_name.empty()) {
        PGHERD_TRY(const UserEntry user, find_user(user_name));
        if (uid && *uid != user.uid)
            return fail(ErrorCode::invalid, fmt::format("user \"{}\" UID ({}) does not match user-id ({})",
                                                        user_name, user.uid, *uid));
        uid = user.uid;
        if (!gid && group_name.empty()) gid = user.gid;
    }
    if (!group_name.empty()) {
        PGHERD_TRY(const std::uint32_t group, find_group(group_name));
        if (gid && *gid != group)
            return fail(ErrorCode::invalid, fmt::format("group \"{}\" GID ({}) does not match group-id ({})",
                                                        group_name, group, *gid));
        gid = group;
    }
    if (!uid && gid) return fail(ErrorCode::invalid, "must specify user, not just group");
    if (!uid) return std::optional<ProcessUser>();
    constexpr std::int64_t kLargest = 0xfffffffe;
    if (*uid < 0 || *uid > kLargest)
        return fail(ErrorCode::invalid, fmt::format("user: unknown userid {}", *uid));
    if (!gid) {
        PGHERD_TRY(const UserEntry user, find_user(static_cast<std::uint32_t>(*uid)));
        gid = user.gid;
    }
    if (*gid < 0 || *gid > kLargest)
        return fail(ErrorCode::invalid, fmt::format("group: unknown groupid {}", *gid));
    return ProcessUser{static_cast<std::uint32_t>(*uid), static_cast<std::uint32_t>(*gid)};
}

ProcessUser own_user() {
    return {::geteuid(), ::getegid()};
}

}  // namespace pgherd
