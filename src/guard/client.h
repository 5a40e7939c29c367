// The brain's end of the guard's socket. Sends orders, gives reports; whoever owns the event loop watches
// fd().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "guard/protocol.h"

namespace pgherd::guard {

struct StartOrder {
    std::vector<std::string> argv;
    std::vector<std::string> environment;  // "NAME=value"
    std::string working_directory;
    std::string log_file;  // empty = the guard's own standard error
    bool as_primary = false;
    bool change_user = false;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
};

class Client {
  public:
    // Takes the socket over. It must be in non-blocking mode only towards the brain; both calls below never
    // block.
    explicit Client(int fd);
    ~Client();
    Client(Client&& other) noexcept;
    Client& operator=(Client&&) = delete;

    // The socket that the guard left for this process. `not_found`: it was not started by a guard.
    static Result<Client> from_environment();

    int fd() const { return fd_; }

    // Each gives the sequence number under which the acknowledgement will come.
    Result<std::uint32_t> status();
    Result<std::uint32_t> ready();
    // `as_primary`: what runs is a primary, or may become one, and so ends at the deadline. A deadline that
    // has passed ends it at once.
    Result<std::uint32_t> arm(std::int64_t deadline, bool as_primary);
    Result<std::uint32_t> disarm();
    Result<std::uint32_t> start(const StartOrder& order);
    Result<std::uint32_t> adopt(std::int32_t pid);
    Result<std::uint32_t> signal(std::int32_t number);

    // The next report, nothing when there is none yet. `unavailable`: the guard has gone.
    Result<std::optional<Report>> receive();
    // Waits for the acknowledgement of `sequence`; other reports are lost. For tests and start-up only.
    Result<Report> wait(std::uint32_t sequence, Duration timeout);

  private:
    Result<std::uint32_t> send(Order& order);

    int fd_ = -1;
    std::uint32_t sequence_ = 0;
};

// The acknowledgement as a Status: `conflict` when the state forbids the order, `invalid`, or `failed`.
Status to_status(const Report& report);

}  // namespace pgherd::guard
