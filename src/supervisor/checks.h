// The health checks as they run: a CheckMachine each, its ticker, the probe under way and its change.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ports/clock.h"
#include "supervise/change.h"
#include "supervise/check_machine.h"
#include "supervisor/probe.h"

namespace pgherd {
class HttpClient;
}

namespace pgherd::supervisor {

class Daemon;

class Checks {
  public:
    explicit Checks(Daemon& daemon);
    ~Checks();

    struct Entry {
        explicit Entry(supervise::CheckMachine given) : machine(std::move(given)) {}
        supervise::CheckMachine machine;
        Timer ticker;
        std::unique_ptr<Probe> probe;
        std::optional<supervise::ChangeId> change;
        std::optional<supervise::ChangeId> previous_change;
        supervise::TaskId task = 0;
        std::string resolved;  // what it runs as and where, to see a change of its service context
        std::vector<std::function<void(const std::optional<std::string>& error)>> waiting;  // for this run
    };
    const std::map<std::string, Entry, std::less<>>& all() const { return entries_; }

    // Takes over the checks of the plan: new and changed ones start anew, the others go on.
    void plan_changed();
    // Names that were not running (or not stopped) before. Error: a name that is not in the plan.
    Result<std::vector<std::string>> start(const std::vector<std::string>& names);
    Result<std::vector<std::string>> stop(const std::vector<std::string>& names);
    void start_enabled();
    void stop_all();
    // Runs it now; of an inactive one the result counts for nothing. Gives whether there is such a check.
    bool refresh(const std::string& name, std::function<void(const std::optional<std::string>& error)> done);

    // "": all checks; "alive", "ready": those of the level and below it. No allocation.
    bool healthy(std::string_view level, const std::vector<std::string>& names) const;

  private:
    void begin(Entry& entry);
    void end(Entry& entry, std::string_view why);
    // Error: one that is not in the plan.
    Status find(const std::vector<std::string>& names) const;
    void add_change(Entry& entry);
    void tick_later(Entry& entry);
    void run(const std::string& name);
    void finished(const std::string& name, const std::optional<std::string>& error);
    void aborted(supervise::TaskId task);

    Daemon& daemon_;
    std::unique_ptr<HttpClient> http_;
    std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace pgherd::supervisor
