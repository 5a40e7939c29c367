#include "sim/store/sim_store.h"

#include <optional>

#include "ports/pending.h"

namespace pgherd::sim {

SimStore::SimStore(StoreServer& server, VirtualClock& clock, Random& random, std::string name)
    : server_(server),
      clock_(clock),
      random_(random),
      name_(std::move(name)),
      alive_(std::make_shared<SimStore*>(this)) {}

template <class Function>
auto SimStore::while_alive(Function function) const {
    return [weak = std::weak_ptr(alive_), function = std::move(function)]() mutable {
        if (!weak.expired()) function();
    };
}

bool SimStore::chance(double probability) {
    return probability > 0 && static_cast<double>(random_.next() >> 11U) * 0x1.0p-53 < probability;
}

Duration SimStore::between(Duration low, Duration high) {
    if (high <= low) return low;
    return low + Duration(static_cast<Duration::rep>(
                     random_.below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

// --- requests ----------------------------------------------------------------------------------------------

template <class T, class Request>
void SimStore::ask(Kind kind, Instant deadline, Done<T> done, Request request) {
    const bool in_time = deadline > clock_.now();
    const auto certainty = in_time && kind == Kind::write ? Certainty::maybe_done : Certainty::not_done;
    auto pending = std::make_shared<Pending<T>>(std::move(done));
    pending->deadline = clock_.call_at(
        deadline, while_alive([pending, certainty] {
            pending->answer(fail(ErrorCode::timeout, "the store did not answer in time", certainty));
        }));
    if (!in_time || !faults_.reachable || chance(faults_.request_lost)) return;

    const Duration delay = chance(faults_.request_late) ? between(way(), faults_.late_max) : way();
    // A request that is on its way arrives, whether its sender still waits and lives or not.
    clock_.after(delay, [weak = std::weak_ptr(alive_), &server = server_, refusing = faults_.refusing, kind,
                         pending, request = std::move(request)]() mutable {
        Result<T> result = refusing ? Result<T>(fail(ErrorCode::unavailable, "the store refuses to serve"))
                                    : Result<T>(request(server));
        if (const auto sender = weak.lock())
            (*sender)->send_back(kind, [pending, result = std::move(result)]() mutable {
                pending->answer(std::move(result));
            });
    });
}

void SimStore::send_back(Kind kind, Then answer) {
    if (kind == Kind::write && answers_to_lose_ > 0) {
        --answers_to_lose_;
        return;
    }
    if (!faults_.reachable || chance(faults_.answer_lost)) return;
    clock_.after(way(), while_alive(std::move(answer)));
}

void SimStore::load(Instant deadline, Done<SnapshotPtr> done) {
    ask<SnapshotPtr>(Kind::read, deadline, std::move(done),
                     [](StoreServer& server) { return server.snapshot(); });
}

void SimStore::swap(Swap swap, Instant deadline, Done<Revision> done) {
    ask<Revision>(Kind::write, deadline, std::move(done),
                  [swap = std::move(swap)](StoreServer& server) { return server.swap(swap); });
}

void SimStore::grant(Duration ttl, Instant deadline, Done<LeaseId> done) {
    ask<LeaseId>(Kind::write, deadline, std::move(done),
                 [ttl](StoreServer& server) { return server.grant(ttl); });
}

void SimStore::keep(LeaseId lease, Instant deadline, Done<Duration> done) {
    ask<Duration>(Kind::write, deadline, std::move(done),
                  [lease](StoreServer& server) { return server.keep(lease); });
}

void SimStore::revoke(LeaseId lease, Instant deadline, Done<void> done) {
    ask<void>(Kind::write, deadline, std::move(done),
              [lease](StoreServer& server) { return server.revoke(lease); });
}

// --- watches -----------------------------------------------------------------------------------------------

// One watch: what its client was told last, and whether more is on its way. A delivery shows the newest state
// of its moment, so that several changes may become one.
class SimStore::Feed : public std::enable_shared_from_this<SimStore::Feed> {
  public:
    Feed(SimStore& store, Seen seen) : store_(store), seen_(std::move(seen)) {}

    void begin() {
        listening_ = store_.server_.on_change([this] { deliver_soon(); });
        deliver_soon();
        notice_faults();
    }
    // Ends before the store does: nothing below runs afterwards.
    void end() {
        ended_ = true;
        listening_ = nullptr;
    }
    // Comes after each change of the faults: shows what was held back, or breaks after a while.
    void notice_faults() {
        if (connected()) return deliver_soon();
        store_.clock_.after(store_.faults_.watch_breaks_after, once_alive([this] {
                                if (!connected()) fall_apart("the connection is lost");
                            }));
    }
    void fall_apart(const char* why) {
        if (ended_ || broken_) return;
        broken_ = true;
        told_ = nullptr;
        store_.clock_.post(once_alive([this, why] { seen_(fail(ErrorCode::unavailable, why)); }));
    }
    void deliver_soon() {
        if (under_way_ || ended_) return;
        under_way_ = true;
        store_.clock_.after(store_.between(Duration{}, store_.faults_.watch_delay_max),
                            once_alive([this] { deliver(); }));
    }

  private:
    bool connected() const { return store_.faults_.reachable && !store_.faults_.refusing; }
    void deliver() {
        under_way_ = false;
        if (!connected() || store_.faults_.watch_stalled) return;
        SnapshotPtr newest = store_.server_.snapshot();
        if (newest == told_) return;
        told_ = newest;
        broken_ = false;
        seen_(std::move(newest));
    }
    // Holds the feed while it runs, since the client may end the watch from inside.
    template <class Function>
    Then once_alive(Function function) {
        return [weak = weak_from_this(), function] {
            if (const auto self = weak.lock(); self && !self->ended_) function();
        };
    }

    SimStore& store_;
    Seen seen_;
    std::shared_ptr<void> listening_;
    SnapshotPtr told_;
    bool under_way_ = false;
    bool broken_ = false;
    bool ended_ = false;
};

class SimStore::Handle final : public Watch {
  public:
    explicit Handle(std::shared_ptr<Feed> feed) : feed_(std::move(feed)) {}
    ~Handle() override { feed_->end(); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

  private:
    std::shared_ptr<Feed> feed_;
};

SimStore::~SimStore() {
    for (const auto& weak : feeds_)
        if (const auto feed = weak.lock()) feed->end();
}

std::unique_ptr<Watch> SimStore::watch(Seen seen) {
    auto feed = std::make_shared<Feed>(*this, std::move(seen));
    std::erase_if(feeds_, [](const auto& weak) { return weak.expired(); });
    feeds_.push_back(feed);
    feed->begin();
    return std::make_unique<Handle>(std::move(feed));
}

void SimStore::set_faults(const StoreFaults& faults) {
    faults_ = faults;
    for (const auto& weak : feeds_)
        if (const auto feed = weak.lock()) feed->notice_faults();
}

void SimStore::interrupt() {
    for (const auto& weak : feeds_) {
        const auto feed = weak.lock();
        if (!feed) continue;
        feed->fall_apart("the connection was cut");
        feed->deliver_soon();
    }
}

}  // namespace pgherd::sim
