#include "agent/requests.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/dynamic_config.h"
#include "codec/json.h"
#include "codec/records.h"
#include "ha/failsafe.h"

namespace pgherd::agent {

using namespace std::chrono_literals;

namespace {
constexpr Duration kWriteLimit = 5s;
constexpr std::string_view kFailover = "failover";
constexpr std::string_view kConfig = "config";

std::string_view verb(const FailoverRequest& request) {
    return request.leader.empty() ? "failover" : "switchover";
}
std::string_view Verb(const FailoverRequest& request) {
    return request.leader.empty() ? "Failover" : "Switchover";
}
}  // namespace

Requests::Requests(AgentState& state, StoreMirror& mirror, Instance& instance, Clock& clock, Log& log)
    : state_(state), mirror_(mirror), instance_(instance), clock_(clock), log_(log) {}

void Requests::step() {
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        auto answer = outcome(*it);
        if (answer) it->answer(std::move(*answer));
        it = answer ? waiting_.erase(it) : std::next(it);
    }
    if (instance_.running()) return;
    if (reinitialize_due_) return begin_reinitialize();
    if (clone_from_leader_ && instance_.state().running()) clone_from_leader_ = false;
    begin_scheduled_restart();
}

// Data may go only while another member leads, and while nobody counts on it.
void Requests::begin_reinitialize() {
    auto view = mirror_.view();
    const MemberName& self = state_.config.name;
    bool another_leads = view && mirror_.ok() && !view->unlocked() && !view->led_by(self);
    bool counted_on =
        view && (view->sync.contains(self) || view->sync.leader == self) && !reinitialize_forced_;
    if (another_leads && !counted_on) {
        reinitialize_due_ = false;
        return instance_.run(ha::Operation::quarantine, "reinitialize",
                             [this](Postgres& postgres, Done<void> done) {
                                 postgres.stop(
                                     StopMode::fast, false, clock_.now() + 30s, [] {},
                                     scope_.guard([&postgres, done = std::move(done)](Status) mutable {
                                         postgres.quarantine(std::move(done));
                                     }));
                             });
    }
    bool leads = view && view->led_by(self);
    if (!leads && clock_.now() < reinitialize_until_) return;
    reinitialize_due_ = false;
    log_.error("reinitialize", fmt::format("cannot reinitialize: {}",
                                           leads        ? "this member has become the leader"
                                           : counted_on ? "this member still counts as synchronous, and the "
                                                          "leader does not replace it (force does it anyway)"
                                                        : "no other member leads"));
}

// --- configuration
// -----------------------------------------------------------------------------------------------------

void Requests::patch_config(JsonObject patch, Answer answer) {
    const Record* record = mirror_.record(std::string(kConfig));
    auto document = record ? parse_json_object(record->value)
                           : fail(ErrorCode::not_found, "no configuration in the store");
    if (!document) return answer({503, "cannot change the configuration: " + document.error().message});
    if (!merge_patch(*document, patch)) return answer({200, to_text(*document)});
    write_config(std::move(*document), IfRevision{record->modified}, std::move(answer));
}

void Requests::put_config(JsonObject document, Answer answer) {
    write_config(std::move(document), Always{}, std::move(answer));
}

void Requests::write_config(JsonObject document, Expectation expect, Answer answer) {
    if (auto understood = parse_dynamic_config(document); !understood)
        return answer({400, "cannot accept the configuration: " + understood.error().message});
    std::string key(kConfig);
    if (mirror_.writing(key)) return answer({409, "another change of the configuration is under way"});
    std::string text = to_text(document);
    mirror_.write({key, std::move(expect), text, {}}, kWriteLimit,
                  [text, answer = std::move(answer)](Result<Revision> result) mutable {
                      if (result)
                          answer({200, text});
                      else if (result.error().code == ErrorCode::conflict)
                          answer({409, "the configuration was changed by somebody else meanwhile"});
                      else
                          answer({502, "cannot write the configuration: " + result.error().message});
                  });
}

// --- switchover and failover
// -------------------------------------------------------------------------------------------

std::optional<CommandAnswer> Requests::refuse_switchover(const FailoverRequest& request) const {
    auto view = mirror_.view();
    if (!view || !mirror_.ok())
        return CommandAnswer{503, "the store cannot be reached, so nothing can be handed over"};
    bool paused = view->config && view->config->pause;
    if (paused && request.scheduled_at)
        return CommandAnswer{400, fmt::format("Can't schedule {} in the paused state", verb(request))};
    if (paused && request.candidate.empty())
        return CommandAnswer{
            400, fmt::format("{} is possible only to a specific candidate in a paused state", Verb(request))};
    if (!request.leader.empty() && !view->led_by(request.leader))
        return CommandAnswer{412, "leader name does not match"};
    bool to_sync =
        !request.leader.empty() && view->config && view->config->synchronous_mode != SynchronousMode::off;
    if (!request.candidate.empty()) {
        const Member* candidate = view->member(request.candidate);
        if (view->led_by(request.candidate)) return CommandAnswer{400, "the candidate is the leader already"};
        if (!candidate) return CommandAnswer{412, "candidate does not exists"};
        if (to_sync && !view->sync.contains(request.candidate))
            return CommandAnswer{412, "candidate name does not match with sync_standby"};
        if (!candidate->tags.may_lead())
            return CommandAnswer{412, "the candidate has a tag that forbids it to lead"};
        return std::nullopt;
    }
    if (to_sync && view->sync.standbys.empty())
        return CommandAnswer{412,
                             fmt::format("{} is not possible: can not find sync_standby", verb(request))};
    bool others = std::ranges::any_of(view->members, [&](const auto& entry) {
        return !view->led_by(entry.first) && entry.second.tags.may_lead();
    });
    if (!others)
        return CommandAnswer{
            412,
            fmt::format("{} is not possible: cluster does not have members except leader", verb(request))};
    return std::nullopt;
}

void Requests::switchover(FailoverRequest request, Answer answer) {
    if (auto refusal = refuse_switchover(request)) return answer(std::move(*refusal));
    std::string key(kFailover);
    if (mirror_.writing(key)) return answer({503, "another request is being written"});
    auto view = mirror_.view();
    MemberName old_leader = view->leader ? view->leader->name : MemberName();
    auto patience = 2 * std::max<Duration>(10s, state_.seen.config.loop_wait);
    waiting_.push_back({request, old_leader, clock_.now() + patience, false, std::move(answer)});
    auto entry = std::prev(waiting_.end());
    mirror_.write(
        {key, Always{}, write_failover(request), {}}, kWriteLimit, [this, entry](Result<Revision> result) {
            entry->written = result.has_value();
            if (result && !entry->request.scheduled_at) return;
            CommandAnswer reply =
                result
                    ? CommandAnswer{202, fmt::format("{} scheduled", Verb(entry->request))}
                    : CommandAnswer{503, "failed to write failover key into DCS: " + result.error().message};
            entry->answer(std::move(reply));
            waiting_.erase(entry);
        });
}

// Nothing while it is not known yet.
std::optional<CommandAnswer> Requests::outcome(const Waiting& waiting) const {
    if (!waiting.written) return std::nullopt;
    auto view = mirror_.view();
    const MemberName& wanted = waiting.request.candidate;
    std::string_view past = waiting.request.leader.empty() ? "failed" : "switched";
    if (!view->unlocked() && !view->led_by(waiting.old_leader)) {
        const std::string& leader = view->leader->name.text();
        if (wanted.empty() || view->led_by(wanted))
            return CommandAnswer{200, fmt::format("Successfully {} over to \"{}\"", past, leader)};
        return CommandAnswer{
            200, fmt::format("{} over to \"{}\" instead of \"{}\"", past == "failed" ? "Failed" : "Switched",
                             leader, wanted.text())};
    }
    bool still_there = mirror_.record(std::string(kFailover)) != nullptr;
    if (!still_there && view->led_by(waiting.old_leader))
        return CommandAnswer{503, fmt::format("{} failed{}", Verb(waiting.request),
                                              state_.leads() ? ": " + state_.request_refusal : "")};
    if (clock_.now() >= waiting.until)
        return CommandAnswer{
            503, fmt::format("{} status unknown after {}; see the list of members", Verb(waiting.request),
                             to_text(2 * std::max<Duration>(10s, state_.seen.config.loop_wait)))};
    return std::nullopt;
}

void Requests::cancel_switchover(Answer answer) {
    auto view = mirror_.view();
    std::string key(kFailover);
    if (!view || !view->failover || !view->failover->scheduled_at)
        return answer({404, "no pending scheduled switchover"});
    if (mirror_.writing(key)) return answer({409, "another request is being written"});
    mirror_.write({key, IfRevision{view->failover->modified}, std::nullopt, {}}, kWriteLimit,
                  [answer = std::move(answer)](Result<Revision> result) mutable {
                      answer(result ? CommandAnswer{200, "scheduled switchover deleted"}
                                    : CommandAnswer{409, "cannot delete the scheduled switchover: " +
                                                             result.error().message});
                  });
}

// --- restart, reinitialise, reload
// -------------------------------------------------------------------------------------

std::optional<CommandAnswer> Requests::refuse_restart(const RestartRequest& request) const {
    const PostgresState& pg = instance_.state();
    bool primary = pg.primary();
    bool wrong_role = request.role && (*request.role == Role::replica) == primary;
    bool not_pending = request.restart_pending && pg.pending_restart.empty();
    bool new_enough = false;
    if (!request.postgres_version.empty()) {
        auto parts = split(request.postgres_version, '.');
        std::int64_t wanted = parse_int(parts[0]).value_or(0) * 10000 +
                              (parts.size() > 1 ? parse_int(parts[1]).value_or(0) : 0);
        new_enough = pg.server_version >= wanted;
    }
    if (wrong_role || not_pending || new_enough)
        return CommandAnswer{503, "restart conditions are not satisfied"};
    return std::nullopt;
}

void Requests::restart(RestartRequest request, Answer answer) {
    if (request.schedule) {
        if (state_.paused()) return answer({500, "Can't schedule restart in the paused state"});
        if (state_.scheduled_restart) return answer({409, "Another restart is already scheduled"});
        const auto& started = instance_.state().postmaster_start_time;
        state_.scheduled_restart =
            ScheduledRestart{*request.schedule, started ? to_iso_with_blank(*started) : "",
                             request.role,      request.postgres_version,
                             request.timeout,   request.restart_pending};
        return answer({202, "Restart scheduled"});
    }
    begin_restart(request, "restart-requested", std::move(answer));
}

void Requests::begin_restart(const RestartRequest& request, std::string_view rule, Answer answer) {
    if (auto refusal = refuse_restart(request)) return answer(std::move(*refusal));
    if (const auto& running = instance_.running())
        return answer({503, fmt::format("{} already in progress", ha::to_string(running->operation))});
    const PostgresState& pg = instance_.state();
    if (pg.postmaster == Postmaster::starting) return answer({503, "postgres is still starting"});
    if (pg.postmaster == Postmaster::stopped && pg.data == DataDirectory::unreadable)
        return answer({503, "cannot restart: the data directory cannot be read now"});
    // A primary that is down (it has handed over, say) would start as what it was.
    bool was_primary =
        pg.postmaster == Postmaster::stopped && pg.data == DataDirectory::valid && !pg.standby_configured;
    bool as_primary = pg.primary() || was_primary;
    if (as_primary && !state_.serves_as_leader() && !state_.paused())
        return answer({503, "cannot restart the primary: this member does not hold the leader lock"});
    Duration timeout = request.timeout.value_or(state_.seen.config.primary_start_timeout);
    if (timeout <= Duration::zero()) timeout = 60s;
    instance_.run(
        ha::Operation::restart, rule,
        [timeout](Postgres& postgres, Done<void> done) { postgres.restart(timeout, std::move(done)); },
        as_primary,
        [answer = std::move(answer)](Status result) mutable {
            answer(result ? CommandAnswer{200, "restarted successfully"}
                          : CommandAnswer{503, "restart failed: " + result.error().message});
        });
}

void Requests::begin_scheduled_restart() {
    auto& scheduled = state_.scheduled_restart;
    if (!scheduled || state_.paused() || clock_.wall() < scheduled->at) return;
    ScheduledRestart due = *std::exchange(scheduled, std::nullopt);
    const auto& started = instance_.state().postmaster_start_time;
    if (!due.postmaster_start_time.empty() &&
        (!started || to_iso_with_blank(*started) != due.postmaster_start_time))
        return;
    begin_restart(
        {std::nullopt, due.role, due.postgres_version, due.timeout, due.restart_pending}, "restart-scheduled",
        scope_.guard([this](CommandAnswer result) { log_.info("scheduled-restart", result.text); }));
}

void Requests::cancel_restart(Answer answer) {
    if (!state_.scheduled_restart) return answer({404, "no restarts are scheduled"});
    state_.scheduled_restart.reset();
    answer({200, "scheduled restart deleted"});
}

void Requests::reload(Answer answer) {
    if (on_reload) clock_.post(scope_.guard([this] { on_reload(); }));
    answer({202, "reload scheduled"});
}

void Requests::reinitialize(bool force, bool from_leader, Answer answer) {
    auto view = mirror_.view();
    if (!view || view->unlocked()) return answer({503, "Cluster has no leader, can not reinitialize"});
    if (view->led_by(state_.config.name)) return answer({503, "I am the leader, can not reinitialize"});
    if (instance_.state().data == DataDirectory::foreign)
        return answer(
            {503, "The data directory holds something that is no PostgreSQL instance, can not reinitialize"});
    if (const auto& running = instance_.running(); (running && !force) || reinitialize_due_)
        return answer({503, fmt::format("{} already in progress",
                                        running ? ha::to_string(running->operation) : "reinitialize")});
    reinitialize_due_ = true;
    reinitialize_forced_ = force;
    reinitialize_until_ = clock_.now() + std::max<Duration>(10s, 3 * state_.seen.config.loop_wait);
    clone_from_leader_ = from_leader;
    answer({200, "reinitialize started"});
}

// --- failsafe
// ----------------------------------------------------------------------------------------------------------

Result<FailsafeAnswer> Requests::failsafe(const FailsafeMessage& message) {
    if (!state_.seen.config.failsafe_mode) return fail(ErrorCode::invalid, "failsafe mode is off");
    if (state_.leads() || instance_.state().primary())
        return fail(ErrorCode::conflict, "Running as a leader");
    auto view = mirror_.view();
    if (view && mirror_.ok() && !view->unlocked() && !view->led_by(message.name) &&
        view->leader->modified > message.leadership)
        return fail(ErrorCode::conflict, view->leader->name.text() + " leads");
    Instant now = clock_.now();
    // Who counts on an earlier confirmation may do so until its end.
    failsafe_leader_ = message.name;
    failsafe_leader_until_ =
        std::max(failsafe_leader_until_, now + std::max(state_.seen.config.ttl, message.ttl));
    // A candidate may ask before the next observation.
    state_.seen.failsafe_leader = failsafe_leader_;
    state_.seen.failsafe_leader_until = failsafe_leader_until_;
    bool voted = now < std::max(voted_until_, state_.started + ha::kVoteIsKept);
    return FailsafeAnswer{instance_.state().position, voted};
}

void Requests::asked_by_candidate() {
    if (!state_.bound_in_failsafe() && !state_.unsure_in_failsafe())
        voted_until_ = clock_.now() + ha::kVoteIsKept;
}

}  // namespace pgherd::agent
