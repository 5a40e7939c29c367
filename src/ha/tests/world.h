// Observations and memories as text, one fact per word, for the decision tables in testdata/.
//
// Every case starts from the same small world: members a (this one), b and c, an initialized and configured
// cluster, a valid data directory on timeline 1 at 0/1000, the clock at 100 s. A line changes one part of it:
// `lock until=120`. Times are seconds on that clock; a position may have its timeline in front (`2:0/1000`).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "base/text.h"
#include "ha/decision.h"
#include "ha/failsafe.h"

namespace pgherd::ha::testing {

struct World {
    ClusterView view;
    Observation seen;
    Memory memory;

    World();
    Observation observation() const {
        Observation result = seen;
        for (const auto& [name, member] : view.members) result.asks_voters[name] = member.failsafe_votes;
        if (!never_read) result.cluster = std::make_shared<ClusterView>(view);
        return result;
    }
    bool never_read = false;
};

inline Instant at(double seconds) {
    return Instant(Duration(std::int64_t(seconds * 1e9)));
}

inline void add_member(ClusterView& view, const char* name, Role role) {
    Member member;
    member.name = MemberName(name);
    member.state = MemberState::running;
    member.role = role;
    member.failsafe_votes = true;
    view.members[member.name] = member;
}

inline World::World() {
    for (const char* name : {"a", "b", "c"}) add_member(view, name, Role::replica);
    view.revision = Revision(50);
    view.initialize_exists = true;
    view.initialize = SystemId(1);
    view.config_revision = Revision(2);
    seen.self.name = MemberName("a");
    seen.now = at(100);
    seen.wall = WallTime(std::chrono::seconds(1000));
    seen.store_ok = true;
    seen.failsafe_listed = seen.failsafe_list_certain = true;
    seen.pg.data = DataDirectory::valid;
    seen.pg.timeline = Timeline{1};
    seen.pg.position = Lsn{0x1000};
    seen.pg.system_id = SystemId(1);
    seen.following = MemberName();
}

// The words of a line: `name`, `key=value`. Unknown words are mistakes.
class Words {
  public:
    using Setter = std::function<void(const std::string&)>;
    explicit Words(std::map<std::string, Setter> known) : known_(std::move(known)) {}
    void apply(const std::vector<std::string>& words) const {
        for (const std::string& word : words) {
            std::size_t equals = word.find('=');
            auto setter = known_.find(word.substr(0, equals));
            if (setter == known_.end()) throw std::runtime_error("unknown word: " + word);
            setter->second(equals == std::string::npos ? "" : word.substr(equals + 1));
        }
    }

  private:
    std::map<std::string, Setter> known_;
};

inline Instant instant(const std::string& text) {
    return at(std::stod(text));
}
inline Lsn lsn(const std::string& text) {
    auto parsed = parse_lsn(text);
    if (!parsed) throw std::runtime_error(parsed.error().message);
    return *parsed;
}
inline WalPosition wal(const std::string& text) {
    std::size_t colon = text.find(':');
    if (colon == std::string::npos) return {Timeline{1}, lsn(text)};
    return {Timeline{std::uint32_t(std::stoul(text.substr(0, colon)))}, lsn(text.substr(colon + 1))};
}
inline std::vector<MemberName> names(const std::string& text) {
    std::vector<MemberName> result;
    if (!text.empty())
        for (const std::string& name : split(text, ',')) result.emplace_back(std::string_view(name));
    return result;
}

template <class Enum>
Enum pick(const std::string& text, const std::map<std::string, Enum>& values) {
    auto found = values.find(text);
    if (found == values.end()) throw std::runtime_error("unknown value: " + text);
    return found->second;
}

inline const std::map<std::string, Operation>& operations() {
    static const std::map<std::string, Operation> all = [] {
        std::map<std::string, Operation> map;
        for (int i = 0; i <= int(Operation::checkpoint); ++i)
            map[std::string(to_string(Operation(i)))] = Operation(i);
        return map;
    }();
    return all;
}
inline const std::map<std::string, Memory::Rewind>& rewinds() {
    using R = Memory::Rewind;
    static const std::map<std::string, R> all = {{"unknown", R::unknown}, {"check", R::check},
                                                 {"needed", R::needed},   {"not_needed", R::not_needed},
                                                 {"done", R::done},       {"failed", R::failed}};
    return all;
}

inline void set_self(World& w, const std::vector<std::string>& words) {
    Self& self = w.seen.self;
    Words({{"nofailover", [&](auto&) { self.may_lead = false; }},
           {"nobootstrap", [&](auto&) { self.may_bootstrap = false; }},
           {"no_leader_method", [&](auto&) { self.bootstrap_without_leader = true; }},
           {"cannot_rewind", [&](auto&) { self.can_rewind = false; }},
           {"keep_failed", [&](auto&) { self.remove_data_on_rewind_failure = false; }},
           {"keep_diverged", [&](auto&) { self.remove_data_on_divergence = false; }},
           {"no_watchdog", [&](auto&) { w.seen.watchdog_usable = false; }},
           {"priority", [&](auto& v) { self.priority = std::stoi(v); }}})
        .apply(words);
}

inline void set_store(World& w, const std::vector<std::string>& words) {
    Words(
        {{"never", [&](auto&) { w.never_read = true; }},
         {"silent",
          [&](auto&) {
              w.seen.store_ok = false;
              w.seen.store_silent_since = at(90);
          }},
         {"leader",
          [&](auto& v) {
              w.view.leader = LeaderRecord{MemberName(v), Revision(7), {}};
              if (Member* member = &w.view.members[MemberName(v)]) member->role = Role::primary;
          }},
         {"new",
          [&](auto&) {
              w.view.initialize_exists = false;
              w.view.initialize.reset();
              w.view.config_revision.reset();
          }},
         {"initialize",
          [&](auto& v) {
              w.view.initialize_exists = true;
              w.view.initialize.reset();
              w.seen.initialize_mine = v == "mine";
              if (v != "mine" && v != "empty") w.view.initialize = SystemId(std::stoull(v));
          }},
         {"claim",
          [&](auto& v) {
              w.view.claim = {Timeline{std::uint32_t(std::stoul(v))}, w.seen.self.name, Revision(8)};
          }},
         {"claimed_by_b",
          [&](auto& v) {
              w.view.claim = {Timeline{std::uint32_t(std::stoul(v))}, MemberName("b"), Revision(6)};
          }},
         {"claimed_before",
          [&](auto& v) {
              w.view.claim = {Timeline{std::uint32_t(std::stoul(v))}, w.seen.self.name, Revision(6)};
          }},
         {"optime", [&](auto& v) { w.view.status.optime = lsn(v); }},
         {"history", [&](auto& v) { w.view.history.push_back({wal(v).timeline, wal(v).lsn, "", "", {}}); }}})
        .apply(words);
}

inline void set_member(World& w, std::vector<std::string> words) {
    MemberName name(words.at(0));
    words.erase(words.begin());
    if (words == std::vector<std::string>{"gone"}) return void(w.view.members.erase(name));
    Member& m = w.view.members[name];
    m.name = name;
    Words({{"nofailover", [&](auto&) { m.tags.nofailover = true; }},
           {"nosync", [&](auto&) { m.tags.nosync = true; }},
           {"clonefrom", [&](auto&) { m.tags.clonefrom = true; }},
           {"nostream", [&](auto&) { m.tags.nostream = true; }},
           {"replicatefrom", [&](auto& v) { m.tags.replicatefrom = MemberName(v); }},
           {"stopped", [&](auto&) { m.state = MemberState::stopped; }},
           {"patroni", [&](auto&) { m.failsafe_votes = false; }},
           {"replica", [&](auto&) { m.role = Role::replica; }},
           {"no_checkpoint", [&](auto&) { m.checkpoint_after_promote = false; }}})
        .apply(words);
}

inline void set_config(World& w, const std::vector<std::string>& words) {
    DynamicConfig& c = w.seen.config;
    Words({{"ttl", [&](auto& v) { c.ttl = instant(v) - Instant{}; }},
           {"pause", [&](auto&) { c.pause = true; }},
           {"failsafe", [&](auto&) { c.failsafe_mode = true; }},
           {"check_timeline", [&](auto&) { c.check_timeline = true; }},
           {"lag", [&](auto& v) { c.maximum_lag_on_failover = std::stoll(v); }},
           {"start_timeout", [&](auto& v) { c.primary_start_timeout = instant(v) - Instant{}; }},
           {"sync",
            [&](auto& v) {
                c.synchronous_mode = pick<SynchronousMode>(
                    v, {{"on", SynchronousMode::on}, {"quorum", SynchronousMode::quorum}});
            }},
           {"strict", [&](auto&) { c.synchronous_mode_strict = true; }},
           {"standby_cluster", [&](auto&) { c.standby_cluster = StandbyClusterSpec{}; }}})
        .apply(words);
}

inline void set_lock(World& w, const std::vector<std::string>& words) {
    w.view.leader = LeaderRecord{w.seen.self.name, Revision(7), {}};
    Words({{"until", [&](auto& v) { w.seen.lock_valid_until = instant(v); }},
           {"picture", [&](auto& v) { w.seen.lock_picture = Revision(std::stoll(v)); }},
           {"lost", [&](auto&) { w.seen.lock_lost = true; }}})
        .apply(words);
}

inline void set_failsafe(World& w, const std::vector<std::string>& words) {
    Words({{"members",
            [&](auto& v) {
                for (auto& name : names(v)) w.view.failsafe[name] = "url";
            }},
           {"until",  // of every member's confirmation
            [&](auto& v) {
                w.seen.failsafe_guarded_until = w.seen.failsafe_round_until = instant(v);
                for (const auto& [name, url] : w.view.failsafe) w.seen.confirmations[name] = {instant(v)};
            }},
           {"confirmed",
            [&](auto& v) {
                w.seen.failsafe_guarded_until = at(1000);
                w.seen.failsafe_round_until = at(125);
                for (auto& name : names(v)) w.seen.confirmations[name] = {at(125)};
            }},
           {"voted", [&](auto& v) { w.seen.confirmations[MemberName(v)] = {at(125), false}; }},
           {"vetoed", [&](auto&) { w.seen.failsafe_vetoed = true; }},
           {"list_uncertain", [&](auto&) { w.seen.failsafe_list_certain = false; }},
           {"unsure_until", [&](auto& v) { w.seen.failsafe_unsure_until = instant(v); }},
           {"leader", [&](auto& v) { w.seen.failsafe_leader = MemberName(v); }},
           {"leader_until", [&](auto& v) { w.seen.failsafe_leader_until = instant(v); }}})
        .apply(words);
}

inline void set_request(World& w, const std::vector<std::string>& words) {
    FailoverRequest request;
    request.modified = Revision(9);
    Words(
        {{"leader", [&](auto& v) { request.leader = MemberName(v); }},
         {"candidate", [&](auto& v) { request.candidate = MemberName(v); }},
         {"in", [&](auto& v) { request.scheduled_at = w.seen.wall + std::chrono::seconds(std::stoll(v)); }}})
        .apply(words);
    w.view.failover = request;
}

inline void set_sync(World& w, const std::vector<std::string>& words) {
    SyncRecord& sync = w.view.sync;
    sync.modified = Revision(8);
    Words({{"leader", [&](auto& v) { sync.leader = MemberName(v); }},
           {"standbys", [&](auto& v) { sync.standbys = names(v); }},
           {"quorum", [&](auto& v) { sync.quorum = std::stoi(v); }},
           {"uncertain", [&](auto&) { w.seen.sync_uncertain = true; }},
           {"as_found", [&](auto&) { w.seen.sync_as_found = true; }},
           {"tried",  // a record with these standbys, otherwise the same
            [&](auto& v) {
                w.seen.sync_uncertain = true;
                w.seen.sync_attempts.push_back(sync);
                w.seen.sync_attempts.back().standbys = names(v);
            }},
           {"noted", [&](auto& v) { w.seen.sync_noted_lsn = lsn(v); }}})
        .apply(words);
}

inline void set_control(ControlData& control, const std::string& text) {
    control.system_id = SystemId(1);
    control.timeline = Timeline{1};
    control.checkpoint = Lsn{0xf00};
    control.state = pick<ControlState>(text, {{"shut_down", ControlState::shut_down},
                                              {"shut_down_in_recovery", ControlState::shut_down_in_recovery},
                                              {"in_production", ControlState::in_production},
                                              {"in_archive_recovery", ControlState::in_archive_recovery}});
}

inline void set_postgres(World& w, const std::vector<std::string>& words) {
    PostgresState& pg = w.seen.pg;
    auto running = [&](std::optional<bool> in_recovery) {
        pg.postmaster = Postmaster::running;
        pg.in_recovery = in_recovery;
    };
    Words({{"primary", [&](auto&) { running(false); }},
           {"standby",
            [&](auto&) {
                running(true);
                pg.standby_configured = true;
            }},
           {"mute", [&](auto&) { running(std::nullopt); }},
           {"stuck",
            [&](auto&) {
                running(false);
                w.seen.wal_stands_still = true;
            }},
           {"starting", [&](auto&) { pg.postmaster = Postmaster::starting; }},
           {"stopping", [&](auto&) { pg.postmaster = Postmaster::stopping; }},
           {"down",
            [&](auto& v) {
                pg.system_id.reset();
                if (v != "unknown") set_control(pg.control.emplace(), v);
            }},
           {"crashed", [&](auto&) { pg.crashed = true; }},
           {"unregistered", [&](auto&) { pg.unregistered = true; }},
           {"half_rewound", [&](auto&) { pg.half_rewound = true; }},
           {"standby_signal", [&](auto&) { pg.standby_configured = true; }},
           {"checkpoint",
            [&](auto& v) {
                pg.control->checkpoint = wal(v).lsn;
                pg.control->timeline = wal(v).timeline;
            }},
           {"at",
            [&](auto& v) {
                pg.position = wal(v).lsn;
                pg.timeline = wal(v).timeline;
            }},
           {"knows", [&](auto& v) { pg.newest_timeline = Timeline{std::uint32_t(std::stoul(v))}; }},
           {"system", [&](auto& v) { pg.system_id = SystemId(std::stoull(v)); }},
           {"data",
            [&](auto& v) {
                pg.system_id.reset();
                pg.data = pick<DataDirectory>(v, {{"absent", DataDirectory::absent},
                                                  {"incomplete", DataDirectory::incomplete},
                                                  {"foreign", DataDirectory::foreign},
                                                  {"unreadable", DataDirectory::unreadable}});
            }},
           {"follows",
            [&](auto& v) {
                w.seen.following = MemberName(v);
                if (v == "?") w.seen.following.reset();
            }},
           {"streaming",
            [&](auto&) { pg.receiver = ReceiverState{.streaming = true, .timeline = pg.timeline}; }},
           {"names", [&](auto& v) { pg.synchronous_standby_names = v; }},
           {"streams_to",
            [&](auto& v) {
                for (auto& name : names(v))
                    pg.replication.push_back(
                        {.application_name = name.text(), .state = "streaming", .flush_lsn = pg.position});
            }}})
        .apply(words);
}

inline void set_running(World& w, std::vector<std::string> words) {
    RunningOperation running{pick(words.at(0), operations()), at(99), "test"};
    words.erase(words.begin());
    Words({{"primary", [&](auto&) { running.as_primary = true; }},
           {"since", [&](auto& v) { running.since = instant(v); }}})
        .apply(words);
    w.seen.running = running;
}

inline void set_finished(World& w, std::vector<std::string> words) {
    FinishedOperation finished{pick(words.at(0), operations()), "test", true, "", at(99)};
    words.erase(words.begin());
    Words({{"failed",
            [&](auto&) {
                finished.ok = false;
                finished.error = "why";
            }},
           {"may_retry", [&](auto&) { finished.may_retry = true; }},
           {"at", [&](auto& v) { finished.at = instant(v); }}})
        .apply(words);
    w.seen.finished = finished;
}

inline void set_round(World& w, const std::vector<std::string>& words) {
    w.seen.peers.complete = true;
    Words({{"asked", [&](auto& v) { w.seen.peers.asked = instant(v); }},
           {"open", [&](auto&) { w.seen.peers.complete = false; }}})
        .apply(words);
}

inline void set_answer(World& w, std::vector<std::string> words) {
    PeerAnswer answer{.reachable = true, .in_recovery = true, .position = {Timeline{1}, Lsn{0x1000}}};
    MemberName name(words.at(0));
    words.erase(words.begin());
    Words({{"unreachable", [&](auto&) { answer = {}; }},
           {"primary", [&](auto&) { answer.in_recovery = false; }},
           {"at", [&](auto& v) { answer.position = wal(v); }},
           {"down", [&](auto&) { answer.position = {}; }},
           {"nofailover", [&](auto&) { answer.nofailover = true; }},
           {"watchdog_failed", [&](auto&) { answer.watchdog_failed = true; }},
           {"bound", [&](auto&) { answer.failsafe_bound = true; }},
           {"unsure", [&](auto&) { answer.failsafe_unsure = true; }},
           {"priority", [&](auto& v) { answer.priority = std::stoi(v); }}})
        .apply(words);
    w.seen.peers.answers[name] = answer;
}

inline void set_upstream(World& w, std::vector<std::string> words) {
    UpstreamAnswer answer{.member = MemberName(words.at(0)),
                          .leader_revision = Revision(7),
                          .at = at(99.9),
                          .ok = true,
                          .system_id = SystemId(1),
                          .timeline = Timeline{1},
                          .position = Lsn{0x1000}};
    words.erase(words.begin());
    Words({{"timeline", [&](auto& v) { answer.timeline = Timeline{std::uint32_t(std::stoul(v))}; }},
           {"fork", [&](auto& v) { answer.switchpoints.emplace_back(wal(v).timeline, wal(v).lsn); }},
           {"system", [&](auto& v) { answer.system_id = SystemId(std::stoull(v)); }},
           {"recovering", [&](auto&) { answer.in_recovery = true; }},
           {"failed", [&](auto&) { answer.ok = false; }},
           {"at", [&](auto& v) { answer.at = instant(v); }},
           {"revision", [&](auto& v) { answer.leader_revision = Revision(std::stoll(v)); }}})
        .apply(words);
    w.seen.upstream = answer;
}

inline void set_memory(World& w, const std::vector<std::string>& words) {
    Memory& m = w.memory;
    Words({{"led", [&](auto&) { m.led = m.was_primary = true; }},
           {"was_primary", [&](auto&) { m.was_primary = true; }},
           {"initialized", [&](auto&) { m.seen_initialized = true; }},
           {"bootstrapping", [&](auto&) { m.bootstrapping = true; }},
           {"rewind",
            [&](auto& v) {
                m.rewind = pick(v, rewinds());
                m.rewind_for = Revision(7);
            }},
           {"rewind_for", [&](auto& v) { m.rewind_for = Revision(std::stoi(v)); }},
           {"recovering", [&](auto& v) { m.recovering_since = instant(v); }},
           {"mute", [&](auto& v) { m.mute_since = instant(v); }},
           {"unfit", [&](auto&) { m.unfit = true; }},
           {"failed_starts",
            [&](auto& v) {
                m.failed_starts = std::stoi(v);
                m.finished_seen = at(99);
            }},
           {"failed_clones", [&](auto& v) { m.failed_clones = std::stoi(v); }},
           {"failed_bootstraps", [&](auto& v) { m.failed_bootstraps = std::stoi(v); }},
           {"failed_rewinds", [&](auto& v) { m.failed_rewinds = std::stoi(v); }},
           {"retry",
            [&](auto& v) {
                m.retry_after = instant(v);
                m.finished_seen = at(99);
            }},
           {"unlocked", [&](auto& v) { m.unlocked_since = instant(v); }},
           {"promote_failed", [&](auto& v) { m.pre_promote_failed = instant(v); }},
           {"handing_over", [&](auto& v) { m.handing_over_to = MemberName(v); }},
           {"released", [&](auto& v) { m.handover_released = instant(v); }},
           {"claim_used", [&](auto&) { m.claim_used = Revision(8); }},
           {"checkpoint_due", [&](auto&) { m.checkpoint_due = true; }},
           {"paused", [&](auto&) { m.resumed = false; }},
           {"request_seen",
            [&](auto& v) {
                m.request_for = Revision(9);
                m.request_since = instant(v);
            }}})
        .apply(words);
}

inline void apply(World& world, const std::string& line) {
    using Verb = void (*)(World&, std::vector<std::string>);
    auto plain = []<auto F>() -> Verb {
        return [](World& w, std::vector<std::string> words) { F(w, words); };
    };
    static const std::map<std::string, Verb> verbs = {{"self", plain.operator()<set_self>()},
                                                      {"store", plain.operator()<set_store>()},
                                                      {"member", set_member},
                                                      {"config", plain.operator()<set_config>()},
                                                      {"lock", plain.operator()<set_lock>()},
                                                      {"failsafe", plain.operator()<set_failsafe>()},
                                                      {"request", plain.operator()<set_request>()},
                                                      {"sync", plain.operator()<set_sync>()},
                                                      {"pg", plain.operator()<set_postgres>()},
                                                      {"running", set_running},
                                                      {"finished", set_finished},
                                                      {"round", plain.operator()<set_round>()},
                                                      {"answer", set_answer},
                                                      {"upstream", set_upstream},
                                                      {"memory", plain.operator()<set_memory>()}};
    std::vector<std::string> words = split(line, ' ');
    std::erase(words, "");
    auto verb = verbs.find(words.at(0));
    if (verb == verbs.end()) throw std::runtime_error("unknown verb: " + line);
    words.erase(words.begin());
    verb->second(world, words);
}

}  // namespace pgherd::ha::testing
