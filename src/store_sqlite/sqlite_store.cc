#include "store_sqlite/sqlite_store.h"

#include <fmt/format.h>

#include "ports/pending.h"
#include "store_sqlite/store_sqlite.h"

namespace pgherd::sqlite {

namespace {

using namespace std::chrono_literals;

constexpr Duration kOpenLimit = 5s;
constexpr Duration kLookInterval = 1s;
constexpr Duration kLookLimit = 2s;

}  // namespace

struct SqliteStore::Watcher {
    Seen seen;
    bool ended = false;
    bool failing = false;
    std::optional<Revision> told;
};

class SqliteStore::Handle final : public Watch {
  public:
    explicit Handle(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
    ~Handle() override { watcher_->ended = true; }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

  private:
    std::shared_ptr<Watcher> watcher_;
};

SqliteStore::SqliteStore(EventLoop& loop, std::string path, std::unique_ptr<Database> database)
    : loop_(loop),
      path_(std::move(path)),
      database_(std::move(database)),
      events_(loop, path_, Watched::file, [this] { look(); }),
      worker_(loop, "store") {}

SqliteStore::~SqliteStore() {
    database_->close_soon();
    for (const auto& weak : watchers_)
        if (const auto watcher = weak.lock()) watcher->ended = true;
}

// --- calls -------------------------------------------------------------------------------------------------

template <class T, class Work>
void SqliteStore::call(std::string what, Instant deadline, Done<T> done, Work work) {
    auto call = std::make_shared<Call>(deadline);
    auto pending = std::make_shared<Pending<T>>(std::move(done));
    const auto in_context = [what = fmt::format("{} in SQLite file {}", what, path_)](Error error) {
        return with_context(std::move(error), what);
    };
    const auto too_late = [weak = std::weak_ptr(pending), call, in_context] {
        const auto waiting = weak.lock();
        if (!waiting) return;
        Error error{ErrorCode::timeout, "the deadline passed"};
        if (!call->abandon())
            error = {ErrorCode::timeout, "the disk did not confirm it by the deadline",
                     Certainty::maybe_done};
        waiting->answer(std::unexpected(in_context(std::move(error))));
    };
    const auto finished = [this, pending, in_context](Result<T> result) {
        look();  // own changes are seen also where there is no inotify
        if (!result) result = std::unexpected(in_context(std::move(result).error()));
        pending->answer(std::move(result));
    };
    pending->deadline = loop_.clock().call_at(deadline, scope_.guard(too_late));
    const bool taken = worker_.run([work = std::move(work), call,
                                    database = database_.get()]() mutable { return work(*database, *call); },
                                   finished);
    if (taken) return;
    call->abandon();
    loop_.post(scope_.guard([pending, in_context] {
        pending->answer(
            std::unexpected(in_context({ErrorCode::unavailable, "too many calls are waiting for the disk"})));
    }));
}

void SqliteStore::load(Instant deadline, Done<SnapshotPtr> done) {
    call<SnapshotPtr>("cannot read the cluster", deadline, std::move(done),
                      [](Database& database, Call& call) -> Result<SnapshotPtr> {
                          PGHERD_TRY(Glance glance, database.look(call, std::nullopt));
                          return std::move(glance.snapshot);
                      });
}

void SqliteStore::swap(Swap swap, Instant deadline, Done<Revision> done) {
    std::string what = fmt::format("cannot {} \"{}\"", swap.value ? "write" : "delete", swap.key);
    call<Revision>(
        std::move(what), deadline, std::move(done),
        [swap = std::move(swap)](Database& database, Call& call) { return database.swap(call, swap); });
}

void SqliteStore::grant(Duration ttl, Instant deadline, Done<LeaseId> done) {
    call<LeaseId>("cannot create a lease", deadline, std::move(done),
                  [ttl](Database& database, Call& call) { return database.grant(call, ttl); });
}

void SqliteStore::keep(LeaseId lease, Instant deadline, Done<Duration> done) {
    call<Duration>(fmt::format("cannot renew lease {}", lease.value()), deadline, std::move(done),
                   [lease](Database& database, Call& call) { return database.keep(call, lease); });
}

void SqliteStore::revoke(LeaseId lease, Instant deadline, Done<void> done) {
    call<void>(fmt::format("cannot end lease {}", lease.value()), deadline, std::move(done),
               [lease](Database& database, Call& call) { return database.revoke(call, lease); });
}

// --- watching ----------------------------------------------------------------------------------------------

std::unique_ptr<Watch> SqliteStore::watch(Seen seen) {
    auto watcher = std::make_shared<Watcher>(std::move(seen));
    watchers_.push_back(watcher);
    auto handle = std::make_unique<Handle>(std::move(watcher));
    look();
    return handle;
}

// One look at a time; what happens during one asks for another.
void SqliteStore::look() {
    std::erase_if(watchers_, [](const auto& weak) { return weak.expired(); });
    if (watchers_.empty()) {
        next_look_.reset();
        return;
    }
    if (looking_) {
        look_again_ = true;
        return;
    }
    looking_ = true;
    const auto known = latest_ ? std::optional(latest_->revision) : std::nullopt;
    auto call = std::make_shared<Call>(loop_.clock().now() + kLookLimit);
    const bool taken =
        worker_.run([call, known, database = database_.get()] { return database->look(*call, known); },
                    [this](Result<Glance> glance) { looked(std::move(glance)); });
    if (taken) return;
    looking_ = false;
    look_at(loop_.clock().now() + kLookInterval);
}

void SqliteStore::looked(Result<Glance> glance) {
    looking_ = false;
    const Instant now = loop_.clock().now();
    Instant next = now + kLookInterval;
    Result<SnapshotPtr> news;
    if (!glance) {
        news = std::unexpected(with_context(std::move(glance).error(), "cannot watch SQLite file " + path_));
    } else {
        if (glance->snapshot) latest_ = std::move(glance->snapshot);
        if (glance->first_expiry) next = std::min(next, *glance->first_expiry);
        news = latest_;
    }
    for (const auto& weak : watchers_)
        if (const auto watcher = weak.lock()) tell(watcher, news);
    if (std::exchange(look_again_, false))
        look();
    else
        look_at(next);
}

void SqliteStore::look_at(Instant when) {
    next_look_ = loop_.clock().call_at(when, [this] { look(); });
}

// Posted, so that a watcher may end watches and stores while it is told.
void SqliteStore::tell(const std::shared_ptr<Watcher>& watcher, const Result<SnapshotPtr>& news) {
    if (news ? !watcher->failing && watcher->told == (*news)->revision : watcher->failing) return;
    watcher->failing = !news;
    if (news) watcher->told = (*news)->revision;
    loop_.post([watcher, news] {
        if (!watcher->ended) watcher->seen(news);
    });
}

}  // namespace pgherd::sqlite

namespace pgherd {

Result<std::unique_ptr<Store>> open_sqlite_store(EventLoop& loop, const std::string& path) {
    auto database = std::make_unique<sqlite::Database>();
    sqlite::Call call(boottime_now() + sqlite::kOpenLimit);
    if (auto opened = database->open(path, call); !opened)
        return std::unexpected(with_context(std::move(opened).error(), "cannot open SQLite file " + path));
    return std::make_unique<sqlite::SqliteStore>(loop, path, std::move(database));
}

}  // namespace pgherd
