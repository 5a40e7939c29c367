// The leases of the port: objects that live as long as somebody renews them.
//
// A renewal is one small PATCH of the lease's own object. Where Patroni may look on, the leader's lock is
// renewed in Patroni's way as well: then the lock counts only when both were done, and a lock that somebody
// else has taken ends the lease.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "model/agent_config.h"
#include "ports/store.h"
#include "store_kube/writer.h"

namespace pgherd::kube {

class Leases {
  public:
    Leases(EventLoop& loop, Writer& writer, Knowledge& knowledge, const Layout& layout,
           const KubernetesConfig& config, std::string holder);

    asio::awaitable<Result<LeaseId>> grant(Duration ttl, Instant deadline);
    asio::awaitable<Result<Duration>> keep(LeaseId lease, Instant deadline);
    // The object only; its records are the caller's business.
    asio::awaitable<Status> end(LeaseId lease, Instant deadline);
    // The same, if it has not been renewed since this version.
    asio::awaitable<Status> end_version(LeaseId lease, const Object& seen, Instant deadline);

    // Null: it has ended.
    asio::awaitable<Result<KnownPtr>> read(LeaseId lease, Instant deadline);
    // Does not ask for what this client has kept itself and may still count on.
    asio::awaitable<Result<bool>> lives(LeaseId lease, Instant deadline);
    void ended(LeaseId lease) { own_.erase(lease); }
    // This client has written the lock: for `leader`, or for nobody.
    void wrote_lock(LeaseId lease, const std::string& leader);
    bool own(LeaseId lease) const { return own_.contains(lease); }

    // The leader's annotations for Patroni, as of now.
    AnnotationChanges lock_annotations(const Known* base, const std::string& leader, LeaseId lease) const;

    Kind kind() const { return lease_objects_ ? Kind::lease : Kind::main; }
    static Duration ttl_of(const Object& object);

    // Version of a lease's object after it was granted or kept.
    std::function<void(std::int64_t)> on_written;
    // What else belongs to a change of the lock: where clients are led to.
    std::function<void(Draft&, const Known* base, const std::string& leader)> on_lock;

  private:
    struct Own {
        Duration ttl;
        Instant until;
        std::string leads;  // whose lock hangs on it, as this client wrote it
    };
    asio::awaitable<Status> renew_lock(LeaseId lease, Instant deadline);
    asio::awaitable<Result<std::optional<Draft>>> judge_lock(const Known* base, std::string write,
                                                             LeaseId lease, std::string leader);
    JsonObject spec(Duration ttl, bool is_new) const;
    std::string now() const;

    EventLoop& loop_;
    Writer& writer_;
    Knowledge& knowledge_;
    const Layout& layout_;
    bool lease_objects_;
    std::string holder_;
    std::map<LeaseId, Own> own_;
};

}  // namespace pgherd::kube
