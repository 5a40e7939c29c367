// The member's lease and the leader lock that hangs on it.
//
// One lease carries `members/<me>` and, when this member leads, `leader` (as in Patroni). The lock counts
// until the time to live has passed since the *sending* of the last confirmed renewal, less a margin, and
// only as far as the guard has confirmed that it will kill a primary at that moment: a lock that nobody
// enforces is none.
//
// Another time to live takes another lease, to which the lock moves. Until it is there, however long the
// store may refuse it, the old one is renewed as before.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/store_mirror.h"
#include "base/scope.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/postgres.h"
#include "ports/store.h"

namespace pgherd::agent {

// What the guard's deadline and the lock's local end keep away from the lease's end: killing takes a moment.
Duration fence_margin(Duration ttl);

class Lease {
  public:
    Lease(MemberName self, Store& store, StoreMirror& mirror, Clock& clock, Postgres& postgres, Log& log,
          std::function<void()> changed);

    // Takes over new settings; another ttl means a new lease.
    void configure(Duration ttl, Duration loop_wait, bool paused);
    // Grants, renews and retakes what is due. `renew_lock`: the core wants the lock to be kept, if it is
    // ours.
    void tick(bool renew_lock);
    // Creates the leader record. Does nothing while that is under way or no lease is there yet.
    void acquire();
    // Deletes the leader record if it is ours; does nothing while that is under way.
    void release();
    // Ends the lease with all its records; for the end of the agent.
    void revoke(Then done);
    // A store outage, and all members have confirmed this leader: the guard shall wait until then.
    void extend(Instant until);
    // The store has been heard again: the lease alone counts, also for the guard.
    void retract();
    // … and until when it has said it will.
    Instant extended_until() const { return extended_until_; }

    LeaseId id() const { return id_; }
    // When the next renewal or first grant is due.
    Instant next_due() const;
    // The leader record names us, under our lease.
    bool holds() const;
    // Until when we may run a primary on the strength of the lock; the epoch when not at all.
    Instant valid_until() const { return holds() && mirror_.watched() >= taken_ ? armed_until_ : Instant{}; }
    // Until when what hangs on the lease is ours, with the guard's margin taken off.
    Instant end() const { return valid_until_ - fence_margin(ttl_); }
    // The store's revision that was known when the lock was last asked for; 0: it was retaken.
    Revision picture() const { return picture_; }
    // The guard has not refused a deadline for a while.
    bool enforced() const { return refused_ == Instant{} || clock_.now() - refused_ > ttl_; }
    // The store has said that the lock is not ours.
    bool lost() const;
    // It answers, but does not renew the lease, nor give another one (rights that were taken away, say).
    bool withheld() const { return withheld_; }

  private:
    bool needs_grant() const;
    void grant();
    void not_granted(const Error& error, Duration ttl);
    void judge(const Error* error, bool of_this_one);
    void keep();
    void take_into_use();
    void retake(LeaseId lease);
    void arm_what_was_learnt();
    void ended(LeaseId lease);
    void gained(Revision revision);
    void renewed(Instant sent, Duration ttl);
    void arm(Instant until);
    bool initializes() const;
    Duration shortest_ttl() const;
    Duration interval() const;
    Duration call_limit() const;

    MemberName self_;
    Store& store_;
    StoreMirror& mirror_;
    Clock& clock_;
    Postgres& postgres_;
    Log& log_;
    std::function<void()> changed_;

    Duration ttl_ = std::chrono::seconds(30);
    Duration loop_wait_ = std::chrono::seconds(10);
    bool paused_ = false;
    LeaseId id_;
    Revision taken_;  // a lock gained at this revision counts only with a picture of the store that is as new
    Revision picture_;
    Revision released_;  // the leader record that we have asked to delete: ours no more, whatever came of it
    LeaseId next_;       // for another ttl: replaces id_ once the lock hangs on it
    Duration next_ttl_{};
    Instant next_valid_until_;
    Duration granted_ttl_{};
    Instant valid_until_;  // of the lease, by our clock
    Instant armed_until_;  // what the guard has confirmed
    Instant asked_until_;  // … and what it was last asked for
    Instant extending_;    // the end of the latest extension that was asked for
    Instant extended_until_;
    Instant refused_;    // when it last refused
    Instant last_sent_;  // of a renewal of id_, or of its grant
    bool withheld_ = false;
    bool keeping_ = false;
    bool granting_ = false;
    Instant grant_due_;
    std::string grant_failure_;  // the last one shown
    Scope scope_;
};

}  // namespace pgherd::agent
