// Changes and tasks: what a client asked for, or a check went through, and how far it is. Notices: what
// happened, for those who wait for it. Values only; change_book.h has the rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/time.h"
#include "model/member.h"
#include "supervise/layer.h"

namespace pgherd::supervise {

using ChangeId = std::uint64_t;
using TaskId = std::uint64_t;
using NoticeId = std::uint64_t;

// Those of Pebble's statuses that occur without undo.
enum class WorkStatus : std::uint8_t { waiting, doing, done, aborting, failed, held };
std::string_view to_string(WorkStatus status);  // "Do", "Doing", "Done", "Abort", "Error", "Hold"
std::optional<WorkStatus> parse_work_status(std::string_view text);
constexpr bool is_ready(WorkStatus status) {
    return status == WorkStatus::done || status == WorkStatus::failed || status == WorkStatus::held;
}

struct Task {
    TaskId id = 0;
    ChangeId change = 0;
    std::string kind;     // "start", "stop", "exec", "perform-check", "recover-check"
    std::string summary;  // `Start service "x"`
    std::string subject;  // the service or check; empty for exec
    WorkStatus status = WorkStatus::waiting;
    std::uint32_t lane = 0;
    std::vector<TaskId> waits_for;  // ready ones let it start
    std::vector<std::string> log;   // "<time> INFO|ERROR <text>", the last 10
    WallTime spawned;
    std::optional<WallTime> ready;
    JsonObject data;  // {"exit-code": 3}
};

struct Change {
    ChangeId id = 0;
    std::string kind;  // "start", "stop", "restart", "replan", "autostart", "exec", "perform-check", …
    std::string summary;
    std::vector<TaskId> tasks;
    std::vector<std::string> subjects;  // services it is about, for `changes <service>`
    WorkStatus status = WorkStatus::waiting;
    WallTime spawned;
    std::optional<WallTime> ready;
    JsonObject data;
};

struct Notice {
    NoticeId id = 0;
    std::optional<std::uint32_t> user;  // nothing = public
    std::string type;                   // "custom", "change-update", "warning"
    std::string key;
    WallTime first_occurred;
    WallTime last_occurred;
    WallTime last_repeated;  // strictly growing over all notices
    std::uint64_t occurrences = 0;
    StringMap last_data;
    Duration repeat_after{};
    Duration expire_after = std::chrono::hours(7 * 24);
};

}  // namespace pgherd::supervise
