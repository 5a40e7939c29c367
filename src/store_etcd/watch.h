// One watch: read everything, report it, follow the changes from there; after any trouble begin anew.
//
// Reading anew instead of resuming the stream makes compaction, reconnects, another endpoint and a restored
// etcd one case. The records of a cluster are a few kilobytes, so this is cheap. While etcd cannot be
// reached, it tries again within a second.
#pragma once

#include <memory>
#include <string>

#include "eventloop/loop.h"
#include "ports/store.h"
#include "store_etcd/gateway.h"

namespace pgherd::etcd {

class Watcher : public std::enable_shared_from_this<Watcher> {
  public:
    Watcher(EventLoop& loop, Gateway& gateway, std::string prefix, Store::Seen seen);

    void begin();
    // There are doubts whether the stream shows everything: read anew.
    void resync();
    // Nothing is reported any more, the gateway is not used any more.
    void end();
    bool ended() const { return gateway_ == nullptr; }

  private:
    void load();
    void loaded(Result<JsonObject> answer);
    void follow();
    void take(std::string_view chunk);
    void trouble(Error error);
    void report(Result<SnapshotPtr> what);

    EventLoop& loop_;
    Gateway* gateway_;
    std::string prefix_;
    Store::Seen seen_;
    SnapshotPtr last_;
    std::string line_;  // of the stream, not complete yet
    std::unique_ptr<HttpStream> stream_;
    Timer again_;
    int troubles_ = 0;  // since the stream last worked
    std::uint64_t round_ = 0;
    bool loading_ = false;
    bool interrupted_ = false;  // and reported
};

}  // namespace pgherd::etcd
