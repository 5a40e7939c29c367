#include "agent/lease.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace pgherd::agent {

using namespace std::chrono_literals;

namespace {
constexpr std::string_view kLeader = "leader";
constexpr Duration kGrantAgain = 30s;  // another lease, after the store has refused it
bool answered(const Error& error) {
    return error.code != ErrorCode::unavailable && error.code != ErrorCode::timeout;
}
}  // namespace

Duration fence_margin(Duration ttl) {
    return std::clamp<Duration>(ttl / 20, 100ms, 1s);
}

Lease::Lease(MemberName self, Store& store, StoreMirror& mirror, Clock& clock, Postgres& postgres, Log& log,
             std::function<void()> changed)
    : self_(std::move(self)),
      store_(store),
      mirror_(mirror),
      clock_(clock),
      postgres_(postgres),
      log_(log),
      changed_(std::move(changed)) {}

void Lease::configure(Duration ttl, Duration loop_wait, bool paused) {
    if (std::exchange(ttl_, ttl) != ttl) grant_due_ = Instant{};
    loop_wait_ = loop_wait;
    if (std::exchange(paused_, paused) == paused) return;
    // Whoever leads: a pause ends no primary, nor does a deadline from before it (of an agent that has died,
    // say).
    if (paused)
        postgres_.disarm([](Status) {});
    else if (holds())
        arm(end());
}

// The lease that is there lives by its own time until there is one for the new.
Duration Lease::shortest_ttl() const {
    return id_.value() == 0 ? ttl_ : std::min(ttl_, granted_ttl_);
}

Duration Lease::interval() const {
    return std::min<Duration>(loop_wait_, shortest_ttl() / 4);
}

Duration Lease::call_limit() const {
    return std::clamp<Duration>(shortest_ttl() / 4, 500ms, 5s);
}

Instant Lease::next_due() const {
    if (id_.value() == 0) return grant_due_;
    return last_sent_ == Instant{} ? last_sent_ : last_sent_ + interval();
}

bool Lease::holds() const {
    auto view = mirror_.view();
    if (!view || id_.value() == 0 || !view->led_by(self_)) return false;
    if (view->leader->modified == released_) return false;
    LeaseId lease = view->leader->lease;
    return lease == id_ || (next_.value() != 0 && lease == next_);
}

// This member has won the race to make the cluster, and its primary may run before there is a lock.
bool Lease::initializes() const {
    auto view = mirror_.view();
    return view && id_.value() != 0 && view->initialize_exists && !view->initialize &&
           view->initialize_lease == id_;
}

bool Lease::lost() const {
    auto view = mirror_.view();
    return view && !view->led_by(self_);
}

void Lease::tick(bool renew_lock) {
    if (mirror_.reloading() || (holds() && mirror_.watched() < taken_)) mirror_.reload();
    if (needs_grant() && !granting_ && clock_.now() >= grant_due_) grant();
    if (id_.value() == 0 || keeping_) return;
    auto view = mirror_.view();
    if (next_.value() != 0 && holds())
        retake(next_);
    else if (next_.value() != 0)
        take_into_use();
    else if (view && view->led_by(self_) &&
             (view->leader->lease != id_ || (renew_lock && view->leader->modified == released_)))
        retake(id_);
    if (clock_.now() >= next_due() && (renew_lock || !holds())) keep();
    arm_what_was_learnt();
}

// The answer to the write that took the lock may get lost; then the watch tells.
void Lease::arm_what_was_learnt() {
    if (holds() && armed_until_ < end() && asked_until_ < end() && end() > clock_.now()) arm(end());
}

// A lease that does not exist yet, or one for another ttl.
bool Lease::needs_grant() const {
    return id_.value() == 0 || (granted_ttl_ != ttl_ && next_.value() == 0);
}

void Lease::grant() {
    granting_ = true;
    Instant sent = clock_.now();
    grant_due_ = sent + interval();
    Duration ttl = ttl_;
    store_.grant(ttl, sent + call_limit(), scope_.guard([this, sent, ttl](Result<LeaseId> result) {
        granting_ = false;
        judge(result ? nullptr : &result.error(), id_.value() == 0);
        if (!result) {
            not_granted(result.error(), ttl);
        } else {
            grant_failure_.clear();
            next_ = *result;
            next_ttl_ = ttl;
            next_valid_until_ = sent + ttl;
            if (id_.value() == 0) take_into_use();
        }
        changed_();
    }));
}

// Of the lease that there is; that another one is refused ends nothing.
void Lease::judge(const Error* error, bool of_this_one) {
    bool heard = !error || answered(*error);
    mirror_.contact(heard);
    if (heard && of_this_one) withheld_ = error && error->code != ErrorCode::not_found;
}

void Lease::not_granted(const Error& error, Duration ttl) {
    std::string what = "cannot get a lease";
    if (id_.value() != 0) {
        what = fmt::format("cannot go over to a ttl of {}, that of {} stays", to_text(ttl),
                           to_text(granted_ttl_));
        if (ttl == ttl_ && answered(error)) grant_due_ = clock_.now() + kGrantAgain;
    }
    std::string text = with_context(error, what).message;
    if (std::exchange(grant_failure_, text) != text) log_.warning("lease-not-granted", std::move(text));
}

void Lease::take_into_use() {
    id_ = std::exchange(next_, LeaseId());
    granted_ttl_ = next_ttl_;
    valid_until_ = next_valid_until_;
    last_sent_ = next_valid_until_ - next_ttl_;
}

void Lease::keep() {
    keeping_ = true;
    Instant sent = last_sent_ = clock_.now();
    store_.keep(id_, sent + call_limit(), scope_.guard([this, sent, id = id_](Result<Duration> result) {
        keeping_ = false;
        judge(result ? nullptr : &result.error(), id == id_);
        if (result && id == id_) {
            renewed(sent, std::min(*result, granted_ttl_));
        } else if (!result && result.error().code == ErrorCode::not_found) {
            ended(id);
        } else if (!result) {
            log_.warning("lease-not-renewed", with_context(result.error(), "cannot renew the lease").message);
        }
        changed_();
    }));
}

void Lease::ended(LeaseId lease) {
    if (lease != id_) return;
    log_.warning("lease-lost", "the store has ended our lease");
    id_ = LeaseId();
    grant_due_ = Instant{};  // a new one at once
}

void Lease::renewed(Instant sent, Duration ttl) {
    valid_until_ = std::max(valid_until_, sent + ttl);
    if (holds() || initializes()) arm(end());
}

void Lease::arm(Instant until) {
    if (until <= clock_.now()) return;  // to the guard that is the order to end PostgreSQL at once
    asked_until_ = until;
    // In a pause an operator may promote, and nothing is ended. What members have granted stays granted.
    const Instant deadline = paused_ ? Instant::max() : std::max(until, extending_);
    postgres_.arm(deadline, scope_.guard([this, until](Status confirmed) {
        refused_ = confirmed ? Instant{} : clock_.now();
        if (confirmed)
            armed_until_ = until;
        else
            log_.error(
                "guard-silent",
                with_context(confirmed.error(), "the guard does not take the lease's deadline").message);
        changed_();
    }));
}

// What others have written before we had the lock (the synchronous set, a request, a timeline) must be known
// before it is used.
void Lease::gained(Revision revision) {
    taken_ = revision;
    if (mirror_.watched() < revision) mirror_.reload();
}

void Lease::acquire() {
    std::string key(kLeader);
    if (id_.value() == 0 || mirror_.writing(key) || mirror_.reloading()) return;
    picture_ = mirror_.watched();
    mirror_.write(
        {key, IfAbsent{}, self_.text(), id_}, call_limit(), [this, id = id_](Result<Revision> result) {
            if (result) {
                log_.info("lock-acquired", "this member holds the leader lock now");
                gained(*result);
                renewed(valid_until_ - granted_ttl_, granted_ttl_);
                last_sent_ = Instant{};  // the lease may be old: renew at once
            } else if (result.error().code == ErrorCode::conflict) {
                log_.info("lock-race-lost", "another member was faster");
            } else if (result.error().code == ErrorCode::not_found) {
                ended(id);
            } else {
                log_.warning("lock-not-acquired",
                             with_context(result.error(), "cannot acquire the leader lock").message);
            }
        });
}

// The record names us under another lease: of our ttl before, or of our life before a restart. Or we meant to
// release it, and nobody knows whether that happened.
void Lease::retake(LeaseId lease) {
    std::string key(kLeader);
    auto view = mirror_.view();
    if (!view || !view->leader || mirror_.writing(key)) return;
    bool held = holds();
    mirror_.write({key, IfRevision{view->leader->modified}, self_.text(), lease}, call_limit(),
                  [this, lease, held](Result<Revision> result) {
                      if (!result && lease == next_ && result.error().code == ErrorCode::not_found)
                          next_ = LeaseId();  // it has ended before it was of use: another one
                      if (!result) return;
                      if (!held) picture_ = Revision();
                      if (!held) gained(*result);
                      if (lease == next_) take_into_use();
                      renewed(valid_until_ - granted_ttl_, granted_ttl_);
                  });
}

void Lease::release() {
    std::string key(kLeader);
    auto view = mirror_.view();
    if (!view || !view->led_by(self_) || mirror_.writing(key)) return;
    // A deletion that arrives late must not hit a lock that we have taken since.
    released_ = view->leader->modified;
    mirror_.write({key, IfRevision{released_}, std::nullopt, {}}, call_limit(),
                  [this](Result<Revision> result) {
                      if (result) log_.info("lock-released", "this member has released the leader lock");
                  });
}

void Lease::revoke(Then done) {
    if (id_.value() == 0) return clock_.post(std::move(done));
    store_.revoke(std::exchange(id_, LeaseId()), clock_.now() + call_limit(),
                  scope_.guard([done = std::move(done)](Status) mutable { done(); }));
}

void Lease::extend(Instant until) {
    until -= fence_margin(ttl_);
    if (until <= std::max({extending_, armed_until_, clock_.now()})) return;
    extending_ = until;
    postgres_.arm(until, scope_.guard([this, until](Status confirmed) {
        if (until == extending_ && confirmed) extended_until_ = until;
        if (until == extending_ && !confirmed) extending_ = extended_until_;
        changed_();
    }));
}

void Lease::retract() {
    bool extended = std::exchange(extending_, Instant{}) > armed_until_;
    extended_until_ = Instant{};
    if (extended && holds() && armed_until_ > clock_.now()) arm(armed_until_);
}

}  // namespace pgherd::agent
