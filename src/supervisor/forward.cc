#include "supervisor/forward.h"

#include <algorithm>

#include <fmt/format.h>

namespace pgherd::supervisor {

namespace {

constexpr std::size_t kQueueBytes = 1024 * 1024;
constexpr std::size_t kReadBytes = 32 * 1024;
constexpr std::size_t kBatch = 100;

}  // namespace

class LogForwarding::Target {
  public:
    Target(LogForwarding& owner, std::string name)
        : owner_(owner), name_(std::move(name)), reader_(owner.hub_, {}), queue_(kQueueBytes) {
        listen();
    }

    void configure(const supervise::LogTarget& target, std::map<std::string, LogLabels> labels) {
        if (!sender_ || target.type != target_.type || target.location != target_.location) {
            // The batch on its way may or may not arrive at the old place; it is sent to the new one.
            sender_ = make_forward_sender(owner_.loop_, target.type, target.location);
            sending_ = false;
            retry_ = {};
            reachable_ = true;
        }
        target_ = target;
        labels_ = std::move(labels);
        if (!batch_.empty() || !queue_.empty()) schedule({});
    }

    void send_all() {
        hurry_ = true;
        last_try_ = !reachable_;
        take_lines();
        send();
    }
    // There is nothing left to send, or nobody to send it to.
    bool finished() const {
        return gave_up_ || (!sending_ && batch_.empty() && queue_.empty() && !reader_.behind());
    }

  private:
    void listen() {
        reader_.when_readable([this] {
            take_lines();
            listen();
        });
    }
    void take_lines() {
        reader_.read(kReadBytes, [this](std::string_view service, const LogLine& line) {
            if (target_.wants(service))
                queue_.push({std::string(service), line.time, std::string(line.text)});
        });
        if (sending_ || (queue_.empty() && batch_.empty())) return;
        if (batch_.empty() && (queue_.size() >= kBatch || hurry_))
            send();
        else if (!timer_)
            schedule(owner_.pace_.batch);
    }
    void schedule(Duration delay) {
        timer_ = owner_.loop_.clock().call_at(owner_.loop_.clock().now() + delay, [this] {
            timer_.reset();
            send();
        });
    }
    void send() {
        if (sending_ || !sender_) return;
        if (batch_.empty()) batch_ = queue_.take(kBatch);
        if (batch_.empty()) return;
        timer_.reset();
        sending_ = true;
        sender_->send(
            batch_, [this](const std::string& service) -> const LogLabels& { return labels_[service]; },
            [this](Delivery what, const std::string& why) { delivered(what, why); });
    }
    void delivered(Delivery what, const std::string& why) {
        sending_ = false;
        report(what, why);
        if (what == Delivery::unavailable) {
            gave_up_ = last_try_;
            retry_ = retry_ == Duration{} ? owner_.pace_.first_retry
                                          : std::min(retry_ * 2, owner_.pace_.last_retry);
            schedule(retry_);
        } else {
            retry_ = {};
            batch_.clear();
            if (queue_.size() >= kBatch || (hurry_ && !queue_.empty()))
                send();
            else if (!queue_.empty())
                schedule(owner_.pace_.batch);
        }
        owner_.check_finished();
    }
    // Once per change: a target may be out of reach for a day.
    void report(Delivery what, const std::string& why) {
        const bool reachable = what == Delivery::taken;
        if (std::exchange(reachable_, reachable) == reachable) return;
        if (reachable)
            owner_.log_.info("log-target-back", fmt::format("log target \"{}\" takes lines again", name_));
        else
            owner_.log_.warning(
                "log-target-fails",
                fmt::format("cannot send lines to log target \"{}\" ({}): {}", name_,
                            what == Delivery::refused ? "they are dropped" : "they wait", why));
    }

    LogForwarding& owner_;
    std::string name_;
    supervise::LogTarget target_;
    std::map<std::string, LogLabels> labels_;  // of services
    LogReader reader_;
    ForwardQueue queue_;
    std::vector<ForwardedLine> batch_;  // on its way, or to be tried again
    std::unique_ptr<ForwardSender> sender_;
    bool sending_ = false;
    bool hurry_ = false;  // the end is near
    bool last_try_ = false;
    bool gave_up_ = false;
    bool reachable_ = true;
    Duration retry_{};
    Timer timer_;
};

LogForwarding::LogForwarding(EventLoop& loop, LogHub& hub, Log& log, ForwardPace pace)
    : loop_(loop), hub_(hub), log_(log), pace_(pace) {}
LogForwarding::~LogForwarding() = default;

void LogForwarding::plan_changed(const supervise::Plan& plan, const EnvironmentOf& environment_of) {
    std::erase_if(targets_, [&](const auto& one) { return !plan.log_targets.contains(one.first); });
    for (const auto& [name, target] : plan.log_targets) {
        std::map<std::string, LogLabels> labels;
        for (const auto& [service, ignored] : plan.services) {
            if (target.labels.empty() || !target.wants(service)) continue;
            const supervise::StringMap environment = environment_of(service);
            for (const auto& [label, text] : target.labels)
                labels[service][label] = expand_label(text, environment);
        }
        std::unique_ptr<Target>& place = targets_[name];
        if (!place) place = std::make_unique<Target>(*this, name);
        place->configure(target, std::move(labels));
    }
}

void LogForwarding::finish(Duration limit, std::function<void()> then) {
    finished_ = std::move(then);
    finish_limit_ = loop_.clock().call_at(loop_.clock().now() + limit, [this] {
        if (const auto call = std::exchange(finished_, nullptr)) call();
    });
    for (const auto& [name, target] : targets_) target->send_all();
    loop_.post(scope_.guard([this] { check_finished(); }));
}

void LogForwarding::check_finished() {
    if (!finished_ || !std::ranges::all_of(targets_, [](const auto& one) { return one.second->finished(); }))
        return;
    finish_limit_.reset();
    std::exchange(finished_, nullptr)();
}

}  // namespace pgherd::supervisor
