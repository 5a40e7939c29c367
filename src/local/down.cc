// `pgherd down`: ends what `pgherd up` has started, also when that has died, and removes the data if asked
// to.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

#include "local/directory.h"
#include "local/leftovers.h"
#include "local/local.h"
#include "local/lock.h"
#include "local/options.h"

namespace pgherd::local {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr Duration kPatience = 120s;
constexpr Duration kLook = 20ms;  // a person waits, and no event tells of the end of somebody else's child
constexpr Duration kReport = 5s;

int failed(std::string_view why, int code = 1) {
    fmt::print(stderr, "pgherd down: {}\n", why);
    return code;
}

// Tells the supervisor to stop, or, where it is gone, the agents, or, where they are gone too, PostgreSQL.
void ask_to_stop(const Directory& directory) {
    if (auto holder = lock_holder(directory.lock()); holder && is_alive(*holder)) {
        ::kill(holder->pid, SIGTERM);
        return;
    }
    auto left = processes_of(directory.path());
    bool agents = std::ranges::any_of(
        left, [](const Leftover& process) { return process.kind == Leftover::Kind::agent; });
    for (const Leftover& process : left) {
        if (process.kind == Leftover::Kind::agent) ::kill(process.pid, SIGTERM);
        if (process.kind == Leftover::Kind::postmaster && !agents) ::kill(process.pid, SIGINT);
    }
}

bool anything_runs(const Directory& directory) {
    return lock_holder(directory.lock()) || !processes_of(directory.path()).empty();
}

// Gives whether everything has ended.
bool wait_for_the_end(const Directory& directory) {
    Instant begun = boottime_now();
    Instant report = begun + kReport;
    while (anything_runs(directory)) {
        Instant now = boottime_now();
        if (now - begun > kPatience) return false;
        if (now >= report) {
            fmt::print("still stopping: {} processes\n", processes_of(directory.path()).size());
            std::fflush(stdout);
            report = now + kReport;
            // Members may have been orphaned meanwhile.
            if (!lock_holder(directory.lock())) ask_to_stop(directory);
        }
        std::this_thread::sleep_for(kLook);
    }
    return true;
}

Status stop(const Directory& directory, const User& owner) {
    ActingAs acting(owner);
    if (!anything_runs(directory)) {
        fmt::print("nothing runs in {}\n", directory.path().string());
        return {};
    }
    Instant begun = boottime_now();
    ask_to_stop(directory);
    if (!wait_for_the_end(directory)) {
        std::string pids;
        for (const Leftover& process : processes_of(directory.path()))
            pids += fmt::format(" {}", process.pid);
        return fail(ErrorCode::timeout,
                    fmt::format("cannot stop the cluster in {} within {}: these processes still run:{}",
                                directory.path().string(), to_text(kPatience), pids));
    }
    auto description = directory.description();
    auto count = description ? description->members.size() : 0;
    fmt::print("stopped {} member{} in {}\n", count, count == 1 ? "" : "s", to_text(boottime_now() - begun));
    return {};
}

Status purge(const Directory& directory) {
    std::error_code error;
    // The marker goes last: what could not be removed completely is still known as ours.
    for (fs::directory_iterator it(directory.path(), error), end; it != end && !error; it.increment(error))
        if (it->path() != directory.marker()) fs::remove_all(it->path(), error);
    if (!error) fs::remove_all(directory.path(), error);
    if (error) return fail(fmt::format("cannot remove {}: {}", directory.path().string(), error.message()));
    fmt::print("removed {}\n", directory.path().string());
    return {};
}

}  // namespace

int down_main(std::span<const std::string> args) {
    auto options = parse_down(args);
    if (!options) return failed(options.error().message + "; see `pgherd down --help`", 2);
    if (options->help) {
        fmt::print("{}", kDownHelp);
        return 0;
    }
    fs::path dir = fs::absolute(options->dir.empty() ? default_dir() : options->dir).lexically_normal();
    Directory directory(dir.has_filename() ? dir : dir.parent_path());
    if (directory.kind() != Directory::Kind::ours)
        return failed(
            fmt::format("there is no cluster in {} (no cluster.json); --dir names another directory",
                        directory.path().string()));
    // Others have files of this name, too.
    if (auto ours = directory.description(); options->purge && !ours)
        return failed(fmt::format("cannot remove {}, which may not be pgherd's: {}",
                                  directory.path().string(), ours.error().message));
    auto owner = owner_of(directory.path());
    if (!owner) return failed(owner.error().message);
    if (auto stopped = stop(directory, *owner); !stopped) return failed(stopped.error().message);
    if (!options->purge) return 0;
    auto purged = purge(directory);
    return purged ? 0 : failed(purged.error().message);
}

}  // namespace pgherd::local
