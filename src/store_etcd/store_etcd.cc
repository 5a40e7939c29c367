#include "store_etcd/store_etcd.h"

#include <vector>

#include <fmt/format.h>

#include "http/tls.h"
#include "store_etcd/gateway.h"
#include "store_etcd/messages.h"
#include "store_etcd/watch.h"

namespace pgherd {

namespace {

using namespace etcd;

class WatchHandle final : public Watch {
  public:
    explicit WatchHandle(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
    ~WatchHandle() override { watcher_->end(); }

  private:
    std::shared_ptr<Watcher> watcher_;
};

class EtcdStore final : public Store {
  public:
    EtcdStore(EventLoop& loop, const StoreConfig& config, std::string prefix)
        : loop_(loop), prefix_(std::move(prefix)), gateway_(loop, config) {
        gateway_.on_moved = [this] { resync(); };
    }
    ~EtcdStore() override {
        for (const auto& weak : watchers_)
            if (const auto watcher = weak.lock()) watcher->end();
    }

    void load(Instant deadline, Done<SnapshotPtr> done) override;
    std::unique_ptr<Watch> watch(Seen seen) override;
    void swap(Swap swap, Instant deadline, Done<Revision> done) override;
    void grant(Duration ttl, Instant deadline, Done<LeaseId> done) override;
    void keep(LeaseId lease, Instant deadline, Done<Duration> done) override;
    void revoke(LeaseId lease, Instant deadline, Done<void> done) override;
    std::string describe() const override { return gateway_.describe(); }

  private:
    // One call whose answer `parse` turns into the result. `what` goes in front of an error.
    template <class T, class Parse>
    void write(std::string path, std::string body, Repeat repeat, Instant deadline, std::string what,
               Parse parse, Done<T> done);
    void resync();

    EventLoop& loop_;
    std::string prefix_;
    std::vector<std::weak_ptr<Watcher>> watchers_;
    Gateway gateway_;
};

void EtcdStore::resync() {
    std::erase_if(watchers_, [](const auto& weak) { return weak.expired(); });
    for (const auto& weak : watchers_)
        if (const auto watcher = weak.lock()) watcher->resync();
}

// A write that failed may mean that the watches are behind: they read anew.
template <class T, class Parse>
void EtcdStore::write(std::string path, std::string body, Repeat repeat, Instant deadline, std::string what,
                      Parse parse, Done<T> done) {
    auto answered = [this, what = std::move(what), parse = std::move(parse),
                     done = std::move(done)](Result<JsonObject> answer) mutable {
        Result<T> result =
            answer ? parse(*answer) : Result<T>(std::unexpected(with_context(answer.error(), what)));
        if (!result) resync();
        done(std::move(result));
    };
    gateway_.call(std::move(path), std::move(body), repeat, deadline, std::move(answered));
}

void EtcdStore::load(Instant deadline, Done<SnapshotPtr> done) {
    auto answered = [prefix = prefix_, done = std::move(done)](Result<JsonObject> answer) mutable {
        Result<Snapshot> snapshot =
            answer ? parse_range(*answer, prefix) : Result<Snapshot>(std::unexpected(answer.error()));
        if (!snapshot) return done(std::unexpected(with_context(snapshot.error(), "cannot read the store")));
        done(std::make_shared<const Snapshot>(std::move(*snapshot)));
    };
    gateway_.call("/kv/range", range_message(prefix_), Repeat::reading, deadline, std::move(answered));
}

std::unique_ptr<Watch> EtcdStore::watch(Seen seen) {
    auto watcher = std::make_shared<Watcher>(loop_, gateway_, prefix_, std::move(seen));
    watchers_.push_back(watcher);
    watcher->begin();
    return std::make_unique<WatchHandle>(std::move(watcher));
}

void EtcdStore::swap(Swap swap, Instant deadline, Done<Revision> done) {
    std::string body = txn_message(prefix_, swap);
    std::string what = fmt::format("cannot write \"{}\"", swap.key);
    auto parse = [key = std::move(swap.key)](const JsonObject& answer) { return parse_txn(answer, key); };
    write<Revision>("/kv/txn", std::move(body), Repeat::never, deadline, std::move(what), std::move(parse),
                    std::move(done));
}

// A lease that was granted unseen runs out by itself, so asking twice is harmless.
void EtcdStore::grant(Duration ttl, Instant deadline, Done<LeaseId> done) {
    write<LeaseId>("/lease/grant", grant_message(ttl), Repeat::harmless, deadline, "cannot get a lease",
                   parse_grant, std::move(done));
}

void EtcdStore::keep(LeaseId lease, Instant deadline, Done<Duration> done) {
    write<Duration>("/lease/keepalive", lease_message(lease), Repeat::harmless, deadline,
                    "cannot keep the lease", parse_keep_alive, std::move(done));
}

void EtcdStore::revoke(LeaseId lease, Instant deadline, Done<void> done) {
    const auto parse = [](const JsonObject&) { return Status{}; };
    // This path exists in 3.3 and in later versions.
    write<void>("/kv/lease/revoke", lease_message(lease), Repeat::never, deadline, "cannot end the lease",
                parse, std::move(done));
}

}  // namespace

Result<std::unique_ptr<Store>> open_etcd_store(EventLoop& loop, const StoreConfig& config,
                                               std::string key_prefix) {
    if (config.endpoints.empty()) return fail(ErrorCode::invalid, "cannot use etcd: no host is given");
    if (config.https) PGHERD_CHECK(client_tls(config.tls));
    return std::make_unique<EtcdStore>(loop, config, std::move(key_prefix));
}

}  // namespace pgherd
