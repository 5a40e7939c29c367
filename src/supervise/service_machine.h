// One service: which state it is in, and what an event makes of it.
//
// handle(event, now) changes the state and gives effects, in order, for the shell to carry out; time is data.
// A start counts as done when the process has lived for a second (the okay window). What happens after an
// exit is the action that the configuration of the *last start* names: a layer that changes it acts from the
// next start on, as in Pebble. Differences from Pebble, on purpose: a process that cannot be executed in
// back-off is tried again; the failure of a check during the okay window is not lost.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "supervise/layer.h"

namespace pgherd::supervise {

inline constexpr Duration kOkayWindow = std::chrono::seconds(1);
inline constexpr Duration kFailDelay = std::chrono::seconds(5);  // after SIGKILL

enum class ServiceState : std::uint8_t {
    initial,   // never started
    starting,  // in the okay window
    running,
    terminating,  // SIGTERM was sent
    killing,      // SIGKILL was sent
    stopped,
    backoff,
    exited,  // ended, and its action is to leave it so
};
std::string_view to_string(ServiceState state);

namespace service_event {
struct Start {
    Service config;
};
struct Spawned {};
struct SpawnFailed {
    std::string why;  // `exec: "a": executable file not found in $PATH`
};
struct Exited {
    int code = 0;  // 128+n for a signal
};
struct TimePassed {};  // the time that Arm named
struct Stop {};
struct AbortStart {};
struct CheckFailed {
    std::string check;
};
struct CheckRecovered {
    std::string check;
};
}  // namespace service_event
using ServiceEvent =
    std::variant<service_event::Start, service_event::Spawned, service_event::SpawnFailed,
                 service_event::Exited, service_event::TimePassed, service_event::Stop,
                 service_event::AbortStart, service_event::CheckFailed, service_event::CheckRecovered>;

namespace service_effect {
// Run the command; Spawned or SpawnFailed comes next, before any other event.
struct Spawn {};
// To the process group.
struct Signal {
    int number = 0;
};
// TimePassed at `when`, instead of an earlier Arm; nothing = no longer.
struct Arm {
    std::optional<Instant> when;
};
// The start or stop that was asked for has come to its end.
struct Finished {
    bool start = true;
    std::string error;         // empty = well
    std::string info;          // for the task's log
    bool with_output = false;  // add the service's last output
};
// End the supervisor with this exit code.
struct Shutdown {
    int code = 0;
    std::string why;
};
struct Note {
    bool error = false;
    std::string text;
};
}  // namespace service_effect
using ServiceEffect = std::variant<service_effect::Spawn, service_effect::Signal, service_effect::Arm,
                                   service_effect::Finished, service_effect::Shutdown, service_effect::Note>;

class ServiceMachine {
  public:
    // `jitter`: gives a number in [0, 1) for each back-off.
    using Jitter = double (*)(void* context);
    explicit ServiceMachine(std::string name, Jitter jitter = nullptr, void* context = nullptr)
        : name_(std::move(name)), jitter_(jitter), jitter_context_(context) {}

    std::vector<ServiceEffect> handle(const ServiceEvent& event, Instant now);

    const std::string& name() const { return name_; }
    ServiceState state() const { return state_; }
    // "active", "inactive", "backoff", "error".
    std::string_view current() const;
    // The configuration of the last start; nothing before it.
    const std::optional<Service>& started_with() const { return config_; }
    // A process exists, or will when its back-off is over.
    bool stoppable() const;
    bool startable() const;
    std::uint64_t starts() const { return starts_; }

  private:
    using Effects = std::vector<ServiceEffect>;

    void on(const service_event::Start& event, Instant now, Effects& effects);
    void on(const service_event::Spawned& event, Instant now, Effects& effects);
    void on(const service_event::SpawnFailed& event, Instant now, Effects& effects);
    void on(const service_event::Exited& event, Instant now, Effects& effects);
    void on(const service_event::TimePassed& event, Instant now, Effects& effects);
    void on(const service_event::Stop& event, Instant now, Effects& effects);
    void on(const service_event::AbortStart& event, Instant now, Effects& effects);
    void on(const service_event::CheckFailed& event, Instant now, Effects& effects);
    void on(const service_event::CheckRecovered& event, Instant now, Effects& effects);

    void exited_by_itself(int code, Instant now, Effects& effects);
    void terminate(Instant now, Effects& effects);
    void back_off(Instant now, Effects& effects);
    void act(std::string_view action, bool success, int shutdown_code, const std::string& why, Instant now,
             Effects& effects);
    void become_running(Instant now, Effects& effects);

    std::string name_;
    Jitter jitter_;
    void* jitter_context_;
    ServiceState state_ = ServiceState::initial;
    std::optional<Service> config_;
    Duration delay_{};                 // the last back-off
    Instant running_since_{};          // of this process
    bool spawning_again_ = false;      // Spawn out of back-off: no okay window
    bool restart_after_exit_ = false;  // a check's failure stopped it
    bool start_pending_ = false;
    bool stop_pending_ = false;
    bool exit_code_was_zero_ = false;
    std::set<std::string> failed_checks_;  // during the okay window
    std::uint64_t starts_ = 0;
};

}  // namespace pgherd::supervise
