// Calls of a Store with results that the test waits for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "eventloop/loop.h"
#include "ports/store.h"

namespace pgherd {

class StoreCaller {
  public:
    // `limit`: the deadline of each call that names none.
    StoreCaller(EventLoop& loop, Duration limit) : loop_(loop), limit_(limit) {}

    Result<SnapshotPtr> load(Store& store) { return load(store, limit_); }
    Result<SnapshotPtr> load(Store& store, Duration limit) {
        return wait<SnapshotPtr>([&](Instant d, auto done) { store.load(d, std::move(done)); }, limit);
    }
    Result<Revision> swap(Store& store, Swap what) { return swap(store, std::move(what), limit_); }
    Result<Revision> swap(Store& store, Swap what, Duration limit) {
        return wait<Revision>([&](Instant d, auto done) { store.swap(std::move(what), d, std::move(done)); },
                              limit);
    }
    Result<Revision> put(Store& store, std::string key, std::string value, LeaseId lease = {}) {
        return put(store, std::move(key), std::move(value), lease, limit_);
    }
    Result<Revision> put(Store& store, std::string key, std::string value, LeaseId lease, Duration limit) {
        return swap(store, {std::move(key), Always{}, std::move(value), lease}, limit);
    }
    Result<LeaseId> grant(Store& store, Duration ttl) {
        return wait<LeaseId>([&](Instant d, auto done) { store.grant(ttl, d, std::move(done)); }, limit_);
    }
    Result<Duration> keep(Store& store, LeaseId lease) { return keep(store, lease, limit_); }
    Result<Duration> keep(Store& store, LeaseId lease, Duration limit) {
        return wait<Duration>([&](Instant d, auto done) { store.keep(lease, d, std::move(done)); }, limit);
    }
    Status revoke(Store& store, LeaseId lease) {
        return wait<void>([&](Instant d, auto done) { store.revoke(lease, d, std::move(done)); }, limit_);
    }
    // Whether it answers at last: a server needs a moment to come up.
    bool reachable(Store& store) {
        return loop_.run_until([&] { return load(store, std::chrono::seconds(1)).has_value(); }, limit_);
    }

  private:
    // The loop runs some time beyond the deadline, so that it is the store that says it has passed.
    template <class T, class Call>
    Result<T> wait(Call call, Duration limit) {
        auto answer = std::make_shared<std::optional<Result<T>>>();
        call(loop_.clock().now() + limit, [answer](Result<T> result) { answer->emplace(std::move(result)); });
        if (!loop_.run_until([&] { return answer->has_value(); }, limit + limit_)) return fail("no answer");
        return std::move(**answer);
    }

    EventLoop& loop_;
    Duration limit_;
};

}  // namespace pgherd
