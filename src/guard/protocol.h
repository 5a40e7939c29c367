// What the brain and the guard say to each other: one fixed struct per direction over a SOCK_SEQPACKET socket
// pair.
//
// The brain sends orders, the guard acknowledges every one of them with the order's sequence number, and
// sends events (sequence 0) by itself. Every report carries the whole status, so that a brain that was
// restarted, or that missed an event, needs nothing else. Both ends come from one program; the version only
// catches an upgrade under a running guard.
//
// Bounded on purpose: arguments, environment and paths of a postmaster travel as one blob of NUL-terminated
// strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace pgherd::guard {

inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::size_t kBlobSize = 48 * 1024;
inline constexpr std::size_t kMaxGroups = 32;
inline constexpr std::size_t kTextSize = 200;
// The variable in which the brain finds the number of its end of the socket pair. It also marks the brain's
// own children: after the death of a postmaster the guard ends every orphan that does not carry it.
inline constexpr const char* kFdVariable = "PGHERD_GUARD_FD";

// Deadlines are nanoseconds of CLOCK_BOOTTIME.
inline constexpr std::int64_t kDisarmed = 0;  // nothing may run as a primary
inline constexpr std::int64_t kNever =
    std::numeric_limits<std::int64_t>::max();  // it may, without a deadline (pause)

enum class OrderType : std::uint32_t {
    status = 1,
    ready,   // the brain has come up; from now on it is restarted whatever it exits with, except 0
    arm,     // deadline: kill the postmaster when it has passed, now if it has; kNever: do not; as_primary
    disarm,  // from now on no primary may be started; what runs is left alone
    start,   // a postmaster
    adopt,   // a postmaster that runs already: pid
    signal,  // the postmaster: signal
};

struct Order {
    std::uint32_t version = kProtocolVersion;
    OrderType type = OrderType::status;
    std::uint32_t sequence = 0;
    std::int32_t signal = 0;
    std::int32_t pid = 0;
    // start: refused unless armed; arm: what runs is a primary, or may become one (a standby outlives
    // deadlines)
    std::uint32_t as_primary = 0;
    std::int64_t deadline = kDisarmed;
    std::uint32_t change_user = 0;  // start: become uid, gid and groups first
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t group_count = 0;
    std::uint32_t groups[kMaxGroups] = {};
    // start: working directory, log file (appended to), arguments, environment.
    std::uint32_t argument_count = 0;
    std::uint32_t environment_count = 0;
    std::uint32_t blob_size = 0;
    char blob[kBlobSize] = {};
};
inline constexpr std::size_t kOrderHead = offsetof(Order, blob);

enum class PostmasterPhase : std::uint32_t {
    none,
    running,   // the process exists; whether it accepts connections is not the guard's business
    draining,  // the postmaster is dead, processes of it are still being ended
};

struct GuardStatus {
    PostmasterPhase phase = PostmasterPhase::none;
    std::int32_t postmaster_pid = 0;     // 0 = none
    std::uint64_t postmaster_start = 0;  // clock ticks since boot, /proc/<pid>/stat field 22
    std::int64_t deadline = kDisarmed;
    std::int32_t last_exit = 0;  // wait status of the last postmaster; 0 as well when it was adopted
    std::uint32_t exits = 0;     // postmasters that are gone, all processes included
    std::uint32_t fenced = 0;    // the last postmaster was killed because the deadline had passed
    std::uint32_t adopted = 0;   // the postmaster was not started by this guard
};

enum class ReportType : std::uint32_t { acknowledgement = 1, exited, fenced };

struct Report {
    std::uint32_t version = kProtocolVersion;
    ReportType type = ReportType::acknowledgement;
    std::uint32_t sequence = 0;
    std::int32_t error = 0;  // 0 = done, otherwise an errno that fits
    GuardStatus status;
    char text[kTextSize] = {};  // why not; for `exited`: why the program could not even be executed
};

}  // namespace pgherd::guard
