// Sends what services write to the log targets of the plan.
//
// A target reads the rings like any follower, and has a queue of its own for the time when nobody takes what
// it sends: lines wait there, up to a bound, and are tried again. A change of the plan takes effect at once,
// an address included, and keeps the queue.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/scope.h"
#include "eventloop/loop.h"
#include "ports/log.h"
#include "supervise/layer.h"
#include "supervisor/forward_sender.h"
#include "supervisor/log_hub.h"

namespace pgherd::supervisor {

struct ForwardPace {
    Duration batch = std::chrono::seconds(1);  // a line waits for others no longer
    Duration first_retry = std::chrono::seconds(1);
    Duration last_retry = std::chrono::seconds(15);
};

class LogForwarding {
  public:
    LogForwarding(EventLoop& loop, LogHub& hub, Log& log, ForwardPace pace = {});
    ~LogForwarding();

    // `environment_of` gives a service's own environment, from which labels take their values.
    using EnvironmentOf = std::function<supervise::StringMap(const std::string& service)>;
    void plan_changed(const supervise::Plan& plan, const EnvironmentOf& environment_of);

    // At the end: sends what waits, for as long as `limit`, then calls `then`. A target that was out of reach
    // before has one more chance.
    void finish(Duration limit, std::function<void()> then);

  private:
    class Target;
    void check_finished();

    EventLoop& loop_;
    LogHub& hub_;
    Log& log_;
    ForwardPace pace_;
    std::map<std::string, std::unique_ptr<Target>> targets_;
    std::function<void()> finished_;
    Timer finish_limit_;
    Scope scope_;
};

}  // namespace pgherd::supervisor
