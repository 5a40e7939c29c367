// For tests of single parts of an agent: a PostgreSQL that answers nothing but its guard's orders, and a log.
#pragma once

#include <string>
#include <vector>

#include "ports/clock.h"
#include "ports/log.h"
#include "ports/postgres.h"

namespace pgherd::sim {

class SilentPostgres final : public Postgres {
  public:
    explicit SilentPostgres(Clock& clock) : clock_(clock) {}

    Instant armed_until;

    void arm(Instant deadline, Done<void> done) override {
        armed_until = deadline;
        clock_.post([done = std::move(done)]() mutable { done({}); });
    }
    void disarm(Done<void> done) override { arm(Instant{}, std::move(done)); }

    void on_event(Events) override {}
    void observe(Instant, Done<PostgresState>) override {}
    void configure(const InstanceConfig&) override {}
    void bootstrap(Progress, Done<void>) override {}
    void clone(const Upstream&, Progress, Done<void>) override {}
    void start(const StartSpec&, Duration, Done<void>) override {}
    void stop(StopMode, bool, Instant, Then, Done<void>) override {}
    void promote(Timeline, Done<void>) override {}
    void follow(const Upstream&, Done<void>) override {}
    void rewind(const Upstream&, Progress, Done<void>) override {}
    void quarantine(Done<void>) override {}
    void restart(Duration, Done<void>) override {}
    void reload(Done<void>) override {}
    void checkpoint(Done<void>) override {}
    void set_synchronous_standby_names(std::string, Done<Lsn>) override {}
    void sync_slots(std::map<std::string, Lsn>, Done<void>) override {}
    void upstream_history(const Upstream&, Instant, Done<UpstreamHistory>) override {}
    void callback(std::string_view, Role) override {}
    void pre_promote(Done<void>) override {}

  private:
    Clock& clock_;
};

// What was logged, one event's name and text a line.
class NotedLog final : public Log {
  public:
    std::vector<std::string> lines;
    void write(const LogEvent& event) override {
        lines.push_back(std::string(event.name) + ": " + event.text);
    }
};

}  // namespace pgherd::sim
