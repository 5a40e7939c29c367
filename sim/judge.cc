#include "sim/judge.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/dynamic_config.h"
#include "codec/json.h"
#include "codec/records.h"

namespace pgherd::sim {

using std::chrono::seconds;

namespace {

constexpr std::string_view kOneWritable = "at most one member takes writes";
constexpr std::string_view kLease = "who takes writes holds the lease";
constexpr std::string_view kPromote = "nobody promotes without the lease";
constexpr std::string_view kNothingLost = "an acknowledged commit is in the history of every later leader";
constexpr std::string_view kBestCandidate = "a leader has what a healthy candidate has";
constexpr std::string_view kTimelineOnce = "no timeline is created twice";
constexpr std::string_view kOneSystem = "who leads has the data of this cluster";
constexpr std::string_view kFence = "a primary whose agent is well stops before the guard has to kill it";
constexpr std::string_view kMayLead = "whose tags forbid it does not become the primary";
constexpr std::string_view kNoExit = "an agent gives up only when an operator is needed";

constexpr Duration kHears = seconds(10);  // an agent that is well again, of what has changed

std::optional<int> member_number(std::string_view name) {
    if (name.size() < 2 || name.front() != 'm') return std::nullopt;
    return std::atoi(std::string(name.substr(1)).c_str()) - 1;
}

}  // namespace

Judge::Judge(VirtualClock& clock, Trace& trace, int members)
    : clock_(clock),
      trace_(trace),
      calm_since_(static_cast<std::size_t>(members), clock.now()),
      disturbances_(static_cast<std::size_t>(members)),
      resumed_(clock.now() - seconds(1000)) {}

void Judge::watch(Store& store, std::vector<Server*> servers) {
    servers_ = std::move(servers);
    watch_ = store.watch([this](Result<SnapshotPtr> snapshot) {
        if (snapshot) seen(**snapshot);
    });
}

void Judge::disturbed(int member) {
    ++disturbances_[static_cast<std::size_t>(member)];
    calm_since_[static_cast<std::size_t>(member)] = Instant::max();
}

void Judge::calm(int member) {
    int& left = disturbances_[static_cast<std::size_t>(member)];
    if (left > 0 && --left == 0) calm_since_[static_cast<std::size_t>(member)] = clock_.now();
}

void Judge::all_calm() {
    std::ranges::fill(disturbances_, 0);
    std::ranges::fill(calm_since_, clock_.now());
}

bool Judge::paused() const {
    return pause_ || clock_.now() - resumed_ < seconds(30);
}

void Judge::violation(std::string_view invariant, std::string what) {
    if (found_) return;
    trace_.note(Trace::kNobody, "VIOLATION", 0, [&] { return fmt::format("{}: {}", invariant, what); });
    found_ = Violation{std::string(invariant), std::move(what)};
}

// --- the store
// ---------------------------------------------------------------------------------------------------------

void Judge::seen(const Snapshot& snapshot) {
    const auto value = [&](const char* key) -> const std::string* {
        const auto it = snapshot.records.find(key);
        return it == snapshot.records.end() ? nullptr : &it->second.value;
    };
    if (const auto* config = value("config"); config != nullptr && *config != config_text_) {
        config_text_ = *config;
        if (const auto document = parse_json_object(*config))
            if (const auto parsed = parse_dynamic_config(*document)) {
                if (pause_ && !parsed->pause) resumed_ = clock_.now();
                pause_ = parsed->pause;
                failsafe_ = parsed->failsafe_mode;
                sync_mode_ = parsed->synchronous_mode != SynchronousMode::off;
            }
    }
    if (const auto* initialize = value("initialize"))
        if (const auto id = parse_uint(*initialize)) cluster_id_ = SystemId{*id};
    const auto* failover = value("failover");
    if (request_pending_ && failover == nullptr) request_gone_ = clock_.now();
    request_pending_ = failover != nullptr;
    if (const auto request = parse_failover(failover == nullptr ? "" : *failover);
        failover != nullptr && request) {
        wanted_candidate_ = request->candidate.text();
        wanted_by_force_ = request->leader.empty();
    }
    const auto* sync = value("sync");
    const std::string sync_text = sync == nullptr ? "" : *sync;
    if (sync_text != sync_text_) {
        sync_text_ = sync_text;
        const auto record = parse_sync(sync_text);
        sync_ = record ? *record : SyncRecord{};
        trace_.note(Trace::kNobody, "sync record", sync_.standbys.size(), [&] { return sync_text_; });
        if (sync_.empty())
            promise_ = 0;
        else if (promise_ == 0)
            promise_ = ++promises_;
    }
    const auto* name = value("leader");
    const auto leader = name == nullptr ? std::nullopt : member_number(*name);
    if (leader == leader_) return;
    const auto before = leader_;
    leader_ = leader;
    trace_.note(Trace::kNobody, "leader record", leader ? static_cast<std::uint64_t>(*leader) + 1 : 0,
                [&] { return name == nullptr ? "none" : *name; });
    if (!before || paused() || failsafe_ || before == robbed_) return;
    const Server& old = *servers_[static_cast<std::size_t>(*before)];
    if (old.writable() && !still_paused(old))
        violation(kLease, fmt::format("{} takes writes, and its leader record is gone", old.name()));
}

// --- PostgreSQL
// --------------------------------------------------------------------------------------------------------

// It has heard of a pause and of no end, and is cut off, or was a moment ago: nothing ends such a primary
// (status.md, open 5).
bool Judge::still_paused(const Server& server) const {
    const auto calm_since = calm_since_[static_cast<std::size_t>(server.member())];
    return server.armed_until() == Instant::max() && clock_.now() - kHears < calm_since;
}

void Judge::check_alone(const Server& server) {
    if (paused() || still_paused(server)) return;
    for (const Server* other : servers_)
        if (other != &server && other->writable() && !still_paused(*other))
            violation(kOneWritable, fmt::format("{} and {} both take writes", server.name(), other->name()));
}

// An operator has asked for it, not long ago.
bool Judge::wanted(const Server& server) const {
    return wanted_candidate_ == server.name() &&
           (request_pending_ || clock_.now() - request_gone_ < seconds(10));
}

void Judge::opened(Server& server) {
    check_alone(server);
    if (cluster_id_ && leader_ == server.member() && server.disk().system_id != *cluster_id_)
        violation(kOneSystem, fmt::format("{} leads with the data of another cluster", server.name()));
    // A forced failover may lose commits.
    const bool forced = wanted(server) && wanted_by_force_;
    if (forced && promise_ != 0) promise_ = ++promises_;
    // One that is told to restart before it has heard of anything else is no later leader.
    if (leader_ != server.member() && still_paused(server)) return;
    check_choice(server);
    check_history(server, "when it opened");
}

void Judge::check_history(const Server& server, std::string_view how) {
    for (auto& commit : acknowledgements_) {
        if (server.disk().wal.holds(commit.place, commit.id)) continue;
        if (commit.promise == 0 || commit.promise != promise_) {
            if (!std::exchange(commit.lost, true)) ++lost_;
            continue;
        }
        return violation(kNothingLost,
                         fmt::format("the commit that {} acknowledged {} ago is not in the history of {} {}",
                                     servers_[static_cast<std::size_t>(commit.member)]->name(),
                                     to_text(clock_.now() - commit.at), server.name(), how));
    }
}

// Without synchronous replication a failover may lose what no candidate has; it may not pass over a candidate
// that is well, could be asked, and has more.
void Judge::check_choice(const Server& server) {
    // A candidate that an operator has named goes first, also when the leader has died meanwhile
    // (Patroni 4.8).
    if (sync_mode_ || promise_ != 0 || paused() || wanted(server)) return;
    const auto now = clock_.now();
    const auto well = [&](const Server& member) {
        const auto since = calm_since_[static_cast<std::size_t>(member.member())];
        return since != Instant::max() && now - since > seconds(8);
    };
    if (!well(server)) return;
    for (const Server* other : servers_) {
        if (other == &server || !other->standby() || !well(*other) || never_lead_.contains(other->member()))
            continue;
        for (const auto& commit : acknowledgements_) {
            if (commit.lost || now - commit.at < seconds(8) ||
                server.disk().wal.holds(commit.place, commit.id))
                continue;
            if (other->disk().wal.holds(commit.place, commit.id))
                return violation(kBestCandidate, fmt::format("{} leads without a commit that {} has",
                                                             server.name(), other->name()));
        }
    }
}

void Judge::acknowledged(Server& server, std::size_t place, int client, bool waited) {
    const auto& record = server.disk().wal[place];
    if (record.value == 0) return;
    check_alone(server);
    // Also before the new leader has made the record its own: who else is in it could lead next.
    const bool promised =
        promise_ != 0 && (sync_.leader == MemberName(server.name()) || leader_ == server.member());
    acknowledgements_.push_back({record.id, place, clock_.now(), server.member(), promised ? promise_ : 0});
    trace_.note(server.member(), "acknowledged", record.value, [&] {
        return fmt::format("{}{}{}", record.value, waited ? " after a standby" : "",
                           promised ? " (promised)" : "");
    });
    last_acknowledged_[client] = clock_.now();
    if (on_client) on_client(client, true);
}

void Judge::lost_connection(Server&, int client) {
    if (on_client) on_client(client, false);
}

void Judge::new_timeline(Server& server, Timeline timeline) {
    if (timeline.value == 1) return;  // a new cluster
    const auto [it, fresh] = timelines_.emplace(timeline.value, server.member());
    if (fresh) return;
    violation(kTimelineOnce, fmt::format("{} creates timeline {}, and m{} has created it before",
                                         server.name(), timeline.value, it->second + 1));
}

void Judge::promoting(Server& server) {
    if (!paused() && never_lead_.contains(server.member())) violation(kMayLead, server.name() + " promotes");
    if (!paused() && leader_ != server.member())
        violation(kPromote, fmt::format("{} promotes while the leader record says {}", server.name(),
                                        leader_ ? fmt::format("m{}", *leader_ + 1) : "none"));
    if (on_promoting) on_promoting(server.member());
}

void Judge::fenced(Server& server) {
    const bool well = could_stop && could_stop(server.member());
    if (paused() || !well || server.stuck() || leader_ != server.member() || !server.writable() ||
        server.process() != Server::Process::running)
        return;
    violation(kFence, server.name() + " has let its lease run out");
}

// The agent hears of it within a moment.
void Judge::lock_deleted(bool heard) {
    robbed_ = leader_;
    clock_.after(seconds(1), [this, heard, robbed = robbed_] {
        robbed_.reset();
        if (heard && robbed && leader_ != robbed && servers_[static_cast<std::size_t>(*robbed)]->writable())
            violation(kLease, fmt::format("m{} takes writes a second after its leader record was deleted",
                                          *robbed + 1));
    });
}

void Judge::exited(int member, const std::string& why) {
    if (servers_[static_cast<std::size_t>(member)]->disk().misplaced) return;
    violation(kNoExit, fmt::format("m{} exits: {}", member + 1, why));
}

void Judge::check_at_rest(const Server& leader) {
    check_history(leader, "at the end");
}

Instant Judge::last_acknowledged(int client) const {
    const auto it = last_acknowledged_.find(client);
    return it == last_acknowledged_.end() ? Instant{} : it->second;
}

}  // namespace pgherd::sim
