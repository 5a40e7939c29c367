// The store: where a cluster agrees on who leads.
//
// A flat map of records under one prefix (one cluster), in Patroni's names: "leader", "config",
// "members/<name>", …, and "rule", the record of the quorum policy. Every change of any record raises the
// revision. A write is a compare-and-swap; a record may hang on a lease and disappears with it.
//
// Remote writes have three outcomes: done, not done, and *maybe done* (Error::maybe_done()): it may have
// happened, and may even happen later. Nobody repeats such a write blindly.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/strong.h"
#include "base/time.h"
#include "ports/completion.h"

namespace pgherd {

struct Record {
    std::string value;
    Revision created;   // revision that created it
    Revision modified;  // revision of its latest change
    LeaseId lease;      // 0 = none
    bool operator==(const Record&) const = default;
};

struct Snapshot {
    Revision revision;  // of the whole store; never goes back from one snapshot to the next
    std::map<std::string, Record> records;  // keys without the cluster's prefix
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// What must be true for a swap to happen.
struct Always {};
struct IfAbsent {};
struct IfRevision {
    Revision modified;
};  // the record's latest change is exactly this one
struct IfValue {
    std::string value;
};  // the record exists with this value
using Expectation = std::variant<Always, IfAbsent, IfRevision, IfValue>;

struct Swap {
    std::string key;
    Expectation expect;
    std::optional<std::string> value;  // nothing = delete the record
    LeaseId lease;                     // for a value: hang it on this lease; 0 = none
};

// Ends the watch when destroyed.
class Watch {
  public:
    virtual ~Watch() = default;
};

class Store {
  public:
    virtual ~Store() = default;

    // A linearizable read of all records. Errors: unavailable, timeout, denied.
    virtual void load(Instant deadline, Done<SnapshotPtr> done) = 0;

    // Calls `seen` with the current state first, and then after every change, until the Watch is destroyed.
    // Changes may be coalesced, the last state never gets lost: after an interruption the backend reads
    // everything anew. An interruption is reported once as an error, and the next snapshot ends it. Works
    // alike for compaction and reconnects.
    using Seen = std::move_only_function<void(Result<SnapshotPtr>)>;
    [[nodiscard]] virtual std::unique_ptr<Watch> watch(Seen seen) = 0;

    // One compare-and-swap. Gives the record's new revision (for a deletion: the store's).
    // Errors: conflict (the expectation failed; nothing happened), not_found (the lease does not exist;
    // nothing happened), unavailable and timeout (with their certainty), denied.
    virtual void swap(Swap swap, Instant deadline, Done<Revision> done) = 0;

    // A new lease. Errors as above; a maybe-done lease runs out by itself.
    virtual void grant(Duration ttl, Instant deadline, Done<LeaseId> done) = 0;
    // Starts the lease's time anew. Gives its whole time to live. not_found: it has ended, its records are
    // gone. The lease is safe to count on until (instant before the call + ttl), never longer.
    virtual void keep(LeaseId lease, Instant deadline, Done<Duration> done) = 0;
    // Ends the lease and deletes its records.
    virtual void revoke(LeaseId lease, Instant deadline, Done<void> done) = 0;

    // Where it is, for messages: `etcd at 10.0.0.1:2379`, `SQLite file /x/store.db`.
    virtual std::string describe() const = 0;
};

}  // namespace pgherd
