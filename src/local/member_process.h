// One member's agent as a child process: `pgherd agent DIR/<member>/agent.yml`, started again when it ends by
// itself.
//
// The child gets a process group of its own (Ctrl-C on the terminal is for us alone), writes to its log, and
// is told to end when this process dies.
#pragma once

#include <functional>
#include <string>

#include <sys/types.h>

#include "local/directory.h"
#include "ports/clock.h"

namespace pgherd::local {

class MemberProcess {
  public:
    // `changed`: it has ended, or was started again.
    MemberProcess(Clock& clock, const Directory& directory, std::string name, std::function<void()> changed);

    void start();
    // Asks it to stop PostgreSQL and end; it is not started again.
    void stop();
    // Looks whether it has ended; to be called after SIGCHLD.
    void reap();

    const std::string& name() const { return name_; }
    bool running() const { return pid_ > 0; }
    bool stopping() const { return stopping_; }
    int failures() const { return failures_; }  // how often it ended by itself in a row
    // Why it does not run, for people; empty while it runs.
    const std::string& trouble() const { return trouble_; }

  private:
    void start_again_later();

    Clock& clock_;
    std::string name_;
    std::string config_;
    std::string log_;
    std::string working_directory_;
    std::function<void()> changed_;
    pid_t pid_ = 0;
    Instant started_;
    bool stopping_ = false;
    int failures_ = 0;
    std::string trouble_;
    Timer again_;
};

}  // namespace pgherd::local
