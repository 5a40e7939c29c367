#include "agent/rest_health.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "agent/rest_bodies.h"
#include "base/text.h"
#include "codec/json.h"

namespace pgherd::agent {
namespace {

constexpr int kYes = 200;
constexpr int kNo = 503;
constexpr std::int64_t kAnyLag = std::numeric_limits<std::int64_t>::max();

// The facts that the checks are made of.
struct Health {
    bool primary = false;
    bool standby_leader = false;
    bool leader = false;
    bool replica = false;
    bool running = false;
    bool knows_cluster = false;
    bool sync = false;
    bool quorum = false;
};

// How far the leader is ahead, as far as this member can know.
std::uint64_t lag_behind_leader(const AgentState& state, Lsn position) {
    Lsn leader;
    if (state.seen.cluster) leader = state.seen.cluster->status.optime.value_or(Lsn{});
    if (state.seen.pg.receiver) leader = std::max(leader, state.seen.pg.receiver->latest_end);
    return bytes_between(position, leader);
}

std::int64_t lag_parameter(const HttpRequest& request, std::int64_t otherwise) {
    auto given = request.parameter("lag");
    if (!given) return otherwise;
    return parse_bytes(*given).value_or(otherwise);
}

bool replica_is_healthy(const AgentState& state, const HttpRequest& request) {
    if (!answers(state) || state.published.state != MemberState::running ||
        state.published.role != Role::replica)
        return false;
    if (state.config.tags.noloadbalance) return false;
    std::int64_t allowed = lag_parameter(request, kAnyLag);
    if (allowed < 0 || lag_behind_leader(state, state.seen.pg.replayed) > std::uint64_t(allowed))
        return false;
    auto wanted = request.parameter("replication_state");
    return !wanted || *wanted == state.published.replication_state;
}

Health look(const AgentState& state, const HttpRequest& request) {
    Health health;
    Role role = state.published.role;
    health.knows_cluster = state.seen.cluster != nullptr;
    health.running = state_text(state) == to_string(MemberState::running);
    health.replica = replica_is_healthy(state, request);
    health.sync = is_sync_standby(state, false);
    health.quorum = is_sync_standby(state, true);
    if (!health.knows_cluster && state.paused()) {
        health.primary = role == Role::primary;
        health.standby_leader = role == Role::standby_leader;
        health.leader = health.primary || health.standby_leader;
    } else if (state.serves_as_leader()) {
        health.leader = true;
        health.primary = !state.standby_cluster();
        health.standby_leader =
            state.standby_cluster() && (role == Role::replica || role == Role::standby_leader);
        health.replica = health.replica && !state.standby_cluster();
    }
    return health;
}

struct Check {
    std::string_view path;
    bool (*passes)(const Health&);
    bool tags = true;  // `tag_…` parameters count
};

bool writable(const Health& h) {
    return h.primary;
}
bool leader_of_either_kind(const Health& h) {
    return h.primary || h.standby_leader;
}
bool standby_leader(const Health& h) {
    return h.standby_leader;
}
bool synchronous(const Health& h) {
    return h.knows_cluster && h.sync && h.replica;
}
bool asynchronous(const Health& h) {
    return h.knows_cluster && !h.sync && !h.quorum && h.replica;
}
bool read_only_synchronous(const Health& h) {
    return leader_of_either_kind(h) || synchronous(h);
}

constexpr std::array kChecks{
    Check{"/", writable, false},
    Check{"/primary", writable, false},
    Check{"/read-write", writable, false},
    Check{"/master", writable, false},
    Check{"/leader", [](const Health& h) { return h.leader; }, false},
    Check{"/standby-leader", standby_leader, false},
    Check{"/standby_leader", standby_leader, false},
    Check{"/replica", [](const Health& h) { return h.replica; }},
    Check{"/read-only", [](const Health& h) { return leader_of_either_kind(h) || h.replica; }},
    Check{"/health", [](const Health& h) { return h.running; }},
    Check{"/sync", synchronous},
    Check{"/synchronous", synchronous},
    Check{"/quorum", [](const Health& h) { return h.knows_cluster && h.quorum && h.replica; }},
    Check{"/async", asynchronous},
    Check{"/asynchronous", asynchronous},
    Check{"/read-only-sync", read_only_synchronous},
    Check{"/read-only-synchronous", read_only_synchronous},
    Check{"/read-only-quorum",
          [](const Health& h) {
              return leader_of_either_kind(h) || (h.knows_cluster && h.quorum && h.replica);
          }},
};

std::string tag_text(const Json& tag) {
    return tag.is_string() ? std::string(tag.get_string()) : to_text(tag);
}

bool tags_match(const Tags& tags, const HttpRequest& request) {
    constexpr std::string_view prefix = "tag_";
    return std::ranges::all_of(request.query, [&](const auto& parameter) {
        if (!parameter.first.starts_with(prefix)) return true;
        const Json* tag = tags.all.if_contains(std::string_view(parameter.first).substr(prefix.size()));
        return tag && tag_text(*tag) == parameter.second;
    });
}

}  // namespace

std::optional<int> health_status(const AgentState& state, const HttpRequest& request) {
    auto check = std::ranges::find(kChecks, request.path, &Check::path);
    if (check == kChecks.end()) return std::nullopt;
    bool passes =
        check->passes(look(state, request)) && (!check->tags || tags_match(state.config.tags, request));
    return passes ? kYes : kNo;
}

int liveness_status(const AgentState& state) {
    Duration patience = state.seen.config.ttl * (state.published.role == Role::primary ? 1 : 2);
    Instant last = std::max(state.last_decision, state.started);
    return state.paused() || state.seen.now < last + patience ? kYes : kNo;
}

int readiness_status(const AgentState& state, const HttpRequest& request) {
    if (state.serves_as_leader()) return kYes;
    const PostgresState& pg = state.seen.pg;
    if (!answers(state) || state.published.replication_state != "streaming") return kNo;
    bool can_measure = (state.seen.store_ok && state.seen.cluster) ||
                       state.seen.now < state.seen.failsafe_leader_until ||
                       (pg.receiver && pg.receiver->latest_end.valid());
    std::int64_t allowed = lag_parameter(request, state.seen.config.maximum_lag_on_failover);
    Lsn position = request.parameter("mode") == "write" ? std::max(pg.received, pg.replayed) : pg.replayed;
    bool close = allowed < 0 || lag_behind_leader(state, position) <= std::uint64_t(allowed);
    return can_measure && close ? kYes : kNo;
}

}  // namespace pgherd::agent
