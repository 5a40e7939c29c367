// The guard: parent of the brain and of the postmaster, and the one that keeps the promise of the lease.
//
// A lease protects the data only if a primary stops when it runs out, whatever state the agent is in: dead,
// hung, stopped, swapped out. So a second process, small enough to be read in one sitting, holds the
// postmaster and counts down: when CLOCK_BOOTTIME reaches the deadline that the brain gave last, it kills the
// postmaster and everything that came from it. The brain may crash and come back in time without Postgres
// noticing.
//
// The guard is POSIX only: one thread, poll(), no coroutine, no library beyond base. It knows nothing of
// PostgreSQL but that its processes are ended by SIGKILL, and nothing of the cluster but a deadline.
#pragma once

#include <string>
#include <vector>

namespace pgherd::guard {

enum class WatchdogMode { off, automatic, required };

struct GuardOptions {
    std::string name;                // for messages: the member
    std::vector<std::string> brain;  // argv of the brain; its environment gets PGHERD_GUARD_FD
    WatchdogMode watchdog = WatchdogMode::off;
    std::string watchdog_device = "/dev/watchdog";
};

// Runs until the brain has ended on purpose (exit code 0, or 1 before it ever said `ready`) and Postgres is
// stopped. SIGTERM, SIGINT and SIGHUP are forwarded to the brain. Gives the exit code of the program.
int run_guard(const GuardOptions& options);

}  // namespace pgherd::guard
