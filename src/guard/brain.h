// The brain as the guard sees it: a child that is started again whenever it dies, and an end of a socket
// pair.
//
// Every brain gets a socket pair of its own, so that a new one never reads what was meant for its
// predecessor.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "base/time.h"
#include "guard/protocol.h"

namespace pgherd::guard {

class Brain {
  public:
    explicit Brain(std::vector<std::string> argv) : argv_(std::move(argv)) {}
    ~Brain() { close_socket(); }
    Brain(const Brain&) = delete;
    Brain& operator=(const Brain&) = delete;

    Status start(Instant now);
    // It has been reaped. Decides when the next one may be started: at once, or after a pause that grows from
    // 0.1 to 2 s while brains die young.
    void died(Instant now);
    void signal(int number) const;
    void send(const Report& report);
    void close_socket();
    std::string take_error();

    pid_t pid() const { return pid_; }
    int socket() const { return socket_; }
    bool running() const { return pid_ > 0; }
    Instant restart_at() const { return restart_at_; }
    bool was_ready() const { return was_ready_; }
    void set_ready() { was_ready_ = true; }

  private:
    std::vector<std::string> argv_;
    pid_t pid_ = 0;
    int socket_ = -1;
    int errors_ = -1;
    bool was_ready_ = false;
    Instant started_;
    Instant restart_at_;
    Duration pause_{};
};

}  // namespace pgherd::guard
