// The store's tables, and what compare-and-swap and leases mean on them. Every call blocks; one thread at a
// time.
//
// Who looks first ends leases: each transaction that finds one past its time deletes it with its records, in
// the same transaction, and raises the revision. Nobody has to run for that. Whether a lease has ended is
// decided under the write lock, where no renewal can be under way.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "ports/store.h"
#include "store_sqlite/call.h"
#include "store_sqlite/connection.h"

namespace pgherd::sqlite {

// What a look at the store gives.
struct Glance {
    SnapshotPtr snapshot;                 // null: the revision is the one the caller knows
    std::optional<Instant> first_expiry;  // of any lease
};

class Database {
  public:
    Status open(const std::string& path, Call& call);
    // From any thread: calls that wait for a lock give up.
    void close_soon() { closing_ = true; }

    // All records, unless the revision is still `known`.
    Result<Glance> look(Call& call, std::optional<Revision> known);
    Result<Revision> swap(Call& call, const Swap& swap);
    Result<LeaseId> grant(Call& call, Duration ttl);
    Result<Duration> keep(Call& call, LeaseId lease);
    Status revoke(Call& call, LeaseId lease);

  private:
    // Runs `work(now)` in a write transaction, after ending what has expired. When `work` fails it has
    // changed nothing.
    template <class T, class Work>
    Result<T> write(Call& call, bool announced, Work work);
    Status refuse_foreign_file();
    Status create_tables();
    Status end_leases_of_other_boots();
    Result<bool> end_expired(Instant now);
    Status delete_lease(std::int64_t lease);
    Result<Glance> read(std::optional<Revision> known);
    Result<SnapshotPtr> snapshot(Revision revision);
    Result<Revision> revision();
    Result<Revision> raise_revision();
    Result<std::optional<Record>> record(const std::string& key);
    Result<bool> lease_exists(LeaseId lease);
    void be_patient_for(const Call& call);
    void announce() const;

    Connection connection_;
    std::atomic<bool> closing_{false};
};

}  // namespace pgherd::sqlite
