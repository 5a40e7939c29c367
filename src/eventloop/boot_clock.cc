#include "eventloop/boot_clock.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <sys/timerfd.h>
#include <unistd.h>

namespace pgherd {

// Shared with the timers handed out, which may outlive the clock when a program ends.
class BootTimers::Calls : public std::enable_shared_from_this<Calls> {
  public:
    using Key = std::pair<Instant, std::uint64_t>;

    explicit Calls(boost::asio::io_context& context) : context_(context), descriptor_(context) {
        const int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        if (fd < 0) throw std::system_error(errno, std::generic_category(), "cannot create a timer");
        descriptor_.assign(fd);
    }

    Key add(Instant when, Then then) {
        const Key key{when, next_order_++};
        calls_.emplace(key, std::move(then));
        if (calls_.begin()->first == key) set_alarm();
        return key;
    }

    void cancel(const Key& key) {
        // Taken out before it is destroyed: what it owns may cancel other calls.
        auto node = calls_.extract(key);
    }

    void wait() {
        descriptor_.async_wait(descriptor_.wait_read,
                               [weak = weak_from_this()](boost::system::error_code error) {
                                   if (const auto self = weak.lock(); self && !error) self->ring();
                               });
    }

    void close() {
        auto calls = std::move(calls_);
        calls_.clear();
        boost::system::error_code ignored;
        descriptor_.close(ignored);
    }

    boost::asio::io_context& context() { return context_; }

  private:
    void ring() {
        // Not by Asio, which would wait: setting the alarm anew may have taken the ring back in the meantime.
        std::uint64_t expirations = 0;
        [[maybe_unused]] const auto size =
            ::read(descriptor_.native_handle(), &expirations, sizeof expirations);
        // Only what was there when the alarm rang: a call that asks for another one at once must not starve
        // the loop.
        const Instant now = boottime_now();
        const std::uint64_t newest = next_order_;
        auto self = shared_from_this();
        for (auto it = calls_.begin(); it != calls_.end() && it->first.first <= now;) {
            if (it->first.second >= newest) {
                ++it;
                continue;
            }
            auto node = calls_.extract(it);
            node.mapped()();
            it = calls_.begin();  // the call may have changed anything
        }
        if (!descriptor_.is_open()) return;
        set_alarm();
        wait();
    }

    void set_alarm() {
        if (calls_.empty()) return;
        // 0 would switch the alarm off; a time that has passed rings at once.
        const auto at = std::max(calls_.begin()->first.first.time_since_epoch(), Duration{1});
        const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
        itimerspec alarm{};
        alarm.it_value.tv_sec = static_cast<std::time_t>(seconds.count());
        alarm.it_value.tv_nsec = static_cast<long>((at - seconds).count());
        if (timerfd_settime(descriptor_.native_handle(), TFD_TIMER_ABSTIME, &alarm, nullptr) != 0)
            throw std::system_error(errno, std::generic_category(), "cannot set a timer");
    }

    boost::asio::io_context& context_;
    boost::asio::posix::stream_descriptor descriptor_;
    std::map<Key, Then> calls_;
    std::uint64_t next_order_ = 1;
};

class BootTimers::Pending final : public PendingCall {
  public:
    Pending(std::weak_ptr<Calls> calls, Calls::Key key) : calls_(std::move(calls)), key_(key) {}
    ~Pending() override {
        if (const auto calls = calls_.lock()) calls->cancel(key_);
    }
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;

  private:
    std::weak_ptr<Calls> calls_;
    Calls::Key key_;
};

BootTimers::BootTimers(boost::asio::io_context& context) : calls_(std::make_shared<Calls>(context)) {
    calls_->wait();
}
BootTimers::~BootTimers() {
    calls_->close();
}

WallTime BootTimers::wall() const {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

Timer BootTimers::call_at(Instant when, Then then) {
    return std::make_unique<Pending>(calls_, calls_->add(when, std::move(then)));
}

void BootTimers::post(Then then) {
    boost::asio::post(calls_->context(), std::move(then));
}

}  // namespace pgherd
