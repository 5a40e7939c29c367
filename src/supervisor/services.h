// The services as they run: a ServiceMachine each, and the process, timer and tasks that belong to it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ports/clock.h"
#include "supervise/change.h"
#include "supervise/service_machine.h"

namespace pgherd::supervisor {

class Daemon;

class Services {
  public:
    explicit Services(Daemon& daemon);
    ~Services();

    struct Entry {
        explicit Entry(supervise::ServiceMachine given) : machine(std::move(given)) {}
        supervise::ServiceMachine machine;
        int pid = 0;  // 0 = none
        Timer timer;
        std::string_view current = "inactive";
        std::optional<WallTime> since;               // when `current` changed
        std::vector<supervise::TaskId> start_tasks;  // several changes may want the same
        std::vector<supervise::TaskId> stop_tasks;
        supervise::UserGroup owner;  // as the last start had them, with the workload's
        supervise::StringMap environment;
    };
    const Entry* find(std::string_view name) const;
    const std::map<std::string, Entry, std::less<>>& all() const { return entries_; }

    bool running(std::string_view name) const;  // or about to, out of back-off
    std::vector<std::string> all_running() const;
    // Differs from what it was last started with.
    bool changed(const std::string& name) const;
    Status signal(const std::string& name, int number);

    // Called when what clients see of a service has changed.
    std::function<void(const std::string& name, std::string_view current)> on_change;

    void check_failed(const std::string& check);
    void check_recovered(const std::string& check);

  private:
    void start(supervise::TaskId task);
    void stop(supervise::TaskId task);
    void abort_start(supervise::TaskId task);
    void handle(const std::string& name, const supervise::ServiceEvent& event);
    supervise::ServiceEvent spawn(Entry& entry);
    Result<int> spawn_process(Entry& entry, const supervise::Service& service);
    void finished(Entry& entry, const supervise::service_effect::Finished& effect);
    void arm(Entry& entry, const supervise::service_effect::Arm& effect);
    void exited(const std::string& name, int pid, int code);

    Daemon& daemon_;
    std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace pgherd::supervisor
