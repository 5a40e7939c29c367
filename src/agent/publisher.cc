#include "agent/publisher.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "codec/records.h"
#include "ha/slots.h"

namespace pgherd::agent {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view kFailsafe = "failsafe";

MemberState member_state(const ha::Observation& seen) {
    if (seen.running) switch (seen.running->operation) {
            case ha::Operation::bootstrap: return MemberState::initdb;
            case ha::Operation::clone: return MemberState::creating_replica;
            case ha::Operation::start: return MemberState::starting;
            case ha::Operation::stop: return MemberState::stopping;
            case ha::Operation::restart: return MemberState::restarting;
            case ha::Operation::rewind:
            case ha::Operation::quarantine: return MemberState::stopped;
            case ha::Operation::promote:
            case ha::Operation::follow:
            case ha::Operation::reload:
            case ha::Operation::checkpoint: break;
        }
    switch (seen.pg.postmaster) {
        case Postmaster::running: return MemberState::running;
        case Postmaster::starting: return MemberState::starting;
        case Postmaster::stopping: return MemberState::stopping;
        case Postmaster::stopped: break;
    }
    if (seen.finished && seen.finished->operation == ha::Operation::start && !seen.finished->ok)
        return MemberState::start_failed;
    return seen.pg.crashed ? MemberState::crashed : MemberState::stopped;
}

Role member_role(const ha::Observation& seen, const ha::Memory& memory, const MemberName& self) {
    bool leads = seen.cluster && seen.cluster->led_by(self);
    if (seen.pg.primary()) return Role::primary;
    // What is being made a primary again, or runs and says nothing: nobody is to conclude that it does not
    // lead.
    bool returns = seen.running && seen.running->as_primary;
    bool mute = seen.pg.running() && !seen.pg.in_recovery && memory.was_primary;
    if (returns || mute) return Role::primary;
    if (seen.pg.standby()) return leads && seen.config.standby_cluster ? Role::standby_leader : Role::replica;
    if (seen.pg.data != DataDirectory::valid && seen.pg.data != DataDirectory::unreadable)
        return Role::uninitialized;
    if (memory.was_primary) return leads ? Role::primary : Role::demoted;
    return Role::replica;
}

std::string url(bool https, const Endpoint& at) {
    return fmt::format("{}://{}/patroni", https ? "https" : "http", to_string(at));
}

}  // namespace

Member describe_member(const AgentConfig& config, const ha::Observation& seen, const ha::Memory& memory,
                       const std::optional<ScheduledRestart>& scheduled) {
    const PostgresState& pg = seen.pg;
    Member member;
    member.name = config.name;
    member.conn_url = fmt::format("postgres://{}/postgres", to_string(config.postgres.connect_address));
    member.api_url = url(!config.restapi.tls.cert_file.empty(), config.restapi.connect_address);
    if (!config.postgres.proxy_address.host.empty())
        member.proxy_url = fmt::format("postgres://{}/postgres", to_string(config.postgres.proxy_address));
    member.state = member_state(seen);
    member.role = member_role(seen, memory, config.name);
    member.version = kPatroniVersion;
    member.tags = config.tags;
    member.pending_restart = !pg.pending_restart.empty();
    member.pending_restart_reason = pg.pending_restart;
    member.scheduled_restart = scheduled;
    member.pause = seen.config.pause;
    member.failsafe_votes = seen.config.failsafe_mode;
    if (pg.running() && pg.in_recovery) {
        member.xlog_location = pg.position;
        if (pg.timeline.known()) member.timeline = pg.timeline;
        if (*pg.in_recovery) {
            member.receive_lsn = pg.received;
            member.replay_lsn = pg.replayed;
            member.replication_state = pg.streaming()           ? "streaming"
                                       : pg.in_archive_recovery ? "in archive recovery"
                                                                : "";
        }
    }
    // Also while it is being promoted: who reads that it is a primary now must not rewind before it is one.
    if (member.role == Role::primary && (memory.checkpoint_due || !pg.primary()))
        member.checkpoint_after_promote = false;
    return member;
}

std::vector<HistoryLine> merge_history(const std::vector<HistoryLine>& published,
                                       const std::vector<HistoryLine>& timelines, WallTime now,
                                       const MemberName& leader, int limit) {
    std::vector<HistoryLine> merged;
    for (const HistoryLine& line : timelines) {
        auto known = std::ranges::find_if(published, [&](const HistoryLine& old) {
            return old.timeline == line.timeline && old.lsn == line.lsn;
        });
        merged.push_back(known == published.end() ? line : *known);
    }
    if (!merged.empty() && merged.back().timestamp.empty()) {
        merged.back().timestamp = to_iso(now);
        merged.back().leader = leader;
    }
    if (limit > 0 && merged.size() > std::size_t(limit)) merged.erase(merged.begin(), merged.end() - limit);
    return merged;
}

void Publisher::put(const std::string& key, std::string value, LeaseId lease) {
    const Record* record = mirror_.record(key);
    if (mirror_.writing(key) || (record && record->value == value && record->lease == lease)) return;
    mirror_.write({key, Always{}, std::move(value), lease}, 2s);
}

void Publisher::publish(AgentState& state) {
    if (!mirror_.view() || !mirror_.ok() || lease_.id().value() == 0) return;
    Instant now = clock_.now();
    bool positions_due = now - positions_written_ >= std::min<Duration>(state.seen.config.loop_wait, 10s);
    if (positions_due) positions_written_ = now;
    publish_member(state, positions_due);
    const auto& leader = state.seen.cluster->leader;
    if (leader && leader->name != state.config.name) listed_ = false;
    if (!state.leads() || !state.seen.pg.primary()) return;
    if (positions_due) publish_status(state);
    publish_history(state);
    publish_failsafe(state);
}

void Publisher::publish_member(AgentState& state, bool positions_due) {
    std::string key = "members/" + state.config.name.text();
    Member fixed = state.published;
    fixed.xlog_location = fixed.receive_lsn = fixed.replay_lsn = std::nullopt;
    std::string text = write_member(fixed);
    const Record* record = mirror_.record(key);
    bool moved = !record || record->lease != lease_.id();
    if (mirror_.writing(key) || !(moved || positions_due || text != last_member_)) return;
    last_member_ = std::move(text);
    put(key, write_member(state.published), lease_.id());
}

void Publisher::publish_status(const AgentState& state) {
    StatusRecord status;
    status.optime = state.seen.pg.position;
    for (const SlotState& slot : state.seen.pg.slots) {
        auto position = slot.logical ? slot.confirmed_flush_lsn : slot.restart_lsn;
        if (position && !slot.lost) status.slots[slot.name] = *position;
        if (!slot.logical) status.retain_slots.push_back(slot.name);
    }
    // Standbys keep a slot for this member too, for the day it follows one of them.
    if (state.seen.config.use_slots) status.slots[ha::slot_name(state.config.name)] = state.seen.pg.position;
    std::ranges::sort(status.retain_slots);
    put("status", write_status(status));
}

void Publisher::publish_final_position(Lsn position) {
    if (!mirror_.view() || mirror_.writing("status")) return;
    StatusRecord status = mirror_.view()->status;
    status.optime = position;
    put("status", write_status(status));
}

void Publisher::publish_history(const AgentState& state) {
    const auto& timelines = state.seen.pg.timeline_history;
    if (timelines.empty() || timelines.back().timeline >= state.seen.pg.timeline) return;
    auto merged = merge_history(state.seen.cluster->history, timelines, state.seen.wall, state.config.name,
                                state.seen.config.max_timelines_history);
    put("history", write_history(merged));
}

void Publisher::publish_failsafe(const AgentState& state) {
    if (!state.seen.config.failsafe_mode) return;
    std::map<MemberName, std::string> members;
    for (const auto& [name, member] : state.seen.cluster->members) members[name] = member.api_url;
    members[state.config.name] = state.published.api_url;
    const Record* record = mirror_.record(std::string(kFailsafe));
    std::string text = write_failsafe(members);
    bool as_written = failsafe_list_certain() && record->value == text;
    if (mirror_.writing(std::string(kFailsafe)) || as_written) return;
    Expectation expect = record ? Expectation(IfRevision{record->modified}) : Expectation(IfAbsent{});
    list_.clear();
    mirror_.write({std::string(kFailsafe), std::move(expect), text, {}}, 2s,
                  [this, text](Result<Revision> result) {
                      if (!result) return;
                      listed_ = true;
                      list_ = text;
                  });
}

void Publisher::leave_failsafe_list() {
    std::string key(kFailsafe);
    const Record* record = mirror_.record(key);
    if (!record || mirror_.writing(key)) return;
    auto members = mirror_.view()->failsafe;
    if (members.erase(self_) == 0) return;
    listed_ = false;
    mirror_.write({key, IfRevision{record->modified}, write_failsafe(members), {}}, 2s);
}

bool Publisher::failsafe_list_certain() const {
    const Record* record = mirror_.record(std::string(kFailsafe));
    return listed_ && record && record->value == list_;
}

}  // namespace pgherd::agent
