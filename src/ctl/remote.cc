#include "ctl/remote.h"

#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "codec/records.h"
#include "eventloop/loop.h"
#include "http/client.h"
#include "store_etcd/store_etcd.h"
#include "store_kube/store_kube.h"
#include "store_sqlite/store_sqlite.h"

namespace pgherd::ctl {
namespace {

constexpr Duration kStorePatience = std::chrono::seconds(10);
constexpr Duration kGrace = std::chrono::seconds(1);  // a call tells of its deadline by itself

// Starts a call and runs the loop until its answer is there.
template <class T, class Start>
Result<T> wait_for(EventLoop& loop, Duration patience, Start start) {
    auto answer = std::make_shared<std::optional<Result<T>>>();
    start(loop.clock().now() + patience,
          Done<T>([answer](Result<T> result) { *answer = std::move(result); }));
    loop.run_until([&] { return answer->has_value(); }, patience + kGrace);
    if (!*answer)
        return fail(ErrorCode::timeout, fmt::format("no answer within {}", to_text(patience)),
                    Certainty::maybe_done);
    return std::move(**answer);
}

Result<std::unique_ptr<Store>> open_store(EventLoop& loop, const StoreConfig& config,
                                          const std::string& prefix, const std::string& scope) {
    switch (config.kind) {
        case StoreKind::sqlite:
            // Opening would create it.
            if (::access(config.path.c_str(), F_OK) != 0)
                return fail(
                    ErrorCode::not_found,
                    errno == ENOENT
                        ? fmt::format("no cluster: the store {} does not exist", config.path)
                        : fmt::format("cannot open the store {}: {}", config.path, std::strerror(errno)));
            return open_sqlite_store(loop, config.path);
        case StoreKind::etcd: return open_etcd_store(loop, config, prefix);
        case StoreKind::kubernetes: return open_kube_store(loop, config.kubernetes, scope, MemberName());
    }
    return fail(ErrorCode::invalid, "no store is configured");
}

HttpClientOptions client_options(const CtlConfig& rest) {
    HttpClientOptions options;
    options.tls = rest.tls;
    if (rest.insecure) options.tls.verify = false;
    return options;
}

class ConnectedRemote final : public Remote {
  public:
    ConnectedRemote(std::unique_ptr<EventLoop> loop, std::unique_ptr<Store> store, const CtlConfig& rest)
        : loop_(std::move(loop)), store_(std::move(store)), client_(*loop_, client_options(rest)) {
        if (!rest.username.empty()) headers_.push_back(basic_authorization(rest.username, rest.password));
        headers_.emplace_back("Content-Type", "application/json");
    }

    Result<Loaded> load() override {
        auto snapshot = wait_for<SnapshotPtr>(*loop_, kStorePatience, [&](Instant deadline, auto done) {
            store_->load(deadline, std::move(done));
        });
        if (!snapshot) return std::unexpected(with_context(snapshot.error(), "cannot read the cluster"));
        std::map<std::string, StoredRecord> records;
        for (const auto& [key, record] : (*snapshot)->records)
            records[key] = {record.value, record.modified, record.lease};
        return Loaded{parse_cluster((*snapshot)->revision, records), *snapshot};
    }

    Result<Revision> swap(Swap swap) override {
        return wait_for<Revision>(*loop_, kStorePatience, [&](Instant deadline, auto done) {
            store_->swap(std::move(swap), deadline, std::move(done));
        });
    }

    Result<HttpResponse> call(const Member& member, const RestCall& call) override {
        std::string url = member.api_url.substr(0, member.api_url.rfind('/') + 1) + call.path;
        if (member.api_url.empty())
            return fail(fmt::format("cannot ask \"{}\": it has published no address", member.name.text()));
        auto answer = wait_for<HttpClientResponse>(*loop_, call.timeout, [&](Instant deadline, auto done) {
            client_.request(call.method, url, headers_, call.body, deadline, std::move(done));
        });
        if (!answer)
            return fail(ErrorCode::failed,
                        fmt::format("cannot ask \"{}\": {}", member.name.text(), answer.error().message),
                        answer.error().certainty);
        return HttpResponse{.status = answer->status, .body = std::move(answer->body)};
    }

    void sleep(Duration duration) override {
        loop_->run_until([] { return false; }, duration);
    }

  private:
    std::unique_ptr<EventLoop> loop_;
    std::unique_ptr<Store> store_;
    HttpClient client_;
    HttpHeaders headers_;
};

// Names of the clusters below the namespace: what stands before the first "/" of a key.
Result<std::set<std::string>> scopes(EventLoop& loop, const Location& location) {
    if (location.store.kind == StoreKind::kubernetes)
        return find_kube_clusters(loop, location.store.kubernetes, kStorePatience);
    PGHERD_TRY(auto store, open_store(loop, location.store, "/" + location.namespace_ + "/", ""));
    auto snapshot = wait_for<SnapshotPtr>(
        loop, kStorePatience, [&](Instant deadline, auto done) { store->load(deadline, std::move(done)); });
    if (!snapshot) return std::unexpected(with_context(snapshot.error(), "cannot look for clusters"));
    std::set<std::string> names;
    for (const auto& [key, record] : (*snapshot)->records)
        if (auto slash = key.find('/'); slash != std::string::npos) names.insert(key.substr(0, slash));
    return names;
}

std::string listed(const std::set<std::string>& names) {
    return join({names.begin(), names.end()}, ", ");
}

Status choose_scope(EventLoop& loop, Location& location) {
    if (!location.scope.empty()) return {};
    if (location.store.kind == StoreKind::sqlite) {
        // A file holds one cluster and does not tell its name.
        location.scope = "pgherd";
        return {};
    }
    PGHERD_TRY(auto names, scopes(loop, location));
    if (names.empty())
        return fail(ErrorCode::not_found,
                    fmt::format("no cluster below /{}/ in {}", location.namespace_, location.source));
    if (names.size() > 1)
        return fail(ErrorCode::invalid, fmt::format("{} holds several clusters: {}; choose one with --scope",
                                                    location.source, listed(names)));
    location.scope = *names.begin();
    return {};
}

// A mistyped name must not look like a cluster without members.
Status require_records(EventLoop& loop, const Location& location, Remote& remote) {
    PGHERD_TRY(auto loaded, remote.load());
    if (!loaded.snapshot->records.empty()) return {};
    if (location.store.kind == StoreKind::sqlite) return {};
    PGHERD_TRY(auto names, scopes(loop, location));
    return fail(ErrorCode::not_found,
                fmt::format("no cluster \"{}\" in {}{}", location.scope, location.source,
                            names.empty() ? "; there is none at all" : "; there is: " + listed(names)));
}

}  // namespace

const Record* Loaded::record(const std::string& key) const {
    auto found = snapshot->records.find(key);
    return found == snapshot->records.end() ? nullptr : &found->second;
}

Result<std::unique_ptr<Remote>> connect(Location& location) {
    auto owned_loop = std::make_unique<EventLoop>();
    EventLoop& loop = *owned_loop;
    PGHERD_CHECK(choose_scope(loop, location));
    PGHERD_TRY(auto store, open_store(loop, location.store, location.key_prefix(), location.scope));
    std::unique_ptr<Remote> remote =
        std::make_unique<ConnectedRemote>(std::move(owned_loop), std::move(store), location.rest);
    PGHERD_CHECK(require_records(loop, location, *remote));
    return remote;
}

}  // namespace pgherd::ctl
