// Users and groups, by name or by number, as a layer, a file or a command names them.
//
// Answers come from the system's databases (NSS) and may block for a moment. The texts of errors are Pebble's
// (reference: Pebble v1.32, NormalizeUidGid), as clients show them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace pgherd {

struct UserEntry {
    std::string name;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;  // its primary group
    std::string home;
};

Result<UserEntry> find_user(const std::string& name);
Result<UserEntry> find_user(std::uint32_t uid);
Result<std::uint32_t> find_group(const std::string& name);
Result<std::string> find_group_name(std::uint32_t gid);

struct ProcessUser {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    friend bool operator==(const ProcessUser&, const ProcessUser&) = default;
};

// Nothing, when nothing was asked for. Errors are of code invalid.
Result<std::optional<ProcessUser>> resolve_user(std::optional<std::int64_t> user_id, const std::string& user,
                                                std::optional<std::int64_t> group_id,
                                                const std::string& group);

ProcessUser own_user();  // effective

}  // namespace pgherd
