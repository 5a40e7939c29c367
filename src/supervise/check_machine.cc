#include "supervise/check_machine.h"

#include <fmt/format.h>

#include "supervise/go_text.h"

namespace pgherd::supervise {

std::string_view to_string(CheckStatus status) {
    switch (status) {
        case CheckStatus::up: return "up";
        case CheckStatus::down: return "down";
        case CheckStatus::inactive: return "inactive";
    }
    return "inactive";
}

void CheckMachine::start() {
    active_ = true;
    recovering_ = false;
    successes_ = failures_ = 0;
}

void CheckMachine::stop() {
    start();
    active_ = false;
}

CheckStatus CheckMachine::status() const {
    if (!active_) return CheckStatus::inactive;
    return recovering_ ? CheckStatus::down : CheckStatus::up;
}

std::string CheckMachine::summary() const {
    return fmt::format("{} {} check {}", recovering_ ? "Recover" : "Perform", config_.kind(),
                       go_quote(name_));
}

std::vector<CheckEffect> CheckMachine::result(const std::optional<std::string>& error) {
    using namespace check_effect;
    std::vector<CheckEffect> effects;
    if (!active_) return effects;
    const auto threshold = static_cast<std::uint64_t>(config_.effective_threshold());
    if (!error) {
        ++total_successes_;
        if (recovering_) {
            recovering_ = false;
            successes_ = 0;
            effects.push_back(Recovered{});
        } else if (failures_ > 0) {
            effects.push_back(
                LogInfo{fmt::format("succeeded after {} failure{}", failures_, failures_ == 1 ? "" : "s")});
        }
        failures_ = 0;
        ++successes_;
        return effects;
    }
    ++total_failures_;
    ++failures_;
    if (recovering_ || failures_ < threshold) {
        effects.push_back(LogError{*error});
    } else {
        recovering_ = true;
        successes_ = 0;
        effects.push_back(WentDown{*error});
    }
    if (failures_ % threshold == 0) effects.push_back(ActionsDue{});
    return effects;
}

}  // namespace pgherd::supervise
