// Learning the state: files, the guard, and one SELECT. Whatever does not answer in time is left out.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "postgres/datadir.h"
#include "postgres/instance.h"

namespace pgherd::postgres {

namespace {

bool same_value(const std::string& a, const std::string& b) {
    if (iequals(a, b)) return true;
    const auto first = parse_int(a), second = parse_int(b);
    if (first && second) return *first == *second;
    const auto on = [](const std::string& text) {
        return iequals(text, "on") || iequals(text, "true") || iequals(text, "yes") || text == "1";
    };
    const auto off = [](const std::string& text) {
        return iequals(text, "off") || iequals(text, "false") || iequals(text, "no") || text == "0";
    };
    return (on(a) && on(b)) || (off(a) && off(b));
}

}  // namespace

Postmaster Instance::postmaster_state() {
    const guard::GuardStatus& status = guard_.status();
    if (status.phase == guard::PostmasterPhase::none) return Postmaster::stopped;
    if (status.phase == guard::PostmasterPhase::draining || stopping_) return Postmaster::stopping;
    const auto lock = read_lock_file(data_dir());
    // Not now: it is as it was, and one that was never seen is asked.
    if (!lock) return phase_.postmaster == status.postmaster_pid ? phase_.seen : Postmaster::running;
    const bool its_own = *lock && (*lock)->pid == status.postmaster_pid;
    const std::string said = its_own ? (*lock)->status : "";
    phase_ = {status.postmaster_pid, said == "ready" || said == "standby" ? Postmaster::running
                                     : said == "stopping"                 ? Postmaster::stopping
                                                                          : Postmaster::starting};
    return phase_.seen;
}

Status Instance::look_at_directory(PostgresState& state) const {
    PGHERD_TRY(state.data, examine(data_dir()));
    PGHERD_TRY(state.unregistered, is_there(unregistered_path(data_dir())));
    PGHERD_TRY(state.standby_configured, is_there(data_dir() + "/standby.signal"));
    PGHERD_TRY(const std::string interrupted, interrupted_operation(data_dir()));
    state.half_rewound = state.data == DataDirectory::incomplete && interrupted == "rewind";
    return {};
}

Status Instance::look_at_timelines(PostgresState& state) const {
    PGHERD_TRY(state.timeline_history, read_history(data_dir(), state.timeline));
    PGHERD_TRY(state.newest_timeline, newest_timeline(data_dir()));
    return {};
}

// Each reason once: it is seen every second.
void Instance::tell_unreadable(PostgresState& state, const Error& why) {
    state.data = DataDirectory::unreadable;
    if (std::exchange(told_unreadable_, why.message) != why.message)
        log_.warning("postgres-unreadable", "cannot look at the data directory: " + why.message);
}

Async<PostgresState> Instance::observe(Instant deadline) {
    if (gone()) {
        if (const auto pid = running_postmaster(data_dir()); pid && *pid) {
            const auto adopted = co_await adopt(**pid);
            if (!adopted) log_.warning("guard", adopted.error().message);
        }
    }
    PostgresState state;
    state.observed = boottime_now();
    if (const auto looked = look_at_directory(state); !looked) tell_unreadable(state, looked.error());
    state.postmaster = postmaster_state();
    state.ours = !gone() && !guard_.status().adopted;
    if (state.postmaster == Postmaster::stopped && state.data == DataDirectory::valid) {
        const auto control = co_await read_control();
        if (control)
            state.control = *control;
        else
            log_.warning("postgres-control", control.error().message);
        state.crashed = crashed_.value_or(true) && control && !control->clean_shutdown();
    } else if (state.postmaster != Postmaster::stopped || state.data != DataDirectory::unreadable) {
        state.control = control_;
    }
    if (state.running()) {
        const auto answered = co_await ask_server(state, deadline);
        if (!answered) log_.debug("postgres-silent", answered.error().message);
    }
    if (state.data != DataDirectory::unreadable) told_unreadable_.clear();
    co_return state;
}

Async<void> Instance::ask_server(PostgresState& state, Instant deadline) {
    // One long-lived session; a second question at the same time gets a short-lived one of its own.
    std::unique_ptr<Connection> own;
    const bool shared = !session_in_use_;
    if (shared) {
        session_in_use_ = true;
        own = std::move(session_);
    }
    struct GiveBack {
        Instance& instance;
        std::unique_ptr<Connection>& connection;
        bool shared;
        ~GiveBack() {
            if (!shared) return;
            instance.session_in_use_ = false;
            if (connection && connection->ok() && !instance.gone()) instance.session_ = std::move(connection);
        }
    } const give_back{*this, own, shared};
    if (!own || !own->ok()) {
        PGHERD_CO_TRY(own, co_await connect_local(deadline));
    }
    auto answer = co_await own->query(std::string(observation_query()), deadline);
    if (!answer && !own->ok() && boottime_now() < deadline) {  // the session was of an earlier postmaster
        PGHERD_CO_TRY(own, co_await connect_local(deadline));
        answer = co_await own->query(std::string(observation_query()), deadline);
    }
    if (!answer) co_return std::unexpected(std::move(answer).error());
    PGHERD_CO_TRY(const ServerFacts facts, read_observation(answer->at(0, "json_build_object"), state));
    may_be_primary_ = !*state.in_recovery;
    if (*state.in_recovery) {
        if (state.streaming())
            seen_timeline_ = std::max(seen_timeline_, state.timeline);
        else if (const auto replayed = co_await replayed_timeline(deadline))
            state.timeline = std::max(*replayed, seen_timeline_);
        else
            state.timeline = seen_timeline_;
    }
    if (const auto looked = look_at_timelines(state); !looked) tell_unreadable(state, looked.error());
    add_pending_restarts(facts, state);
    if (former_passwords_.empty()) co_return Status{};
    co_return co_await change_passwords(*own, state.streaming(), deadline);
}

// What IDENTIFY_SYSTEM says of a standby is the timeline that it replays; no SQL function tells it.
Async<Timeline> Instance::replayed_timeline(Instant deadline) {
    PGHERD_CO_TRY(const Table answer,
                  co_await query("IDENTIFY_SYSTEM", deadline, {{"replication", "database"}}));
    PGHERD_CO_TRY(const std::uint64_t timeline, parse_uint(answer.at(0, "timeline")));
    co_return Timeline{static_cast<std::uint32_t>(timeline)};
}

void Instance::add_pending_restarts(const ServerFacts& facts, PostgresState& state) const {
    RenderInput input = render_input();
    input.standby = state.in_recovery.value_or(false);
    const Parameters file = file_parameters(input);
    const Parameters line = wanted_command_line(input);
    for (const auto& [name, present] : facts.pending) {
        const auto wanted = file.find(name);
        state.pending_restart[name] = {present, wanted == file.end() ? std::string("?") : wanted->second};
    }
    for (const auto& [name, wanted] : line) {
        const auto present = facts.settings.find(name);
        if (present != facts.settings.end() && !same_value(present->second, wanted))
            state.pending_restart[name] = {present->second, wanted};
    }
}

}  // namespace pgherd::postgres
