#include "guard/guard.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/start_code.h"
#include "base/write_line.h"
#include "guard/brain.h"
#include "guard/postmaster.h"
#include "guard/protocol.h"
#include "guard/watchdog.h"

namespace pgherd::guard {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// When the brain has ended on purpose and left a postmaster, it gets this long for a fast shutdown.
constexpr Duration kFastShutdown = seconds(30);
constexpr Duration kShortestSweep = milliseconds(1);
constexpr Duration kLongestSweep = milliseconds(50);

Instant to_instant(std::int64_t deadline) {
    return Instant(Duration(deadline));
}

std::string describe_exit(int status) {
    if (WIFSIGNALED(status)) return fmt::format("was ended by signal {}", WTERMSIG(status));
    return fmt::format("exited with code {}", WEXITSTATUS(status));
}

class Guard {
  public:
    explicit Guard(const GuardOptions& options)
        : name_(options.name), brain_(options.brain), watchdog_(options.watchdog, options.watchdog_device) {}
    ~Guard();

    int run();

  private:
    Status prepare();
    void wait_for_something();
    Instant wake_at() const;
    void handle_signals();
    void reap();
    void brain_ended(int status);
    void postmaster_ended();

    void take_orders();
    Status execute(const Order& order);
    Status arm(const Order& order);
    Status start(const Order& order);
    Status adopt(pid_t pid);

    bool expired() const { return deadline_ != kNever && boottime_now() >= to_instant(deadline_); }
    void set_deadline(std::int64_t deadline);
    void enforce_deadline();
    bool runs_primary() const { return postmaster_.phase() == PostmasterPhase::running && as_primary_; }
    void end_primary(std::string_view why);
    void drain();
    void stop_leftover_postmaster();
    void keep_brain_running();

    GuardStatus status() const;
    void tell(ReportType type, std::string_view text = {});
    void say(std::string_view text) const;

    std::string name_;
    Brain brain_;
    Postmaster postmaster_;
    Watchdog watchdog_;
    int signals_ = -1;
    int timer_ = -1;
    std::int64_t deadline_ = kDisarmed;
    bool as_primary_ = false;  // the running postmaster may be one: it was started, or armed since, as one
    bool fenced_ = false;
    std::uint32_t exits_ = 0;
    Instant sweep_at_;
    Duration sweep_pause_{};
    std::optional<int> exit_code_;  // set once the brain is not to be started again
    bool shutting_down_ = false;
    Instant force_at_;  // the leftover postmaster is shut down at once from here on
    bool fast_sent_ = false;
};

Guard::~Guard() {
    for (const int fd : {signals_, timer_})
        if (fd >= 0) ::close(fd);
}

void Guard::say(std::string_view text) const {
    write_line(STDERR_FILENO, fmt::format("pgherd guard {}: {}\n", name_, text));
}

Status Guard::prepare() {
    sigset_t mask;
    sigemptyset(&mask);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&mask, number);
    ::sigprocmask(SIG_BLOCK, &mask, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    signals_ = ::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    timer_ = ::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (signals_ < 0 || timer_ < 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return fail(fmt::format("cannot guard: {}", std::strerror(errno)));
    return {};
}

int Guard::run() {
    if (const auto prepared = prepare(); !prepared) {
        say(prepared.error().message);
        return 1;
    }
    drop_start_code();
    while (true) {
        // The deadline comes first in every round: an order that arrives after it must not save the primary.
        enforce_deadline();
        drain();
        keep_brain_running();
        if (exit_code_) {
            if (postmaster_.phase() == PostmasterPhase::none) return *exit_code_;
            stop_leftover_postmaster();
        }
        wait_for_something();
        enforce_deadline();
        handle_signals();
        reap();
        take_orders();
    }
}

Instant Guard::wake_at() const {
    Instant next = Instant::max();
    if (postmaster_.phase() == PostmasterPhase::draining) next = std::min(next, sweep_at_);
    if (!brain_.running() && !exit_code_) next = std::min(next, brain_.restart_at());
    if (exit_code_ && fast_sent_) next = std::min(next, force_at_);
    return next;
}

void Guard::wait_for_something() {
    pollfd watched[4] = {{signals_, POLLIN, 0},
                         {timer_, POLLIN, 0},
                         {brain_.socket(), POLLIN, 0},
                         {postmaster_.pidfd(), POLLIN, 0}};
    const Instant next = wake_at();
    int timeout = -1;
    if (next != Instant::max()) {
        const auto left = std::chrono::ceil<milliseconds>(next - boottime_now()).count();
        timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    }
    if (::poll(watched, 4, timeout) <= 0) return;
    if (watched[1].revents) {
        std::uint64_t expirations = 0;
        [[maybe_unused]] const ssize_t size = ::read(timer_, &expirations, sizeof expirations);
    }
    if (watched[3].revents) {
        postmaster_.adopted_died();
        postmaster_ended();
    }
}

void Guard::handle_signals() {
    signalfd_siginfo info;
    while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        const int number = static_cast<int>(info.ssi_signo);
        if (number == SIGCHLD) continue;
        if (number != SIGHUP) shutting_down_ = true;
        if (brain_.running())
            brain_.signal(number);
        else if (shutting_down_)
            exit_code_ = 0;
    }
}

void Guard::reap() {
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == brain_.pid()) {
            brain_ended(status);
        } else if (postmaster_.reaped(pid, status)) {
            postmaster_ended();
        }
    }
}

void Guard::brain_ended(int status) {
    const bool was_ready = brain_.was_ready();
    brain_.died(boottime_now());
    if (const std::string why = brain_.take_error(); !why.empty()) {
        say(fmt::format("cannot run the agent: {}", why));
        // One that has run before will again (there is no memory for it now, say).
        if (!was_ready || shutting_down_) exit_code_ = 1;
        return;
    }
    const bool on_purpose =
        WIFEXITED(status) && (WEXITSTATUS(status) == 0 || (WEXITSTATUS(status) == 1 && !was_ready));
    if (on_purpose)
        exit_code_ = WEXITSTATUS(status);
    else if (shutting_down_)
        exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    else
        say(fmt::format("the agent {}, starting it again{}", describe_exit(status),
                        postmaster_.phase() == PostmasterPhase::running ? "; PostgreSQL runs on" : ""));
}

void Guard::postmaster_ended() {
    sweep_pause_ = kShortestSweep;
    sweep_at_ = boottime_now();
    drain();
}

void Guard::drain() {
    if (postmaster_.phase() != PostmasterPhase::draining || boottime_now() < sweep_at_) return;
    if (!postmaster_.sweep(brain_.pid())) {
        sweep_at_ = boottime_now() + sweep_pause_;
        sweep_pause_ = std::min(sweep_pause_ * 2, kLongestSweep);
        return;
    }
    ++exits_;
    as_primary_ = false;
    fast_sent_ = false;
    watchdog_.disarm();
    tell(ReportType::exited, postmaster_.take_error());
}

void Guard::set_deadline(std::int64_t deadline) {
    deadline_ = deadline;
    itimerspec when{};
    if (deadline != kDisarmed && deadline != kNever) {
        when.it_value.tv_sec = deadline / 1'000'000'000;
        when.it_value.tv_nsec = deadline % 1'000'000'000;
    }
    ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
}

void Guard::enforce_deadline() {
    if (deadline_ == kDisarmed || !expired()) return;
    set_deadline(kDisarmed);
    if (runs_primary())
        end_primary("the lease has run out: PostgreSQL was killed");
    else
        watchdog_.disarm();
}

// The watchdog device stays armed until everything is gone: where SIGKILL does not help, a reset does.
void Guard::end_primary(std::string_view why) {
    postmaster_.kill_all();
    if (std::exchange(fenced_, true)) return;
    say(why);
    tell(ReportType::fenced);
}

void Guard::stop_leftover_postmaster() {
    if (postmaster_.phase() != PostmasterPhase::running) return;
    const Instant now = boottime_now();
    if (!fast_sent_) {
        fast_sent_ = true;
        force_at_ = now + kFastShutdown;
        static_cast<void>(postmaster_.send(SIGINT));
    } else if (now >= force_at_) {
        force_at_ = now + kFastShutdown;
        static_cast<void>(postmaster_.send(SIGQUIT));
    }
}

void Guard::keep_brain_running() {
    if (brain_.running() || exit_code_ || boottime_now() < brain_.restart_at()) return;
    if (const auto started = brain_.start(boottime_now()); !started) {
        say(started.error().message);
        brain_.died(boottime_now());
    }
}

void Guard::take_orders() {
    if (brain_.socket() < 0) return;
    const auto order = std::make_unique<Order>();
    for (int budget = 64; budget > 0; --budget) {
        const ssize_t size = ::recv(brain_.socket(), order.get(), sizeof(Order), MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size <= 0) return brain_.close_socket();
        enforce_deadline();
        const auto length = static_cast<std::size_t>(size);
        const bool sound = length >= kOrderHead && order->version == kProtocolVersion &&
                           order->blob_size == length - kOrderHead;
        const Status done = sound
                                ? execute(*order)
                                : fail(ErrorCode::invalid, "the agent is of another version than its guard");
        Report report{.type = ReportType::acknowledgement, .sequence = order->sequence, .status = status()};
        if (!done) {
            report.error = done.error().code == ErrorCode::conflict  ? EPERM
                           : done.error().code == ErrorCode::invalid ? EINVAL
                                                                     : EIO;
            done.error().message.copy(report.text, kTextSize - 1);
        }
        brain_.send(report);
    }
}

Status Guard::execute(const Order& order) {
    switch (order.type) {
        case OrderType::status: return {};
        case OrderType::ready: brain_.set_ready(); return {};
        case OrderType::arm: return arm(order);
        case OrderType::disarm:
            set_deadline(kDisarmed);
            watchdog_.disarm();
            as_primary_ = false;
            return {};
        case OrderType::start: return start(order);
        case OrderType::adopt: return adopt(order.pid);
        case OrderType::signal:
            if (postmaster_.phase() != PostmasterPhase::running)
                return fail(ErrorCode::conflict, "cannot signal PostgreSQL: it does not run");
            return postmaster_.send(order.signal);
    }
    return fail(ErrorCode::invalid, "unknown order");
}

Status Guard::arm(const Order& order) {
    as_primary_ = as_primary_ || order.as_primary != 0;
    if (order.deadline == kNever) {
        watchdog_.disarm();
    } else {
        const Duration left = to_instant(order.deadline) - boottime_now();
        if (left <= Duration{}) {
            if (!runs_primary()) return fail(ErrorCode::invalid, "cannot arm: the deadline has passed");
            set_deadline(kDisarmed);
            end_primary("PostgreSQL was killed: the agent wants no primary here");
            return {};
        }
        PGHERD_CHECK(watchdog_.arm(left));
    }
    set_deadline(order.deadline);
    return {};
}

Status Guard::start(const Order& order) {
    if (postmaster_.phase() != PostmasterPhase::none)
        return fail(ErrorCode::conflict, "cannot start PostgreSQL: one runs, or is not gone yet");
    if (order.as_primary && (deadline_ == kDisarmed || expired()))
        return fail(
            ErrorCode::conflict,
            "cannot start PostgreSQL as a primary: there is no deadline by which it would be stopped");
    if (order.group_count > kMaxGroups || order.argument_count == 0)
        return fail(ErrorCode::invalid, "cannot start PostgreSQL: malformed order");
    std::vector<std::string> texts;
    for (std::size_t at = 0; at < order.blob_size;) {
        const std::size_t length = ::strnlen(order.blob + at, order.blob_size - at);
        texts.emplace_back(order.blob + at, length);
        at += length + 1;
    }
    if (texts.size() != std::size_t{2} + order.argument_count + order.environment_count)
        return fail(ErrorCode::invalid, "cannot start PostgreSQL: malformed order");
    SpawnSpec spec{.working_directory = texts[0],
                   .log_file = texts[1],
                   .change_user = order.change_user != 0,
                   .uid = order.uid,
                   .gid = order.gid,
                   .death_signal = SIGQUIT,
                   .new_session = true};
    const auto environment = texts.begin() + 2 + order.argument_count;
    spec.argv.assign(texts.begin() + 2, environment);
    spec.environment.assign(environment, texts.end());
    spec.groups.assign(order.groups, order.groups + order.group_count);
    PGHERD_CHECK(postmaster_.start(spec));
    fenced_ = false;
    as_primary_ = order.as_primary != 0;
    return {};
}

Status Guard::adopt(pid_t pid) {
    if (postmaster_.phase() != PostmasterPhase::none)
        return fail(ErrorCode::conflict, "cannot adopt PostgreSQL: one runs, or is not gone yet");
    if (pid <= 1 || pid == ::getpid() || pid == brain_.pid())
        return fail(ErrorCode::invalid, "cannot adopt this process");
    PGHERD_CHECK(postmaster_.adopt(pid));
    fenced_ = false;
    as_primary_ = deadline_ != kDisarmed;
    return {};
}

GuardStatus Guard::status() const {
    return {.phase = postmaster_.phase(),
            .postmaster_pid = postmaster_.pid(),
            .postmaster_start = postmaster_.start_time(),
            .deadline = deadline_,
            .last_exit = postmaster_.last_exit(),
            .exits = exits_,
            .fenced = fenced_,
            .adopted = postmaster_.adopted()};
}

void Guard::tell(ReportType type, std::string_view text) {
    Report report{.type = type, .status = status()};
    text.copy(report.text, kTextSize - 1);
    brain_.send(report);
}

}  // namespace

int run_guard(const GuardOptions& options) {
    return Guard(options).run();
}

}  // namespace pgherd::guard
