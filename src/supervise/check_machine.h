// One health check: its counters, and the two changes it goes through for ever: "perform-check" until it has
// failed `threshold` times in a row, then "recover-check" until it succeeds again.
//
// Different from Pebble on purpose: while the check stays down, its failure is reported again after every
// further `threshold` failures, so that a restart that did not help is not the last one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "supervise/layer.h"

namespace pgherd::supervise {

enum class CheckStatus : std::uint8_t { up, down, inactive };
std::string_view to_string(CheckStatus status);

namespace check_effect {
struct LogError {
    std::string text;  // into the current task
};
struct LogInfo {
    std::string text;
};
// The current task fails with `error`; a recover-check change begins.
struct WentDown {
    std::string error;
};
// The current task is done; a perform-check change begins.
struct Recovered {};
// The services that watch this check act.
struct ActionsDue {};
}  // namespace check_effect
using CheckEffect = std::variant<check_effect::LogError, check_effect::LogInfo, check_effect::WentDown,
                                 check_effect::Recovered, check_effect::ActionsDue>;

class CheckMachine {
  public:
    CheckMachine(std::string name, Check config) : name_(std::move(name)), config_(std::move(config)) {}

    void start();  // counters at 0, up
    void stop();   // inactive
    // One run: nothing = success, else why it failed.
    std::vector<CheckEffect> result(const std::optional<std::string>& error);

    const std::string& name() const { return name_; }
    const Check& config() const { return config_; }
    CheckStatus status() const;
    bool active() const { return active_; }
    bool recovering() const { return recovering_; }
    std::uint64_t successes() const { return successes_; }  // since it is up
    std::uint64_t failures() const { return failures_; }    // in a row
    std::uint64_t total_successes() const { return total_successes_; }
    std::uint64_t total_failures() const { return total_failures_; }

    std::string summary() const;  // `Perform HTTP check "c"` or `Recover HTTP check "c"`

  private:
    std::string name_;
    Check config_;
    bool active_ = false;
    bool recovering_ = false;
    std::uint64_t successes_ = 0;
    std::uint64_t failures_ = 0;
    std::uint64_t total_successes_ = 0;
    std::uint64_t total_failures_ = 0;
};

}  // namespace pgherd::supervise
