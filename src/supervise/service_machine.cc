#include "supervise/service_machine.h"

#include <algorithm>
#include <array>
#include <csignal>

#include <fmt/format.h>

#include "supervise/go_text.h"

namespace pgherd::supervise {
namespace {

using namespace service_effect;

constexpr std::array<std::string_view, 8> kStateNames{"initial", "starting", "running", "terminating",
                                                      "killing", "stopped",  "backoff", "exited"};
constexpr double kMaxJitter = 0.1;
// Exit codes of the supervisor.
constexpr int kSuccess = 0;
constexpr int kServiceFailed = 10;
constexpr int kCheckFailed = 11;

std::string_view or_restart(const std::string& action) {
    return action.empty() ? std::string_view("restart") : std::string_view(action);
}

// `delay` times `factor`, at the most `limit`: a product of doubles does not overflow.
Duration grown(Duration delay, double factor, Duration limit) {
    const double next = static_cast<double>(delay.count()) * factor;
    return next < static_cast<double>(limit.count()) ? Duration(static_cast<Duration::rep>(next)) : limit;
}

}  // namespace

std::string_view to_string(ServiceState state) {
    return kStateNames[static_cast<std::size_t>(state)];
}

std::vector<ServiceEffect> ServiceMachine::handle(const ServiceEvent& event, Instant now) {
    Effects effects;
    std::visit([&](const auto& what) { on(what, now, effects); }, event);
    return effects;
}

std::string_view ServiceMachine::current() const {
    switch (state_) {
        case ServiceState::starting:
        case ServiceState::running: return "active";
        case ServiceState::backoff: return "backoff";
        case ServiceState::exited: return exit_code_was_zero_ ? "inactive" : "error";
        case ServiceState::initial:
        case ServiceState::terminating:
        case ServiceState::killing:
        case ServiceState::stopped: return "inactive";
    }
    return "inactive";
}

bool ServiceMachine::stoppable() const {
    return state_ == ServiceState::starting || state_ == ServiceState::running ||
           state_ == ServiceState::backoff || state_ == ServiceState::terminating ||
           state_ == ServiceState::killing;
}

bool ServiceMachine::startable() const {
    return state_ == ServiceState::initial || state_ == ServiceState::stopped ||
           state_ == ServiceState::backoff || state_ == ServiceState::exited;
}

void ServiceMachine::on(const service_event::Start& event, Instant, Effects& effects) {
    switch (state_) {
        case ServiceState::starting:
        case ServiceState::running:
            effects.push_back(Finished{.info = fmt::format("Service {} already started.", go_quote(name_))});
            return;
        case ServiceState::terminating:
        case ServiceState::killing:
            effects.push_back(Finished{.error = "cannot start service while terminating"});
            return;
        case ServiceState::initial:
        case ServiceState::stopped:
        case ServiceState::backoff:
        case ServiceState::exited: break;
    }
    config_ = event.config;
    delay_ = Duration{};
    failed_checks_.clear();
    spawning_again_ = false;
    start_pending_ = true;
    effects.push_back(Arm{});
    state_ = ServiceState::starting;
    effects.push_back(Spawn{});
}

void ServiceMachine::on(const service_event::Spawned&, Instant now, Effects& effects) {
    ++starts_;
    running_since_ = now;
    if (spawning_again_) return become_running(now, effects);
    effects.push_back(Arm{now + kOkayWindow});
}

void ServiceMachine::on(const service_event::SpawnFailed& event, Instant now, Effects& effects) {
    if (spawning_again_) {
        // The binary may come back (an upgrade replaces it): go on trying.
        effects.push_back(
            Note{true, fmt::format("Service {} cannot be started: {}", go_quote(name_), event.why)});
        return back_off(now, effects);
    }
    state_ = ServiceState::stopped;
    start_pending_ = false;
    effects.push_back(Finished{.error = "cannot start service: " + event.why});
}

void ServiceMachine::become_running(Instant now, Effects& effects) {
    state_ = ServiceState::running;
    effects.push_back(Arm{});
    if (std::exchange(start_pending_, false)) effects.push_back(Finished{});
    if (failed_checks_.empty()) return;
    const std::string check = *failed_checks_.begin();
    failed_checks_.clear();
    on(service_event::CheckFailed{check}, now, effects);
}

void ServiceMachine::on(const service_event::TimePassed&, Instant now, Effects& effects) {
    switch (state_) {
        case ServiceState::starting: return become_running(now, effects);
        case ServiceState::backoff:
            spawning_again_ = true;
            state_ = ServiceState::starting;
            effects.push_back(Spawn{});
            return;
        case ServiceState::terminating:
            state_ = ServiceState::killing;
            effects.push_back(Signal{SIGKILL});
            effects.push_back(Arm{now + kFailDelay});
            return;
        case ServiceState::killing:
            effects.push_back(Arm{});
            if (std::exchange(stop_pending_, false))
                effects.push_back(Finished{
                    .start = false,
                    .error = "cannot stop service: process still running after SIGTERM and SIGKILL"});
            return;
        case ServiceState::initial:
        case ServiceState::running:
        case ServiceState::stopped:
        case ServiceState::exited: return;
    }
}

void ServiceMachine::terminate(Instant now, Effects& effects) {
    state_ = ServiceState::terminating;
    effects.push_back(Signal{SIGTERM});
    effects.push_back(Arm{now + config_->effective_kill_delay()});
}

void ServiceMachine::on(const service_event::Stop&, Instant now, Effects& effects) {
    const auto already = [&](std::string_view what) {
        effects.push_back(
            Finished{.start = false, .info = fmt::format("Service {} {}", go_quote(name_), what)});
    };
    switch (state_) {
        case ServiceState::initial: return already("has never been started.");
        case ServiceState::stopped: return already("already stopped.");
        case ServiceState::exited: state_ = ServiceState::stopped; return already("had already exited.");
        case ServiceState::terminating:
        case ServiceState::killing:
            restart_after_exit_ = false;
            if (stop_pending_) return already("already stopping.");
            stop_pending_ = true;
            return;
        case ServiceState::backoff:
            state_ = ServiceState::stopped;
            effects.push_back(Arm{});
            effects.push_back(Finished{.start = false});
            return;
        case ServiceState::starting:
            if (std::exchange(start_pending_, false))
                effects.push_back(
                    Finished{.error = "service start attempt: stopped before the 1s okay delay"});
            break;
        case ServiceState::running: break;
    }
    stop_pending_ = true;
    restart_after_exit_ = false;
    failed_checks_.clear();
    terminate(now, effects);
}

void ServiceMachine::on(const service_event::AbortStart&, Instant now, Effects& effects) {
    if (!start_pending_) return;
    start_pending_ = false;
    effects.push_back(Finished{.error = "start aborted"});
    state_ = ServiceState::killing;
    effects.push_back(Signal{SIGKILL});
    effects.push_back(Arm{now + kFailDelay});
}

void ServiceMachine::on(const service_event::Exited& event, Instant now, Effects& effects) {
    switch (state_) {
        case ServiceState::starting:
        case ServiceState::running: return exited_by_itself(event.code, now, effects);
        case ServiceState::terminating:
        case ServiceState::killing:
            effects.push_back(Arm{});
            if (std::exchange(restart_after_exit_, false)) return back_off(now, effects);
            state_ = ServiceState::stopped;
            if (std::exchange(stop_pending_, false)) effects.push_back(Finished{.start = false});
            return;
        case ServiceState::initial:
        case ServiceState::stopped:
        case ServiceState::backoff:
        case ServiceState::exited: return;
    }
}

void ServiceMachine::exited_by_itself(int code, Instant now, Effects& effects) {
    const bool success = code == 0;
    exit_code_was_zero_ = success;
    const std::string_view action = or_restart(success ? config_->on_success : config_->on_failure);
    if (std::exchange(start_pending_, false)) {
        effects.push_back(
            Finished{.error = fmt::format("service start attempt: exited quickly with code {}, will {}", code,
                                          action == "restart"  ? "restart"
                                          : action == "ignore" ? "not restart"
                                                               : "shut down"),
                     .with_output = true});
    }
    effects.push_back(
        Note{!success, fmt::format("Service {} stopped unexpectedly with code {}", go_quote(name_), code)});
    failed_checks_.clear();
    // A run that lasted proves that the service works: the next failure is a first one again.
    if (now - running_since_ >= config_->effective_backoff_limit()) delay_ = Duration{};
    act(action, success, kServiceFailed, fmt::format("service {} exited with code {}", go_quote(name_), code),
        now, effects);
}

void ServiceMachine::act(std::string_view action, bool success, int failure_code, const std::string& why,
                         Instant now, Effects& effects) {
    if (action == "restart") return back_off(now, effects);
    effects.push_back(Arm{});
    state_ = ServiceState::exited;
    if (action == "ignore") return;
    const bool well = action == "success-shutdown" || (action == "shutdown" && success);
    effects.push_back(Shutdown{well ? kSuccess : failure_code, why});
}

void ServiceMachine::back_off(Instant now, Effects& effects) {
    const Duration limit = config_->effective_backoff_limit();
    if (delay_ == Duration{})
        delay_ = config_->effective_backoff_delay();
    else
        delay_ = grown(delay_, config_->effective_backoff_factor(), limit);
    delay_ = std::min(delay_, limit);
    const double jitter = jitter_ ? jitter_(jitter_context_) * kMaxJitter : 0.0;
    const auto extra = static_cast<Duration::rep>(static_cast<double>(delay_.count()) * jitter);
    const Duration wait = delay_ + Duration(extra);
    state_ = ServiceState::backoff;
    effects.push_back(
        Note{false, fmt::format("Service {} will be restarted in {}", go_quote(name_),
                                go_duration(std::chrono::floor<std::chrono::milliseconds>(wait)))});
    effects.push_back(Arm{now + wait});
}

void ServiceMachine::on(const service_event::CheckFailed& event, Instant now, Effects& effects) {
    if (!config_) return;
    const auto found = config_->on_check_failure.find(event.check);
    if (found == config_->on_check_failure.end() || found->second == "ignore") return;
    if (state_ == ServiceState::starting) {
        failed_checks_.insert(event.check);
        return;
    }
    const bool alive = state_ == ServiceState::running;
    if (!alive && state_ != ServiceState::backoff && state_ != ServiceState::exited) return;
    if (found->second != "restart") {
        effects.push_back(
            Shutdown{found->second == "success-shutdown" ? kSuccess : kCheckFailed,
                     fmt::format("check {} of service {} failed", go_quote(event.check), go_quote(name_))});
        return;
    }
    effects.push_back(
        Note{true, fmt::format("Service {} on-check-failure action is \"restart\", check {} failed",
                               go_quote(name_), go_quote(event.check))});
    if (state_ == ServiceState::backoff) return;  // it is on its way
    if (!alive) return back_off(now, effects);
    restart_after_exit_ = true;
    terminate(now, effects);
}

void ServiceMachine::on(const service_event::CheckRecovered& event, Instant, Effects&) {
    failed_checks_.erase(event.check);
}

}  // namespace pgherd::supervise
