// The guard on the event loop: orders that wait for their acknowledgement, events as they come, and the last
// status.
#pragma once

#include <functional>
#include <map>

#include "guard/client.h"
#include "postgres/async.h"

namespace pgherd::postgres {

class GuardLink {
  public:
    // `on_event`: `exited` and `fenced` reports, from the loop.
    GuardLink(asio::io_context& context, guard::Client client,
              std::function<void(const guard::Report&)> on_event);
    ~GuardLink();
    GuardLink(const GuardLink&) = delete;
    GuardLink& operator=(const GuardLink&) = delete;

    guard::Client& client() { return client_; }
    // Waits for the acknowledgement of an order that was just sent. Certainty: a guard that does not answer
    // may still do it.
    Async<guard::GuardStatus> confirmed(Result<std::uint32_t> sequence);
    // As last reported; changes wake `changed`.
    const guard::GuardStatus& status() const { return status_; }
    Notifier& changed() { return changed_; }

    // The task that reads reports; ends when the guard has gone.
    asio::awaitable<void> read_reports();

  private:
    guard::Client client_;
    asio::posix::stream_descriptor socket_;
    std::function<void(const guard::Report&)> on_event_;
    guard::GuardStatus status_;
    std::map<std::uint32_t, std::optional<guard::Report>> pending_;
    Notifier changed_;
    bool gone_ = false;
};

}  // namespace pgherd::postgres
