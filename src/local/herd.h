// Runs a local cluster until it is told to stop, and shows what the store says of it.
//
// The members are services of a supervisor inside this process, the same one and by the same kind of layer as
// in a container; `pebble` commands reach it at DIR/supervisor.socket. The store is read through its port and
// never written: the agents elect among themselves. On SIGTERM, SIGINT or SIGHUP the standbys stop first, all
// at once, and the leader last, so that nobody takes over in between.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "eventloop/log.h"
#include "eventloop/loop.h"
#include "eventloop/signals.h"
#include "local/display.h"
#include "local/plan.h"
#include "ports/store.h"
#include "supervisor/api_server.h"
#include "supervisor/daemon.h"

namespace pgherd::local {

class Herd {
  public:
    // `settled`: the cluster has become healthy (empty text), or has not within the time, and why. Called
    // once; gives whether to go on.
    using Settled = std::function<bool(const std::string& why_not)>;
    Herd(const Plan& plan, Duration timeout, Display& display, Settled settled);

    // Gives the exit code.
    int run();

  private:
    void seen(Result<SnapshotPtr> result);
    void handle_signal(int number);
    void refresh();
    void settle(std::string why_not);
    std::string why_not_healthy();
    Status start_members();
    std::map<std::string, std::string> troubles() const;
    bool hopeless() const;
    void stop();
    void stop_the_rest();
    void event(const std::string& text);
    std::string status_text() const;
    std::vector<std::string> hints() const;

    const Plan& plan_;
    Duration timeout_;
    Display& display_;
    Settled settled_;
    EventLoop loop_;
    std::unique_ptr<Signals> signals_;
    LogWriter log_;
    std::unique_ptr<supervisor::Daemon> members_run_;
    std::unique_ptr<supervisor::ApiServer> api_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Watch> watch_;
    ClusterView cluster_;
    std::vector<MemberView> members_;
    std::deque<std::string> events_;
    Timer deadline_;
    Instant started_;
    bool was_settled_ = false;
    bool was_healthy_ = false;
    bool stopping_ = false;
    int exit_code_ = 0;
};

}  // namespace pgherd::local
