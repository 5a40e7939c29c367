// All children of this program: starts them and tells how they ended.
//
// One SIGCHLD may stand for many ends, so each time everything that has ended is reaped. With
// `Orphans::adopt` that includes processes which nobody here has started: those whose parents died, when this
// program is PID 1 or their subreaper, which it then becomes. It then must be the only part of the program
// that waits for children. A process id stays valid until its end was told here, so a signal never hits a
// stranger.
#pragma once

#include <functional>
#include <memory>

#include "eventloop/loop.h"
#include "process/spawn.h"

namespace pgherd {

class Processes {
  public:
    enum class Orphans { ignore, adopt };
    // This program then ignores SIGPIPE: writing to a child that has ended is an error and not our end.
    explicit Processes(EventLoop& loop, Orphans orphans = Orphans::adopt);
    // Forgets its children; they live on.
    ~Processes();
    Processes(const Processes&) = delete;
    Processes& operator=(const Processes&) = delete;

    // Gives the process id. `on_exit` is called once from the loop, never from inside this call: with the
    // exit code, or 128 + n after signal n.
    Result<int> spawn(const SpawnOptions& options, std::function<void(int code)> on_exit);
    // No further call for it. It is still reaped.
    void forget(int pid);
    bool alive(int pid) const;

    // Errors: not_found (it has ended), failed.
    Status signal(int pid, int number);
    // The group that it leads, as long as it is not reaped.
    Status signal_group(int pid, int number);

  private:
    struct Core;
    std::shared_ptr<Core> core_;
};

}  // namespace pgherd
