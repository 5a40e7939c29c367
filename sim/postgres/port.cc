#include "sim/postgres/port.h"

namespace pgherd::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;

void PostgresPort::on_event(Events events) {
    server_.on_event([gate = gate_, events = std::make_shared<Events>(std::move(events)),
                      &world = world_](PostgresEvent event) {
        world.clock.after(world.dice.about(microseconds(100)),
                          gate->through(Then([events, event] { (*events)(event); })));
    });
}

void PostgresPort::observe(Instant deadline, Done<PostgresState> done) {
    // A server under load answers late, and sometimes not in time.
    const bool silent = world_.dice.chance(0.002);
    const auto delay = silent ? deadline - world_.clock.now() : world_.dice.about(milliseconds(1));
    world_.clock.after(delay, [&server = server_, silent, done = gate_->through(std::move(done))]() mutable {
        done(server.observe(silent));
    });
}

void PostgresPort::start(const StartSpec& spec, Duration timeout, Done<void> done) {
    server_.start(spec, timeout, gate_->through(std::move(done)));
}

void PostgresPort::stop(StopMode mode, bool checkpoint, Instant deadline, Then safepoint, Done<void> done) {
    Then through;
    if (safepoint) through = gate_->through(std::move(safepoint));
    server_.stop(mode, checkpoint, deadline, std::move(through), gate_->through(std::move(done)));
}

void PostgresPort::set_synchronous_standby_names(std::string names, Done<Lsn> done) {
    server_.set_sync_names(std::move(names), gate_->through(std::move(done)));
}

void PostgresPort::sync_slots(std::map<std::string, Lsn> wanted, Done<void> done) {
    std::set<std::string> names;
    for (const auto& [name, lsn] : wanted) names.insert(name);
    server_.sync_slots(std::move(names), gate_->through(std::move(done)));
}

void PostgresPort::upstream_history(const Upstream& upstream, Instant deadline, Done<UpstreamHistory> done) {
    auto answer = gate_->through(std::move(done));
    const Server* server = world_.at(upstream.host);
    const int here = server_.member();
    if (server == nullptr || !world_.network.both_ways(here, server->member())) {
        return world_.clock.after(deadline - world_.clock.now(), [answer = std::move(answer)]() mutable {
            answer(fail(ErrorCode::timeout, "the server does not answer"));
        });
    }
    world_.clock.after(world_.network.delay() * 3, [server, answer = std::move(answer)]() mutable {
        if (!server->primary() && !server->standby())
            return answer(fail(ErrorCode::unavailable, "connection refused"));
        answer(server->history());
    });
}

void PostgresPort::pre_promote(Done<void> done) {
    world_.clock.after(world_.pre_promote,
                       [answer = gate_->through(std::move(done))]() mutable { answer({}); });
}

}  // namespace pgherd::sim
