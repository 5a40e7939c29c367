// The Store port on a Database: calls go to a worker's thread, changes come back as events.
//
// Each call has two ends, the worker's result and its deadline; whichever comes first answers (call.h). A
// watch looks at the revision when an own write is done, when another process has touched the file, when the
// first lease ends, and once a second: the touch can be missing, because its process was killed between
// commit and touch or the system had no inotify to give.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "base/scope.h"
#include "eventloop/file_events.h"
#include "eventloop/worker.h"
#include "ports/store.h"
#include "store_sqlite/database.h"

namespace pgherd::sqlite {

class SqliteStore final : public Store {
  public:
    SqliteStore(EventLoop& loop, std::string path, std::unique_ptr<Database> database);
    ~SqliteStore() override;

    void load(Instant deadline, Done<SnapshotPtr> done) override;
    [[nodiscard]] std::unique_ptr<Watch> watch(Seen seen) override;
    void swap(Swap swap, Instant deadline, Done<Revision> done) override;
    void grant(Duration ttl, Instant deadline, Done<LeaseId> done) override;
    void keep(LeaseId lease, Instant deadline, Done<Duration> done) override;
    void revoke(LeaseId lease, Instant deadline, Done<void> done) override;
    std::string describe() const override { return "SQLite file " + path_; }

  private:
    struct Watcher;
    class Handle;
    template <class T, class Work>
    void call(std::string what, Instant deadline, Done<T> done, Work work);
    void look();
    void looked(Result<Glance> glance);
    void look_at(Instant when);
    void tell(const std::shared_ptr<Watcher>& watcher, const Result<SnapshotPtr>& news);

    EventLoop& loop_;
    std::string path_;
    std::unique_ptr<Database> database_;
    std::list<std::weak_ptr<Watcher>> watchers_;
    SnapshotPtr latest_;  // what the watchers were told last
    bool looking_ = false;
    bool look_again_ = false;
    Timer next_look_;
    FileEvents events_;
    Scope scope_;
    Worker worker_;  // goes first: it uses the database
};

}  // namespace pgherd::sqlite
