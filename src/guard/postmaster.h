// The postmaster from start to the last of its processes.
//
// A dead postmaster is not the death of its backends: they live on for tens of milliseconds in sessions of
// their own, and can still acknowledge a commit. They become children of the guard (it is a subreaper), which
// ends every one of them; only then is the instance gone. What may be spared is proven, not guessed: an
// orphan lives on only if its environment is readable and carries the brain's mark. Children of an adopted
// postmaster are not ours to inherit; they are found by their program and their working directory, which is
// the data directory in every process of PostgreSQL.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "guard/processes.h"
#include "guard/protocol.h"

namespace pgherd::guard {

class Postmaster {
  public:
    ~Postmaster();

    Status start(const SpawnSpec& spec);
    Status adopt(pid_t pid);
    Status send(int signal) const;
    // SIGKILL for it and for everything that came from it. It is gone when sweep() says so.
    void kill_all();

    // A child that has been reaped; true if it was the postmaster.
    bool reaped(pid_t pid, int status);
    // An adopted postmaster has died (its pidfd is readable).
    void adopted_died();
    // Ends what is left of a dead postmaster. True once nothing is left. `brain` is spared.
    bool sweep(pid_t brain);

    PostmasterPhase phase() const { return phase_; }
    pid_t pid() const { return pid_; }
    std::uint64_t start_time() const { return start_time_; }
    bool adopted() const { return adopted_; }
    int last_exit() const { return last_exit_; }
    int pidfd() const { return pidfd_; }  // of an adopted one, else -1
    std::string take_error() { return take_spawn_error(errors_); }

  private:
    std::vector<pid_t> left_behind(pid_t brain) const;
    void close_pidfd();

    PostmasterPhase phase_ = PostmasterPhase::none;
    pid_t pid_ = 0;
    std::uint64_t start_time_ = 0;
    bool adopted_ = false;
    Footprint footprint_;  // of an adopted one
    int pidfd_ = -1;
    int errors_ = -1;
    int last_exit_ = 0;
};

}  // namespace pgherd::guard
