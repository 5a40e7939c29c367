#include "sim/member_store.h"

#include <algorithm>

#include "ports/pending.h"

namespace pgherd::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

template <class T, class Request>
void MemberStore::ask(bool write, Instant deadline, Done<T> done, Request request) {
    auto call = std::make_shared<Pending<T>>(gate_->through(std::move(done)));
    call->deadline = clock_.call_at(deadline, [call, write] {
        call->answer(fail(ErrorCode::timeout, "the store does not answer",
                          write ? Certainty::maybe_done : Certainty::not_done));
    });
    if (!reached()) return;
    clock_.after(delay(), [this, write, call, request = std::move(request)]() mutable {
        const auto refuse = [this, &call](ErrorCode code, const char* why) {
            clock_.after(network_.delay(), [this, call, code, why] {
                if (network_.hears(member_, network_.store())) call->answer(fail(code, why));
            });
        };
        if (health_.refusing) return refuse(ErrorCode::unavailable, "the store refuses");
        if (write && health_.readers.contains(member_))
            return refuse(ErrorCode::denied, "this member may only read");
        if (!reached()) return;
        request([this, call](Result<T> result) {
            if (dice_.chance(health_.lost_answer)) return;
            clock_.after(delay(), [this, call, result = std::move(result)]() mutable {
                if (heard()) call->answer(std::move(result));
            });
        });
    });
}

void MemberStore::load(Instant deadline, Done<SnapshotPtr> done) {
    ask<SnapshotPtr>(false, deadline, std::move(done), [this, deadline](Done<SnapshotPtr> answer) {
        store_.load(deadline, std::move(answer));
    });
}

void MemberStore::swap(Swap swap, Instant deadline, Done<Revision> done) {
    ask<Revision>(true, deadline, std::move(done),
                  [this, swap = std::move(swap)](Done<Revision> answer) mutable {
                      store_.swap(std::move(swap), clock_.now() + seconds(10), std::move(answer));
                  });
}

void MemberStore::grant(Duration ttl, Instant deadline, Done<LeaseId> done) {
    ask<LeaseId>(true, deadline, std::move(done), [this, ttl](Done<LeaseId> answer) {
        store_.grant(ttl, clock_.now() + seconds(10), std::move(answer));
    });
}

void MemberStore::keep(LeaseId lease, Instant deadline, Done<Duration> done) {
    ask<Duration>(true, deadline, std::move(done), [this, lease](Done<Duration> answer) {
        store_.keep(lease, clock_.now() + seconds(10), std::move(answer));
    });
}

void MemberStore::revoke(LeaseId lease, Instant deadline, Done<void> done) {
    ask<void>(true, deadline, std::move(done), [this, lease](Done<void> answer) {
        store_.revoke(lease, clock_.now() + seconds(10), std::move(answer));
    });
}

// --- watches
// -----------------------------------------------------------------------------------------------------------

// What connects a watch of the store with the agent that watches.
class MemberStore::Feed final : public Watch, public std::enable_shared_from_this<MemberStore::Feed> {
  public:
    Feed(MemberStore& owner, Seen seen)
        : owner_(owner), gate_(owner.gate_), seen_(std::make_shared<Seen>(std::move(seen))) {}

    void begin() {
        watch_ = owner_.store_.watch([self = weak_from_this()](Result<SnapshotPtr> snapshot) {
            const auto feed = self.lock();
            if (!feed || !snapshot) return;
            feed->latest_ = *snapshot;
            feed->deliver_soon(feed->owner_.network_.delay());
        });
        look();
    }
    void end() {
        seen_ = nullptr;
        watch_.reset();
        ended_ = true;
    }

  private:
    bool connected() const { return owner_.reached() && owner_.heard() && !owner_.health_.refusing; }
    bool stalled() const {
        const auto& until = owner_.health_.watch_stalled_until;
        const auto member = static_cast<std::size_t>(owner_.member_);
        return member < until.size() && owner_.clock_.now() < until[member];
    }

    void deliver_soon(Duration delay) {
        if (under_way_) return;
        under_way_ = true;
        owner_.clock_.after(delay, [self = weak_from_this()] {
            if (const auto feed = self.lock()) feed->deliver();
        });
    }
    void deliver() {
        under_way_ = false;
        if (ended_ || !latest_ || !connected() || stalled() || latest_ == delivered_) return;
        delivered_ = latest_;
        broken_ = false;
        tell(latest_);
    }
    void tell(Result<SnapshotPtr> what) {
        gate_->run([self = weak_from_this(), what = std::move(what)]() mutable {
            const auto feed = self.lock();
            if (!feed || !feed->seen_) return;
            const auto seen = feed->seen_;  // the agent may end the watch while it listens
            (*seen)(std::move(what));
        });
    }
    // Twice a second: what a client's keepalive would notice.
    void look() {
        if (ended_ || !gate_->alive()) return;
        if (connected()) {
            silent_ = 0;
            if (broken_) delivered_ = nullptr;
            deliver();
        } else if (++silent_ == 4 && !broken_) {
            broken_ = true;
            tell(fail(ErrorCode::unavailable, "the watch broke"));
        }
        owner_.clock_.after(milliseconds(500), [self = weak_from_this()] {
            if (const auto feed = self.lock()) feed->look();
        });
    }

    MemberStore& owner_;
    GatePtr gate_;
    std::shared_ptr<Seen> seen_;
    std::unique_ptr<Watch> watch_;
    SnapshotPtr latest_;
    SnapshotPtr delivered_;
    bool under_way_ = false;
    bool broken_ = false;
    bool ended_ = false;
    int silent_ = 0;
};

namespace {

// The agent's end of a feed: the feed may be in the middle of a call when the agent lets go of it.
template <class FeedPtr>
class Handle final : public Watch {
  public:
    explicit Handle(FeedPtr feed) : feed_(std::move(feed)) {}
    ~Handle() override { feed_->end(); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

  private:
    FeedPtr feed_;
};

}  // namespace

std::unique_ptr<Watch> MemberStore::watch(Seen seen) {
    auto feed = std::make_shared<Feed>(*this, std::move(seen));
    feed->begin();
    return std::make_unique<Handle<std::shared_ptr<Feed>>>(std::move(feed));
}

}  // namespace pgherd::sim
