#include "store_kube/store_kube.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "codec/environment.h"
#include "eventloop/spawn.h"
#include "http/tls.h"
#include "http/url.h"
#include "store_kube/access.h"
#include "store_kube/api.h"
#include "store_kube/leases.h"
#include "store_kube/picture.h"
#include "store_kube/routing.h"
#include "store_kube/watches.h"
#include "store_kube/writer.h"

namespace pgherd {

namespace {

using namespace kube;

constexpr Duration kTidyLimit = std::chrono::seconds(1);

class KubeStore final : public Store {
  public:
    KubeStore(EventLoop& loop, const KubernetesConfig& config, Access access, std::string scope,
              std::string self);

    void load(Instant deadline, Done<SnapshotPtr> done) override;
    std::unique_ptr<Watch> watch(Seen seen) override { return watches_.add(std::move(seen)); }
    void swap(Swap swap, Instant deadline, Done<Revision> done) override;
    void grant(Duration ttl, Instant deadline, Done<LeaseId> done) override;
    void keep(LeaseId lease, Instant deadline, Done<Duration> done) override;
    void revoke(LeaseId lease, Instant deadline, Done<void> done) override;
    std::string describe() const override { return api_.describe(); }

  private:
    // Runs `work()` from the loop and hands its result to `done`, with `what` in front of an error.
    template <class T, class Work>
    void run(std::string what, Work work, Done<T> done);

    asio::awaitable<Result<Picture>> read_all(Instant deadline);
    asio::awaitable<Result<SnapshotPtr>> read_snapshot(Instant deadline);
    asio::awaitable<Result<Revision>> write(Swap swap, Instant deadline);
    asio::awaitable<Status> end_lease(LeaseId lease, Instant deadline);
    asio::awaitable<Result<Kind>> kind_of(const std::string& key, Instant deadline);
    asio::awaitable<Result<std::optional<Draft>>> judge(const Swap& swap, Kind kind, Instant deadline,
                                                        const Known* base, bool fresh, std::string write);
    // Whether the record is there, its lease included.
    asio::awaitable<Result<bool>> is_there(const Item& item, bool fresh, Instant deadline);
    Revision revision_of(Kind kind, const KnownPtr& known);
    void route(Draft& draft, const Known* base, const std::optional<std::string>& leader) const;
    bool holds_lock(const std::string& member) const;

    EventLoop& loop_;
    KubernetesConfig config_;
    std::string self_;
    Layout layout_;
    Api api_;
    Knowledge knowledge_;
    Writer writer_;
    Leases leases_;
    Watches watches_;
    std::string own_pod_;  // its uid, from when it was first seen
    Revision newest_;      // of the records' kind of objects that any answer has shown
    Scope scope_;
};

KubeStore::KubeStore(EventLoop& loop, const KubernetesConfig& config, Access access, std::string scope,
                     std::string self)
    : loop_(loop),
      config_(config),
      self_(std::move(self)),
      layout_(config, std::move(scope)),
      api_(loop, std::move(access), config),
      knowledge_(layout_),
      writer_(loop, api_, layout_, knowledge_),
      leases_(loop, writer_, knowledge_, layout_, config_, self_),
      watches_(loop, api_, writer_, leases_, knowledge_, layout_) {
    api_.on_answer = [this](bool works, Instant asked) { watches_.answered(works, asked); };
    leases_.on_written = [this](std::int64_t version) { watches_.expect(leases_.kind(), version); };
    leases_.on_lock = [this](Draft& draft, const Known* base, const std::string& leader) {
        route(draft, base, leader);
    };
    watches_.on_cleared = [this](Draft& draft, const Known* base, const std::string& key) {
        if (key == "leader") route(draft, base, std::nullopt);
        if (pod_of(key)) draft.labels = role_labels(config_, std::nullopt, false);
    };
}

// A coroutine whose call has no answer is never resumed: the API goes with the store.
template <class T, class Work>
void KubeStore::run(std::string what, Work work, Done<T> done) {
    auto perform = [](std::string text, Work inner, Done<T> finish) -> asio::awaitable<void> {
        Result<T> result = co_await inner();
        if (!result) result = std::unexpected(with_context(std::move(result).error(), text));
        finish(std::move(result));
    };
    loop_.post(scope_.guard(
        [this, perform, what = std::move(what), work = std::move(work), done = std::move(done)]() mutable {
            spawn(loop_, perform(std::move(what), std::move(work), std::move(done)));
        }));
}

// --- reading -----------------------------------------------------------------------------------------------

// Leases after what hangs on them.
asio::awaitable<Result<Picture>> KubeStore::read_all(Instant deadline) {
    Picture picture(layout_, knowledge_, leases_.kind() == Kind::lease);
    for (const Kind kind : {Kind::pod, Kind::main, Kind::lease}) {
        if (kind == Kind::lease && leases_.kind() != Kind::lease) continue;
        auto list = co_await writer_.list(kind, deadline);
        if (!list) co_return std::unexpected(std::move(list).error());
        picture.replace(kind, std::move(*list));
    }
    newest_ = std::max(newest_, picture.revision());
    co_return picture;
}

asio::awaitable<Result<SnapshotPtr>> KubeStore::read_snapshot(Instant deadline) {
    auto picture = co_await read_all(deadline);
    if (!picture) co_return std::unexpected(std::move(picture).error());
    co_return picture->snapshot();
}

void KubeStore::load(Instant deadline, Done<SnapshotPtr> done) {
    auto work = [this, deadline] { return read_snapshot(deadline); };
    run<SnapshotPtr>("cannot read the store", std::move(work), std::move(done));
}

// --- writing -----------------------------------------------------------------------------------------------

// A member is its pod, if the cluster has one of that name. One whose pod was replaced, and that lives on
// where nobody could reach it, must not speak for its successor.
asio::awaitable<Result<Kind>> KubeStore::kind_of(const std::string& key, Instant deadline) {
    const auto pod = pod_of(key);
    if (!pod) co_return Kind::main;
    KnownPtr known = knowledge_.latest(Kind::pod, *pod);
    if (!known) {
        auto got = co_await writer_.get(Kind::pod, *pod, deadline);
        if (!got) co_return std::unexpected(std::move(got).error());
        known = std::move(*got);
    }
    if (!known || !layout_.belongs(known->object.labels)) co_return Kind::main;
    if (*pod == self_) {
        if (own_pod_.empty()) own_pod_ = known->object.uid;
        if (own_pod_ != known->object.uid)
            co_return fail(ErrorCode::denied, fmt::format("the pod \"{}\" is another one now", *pod));
    }
    co_return Kind::pod;
}

asio::awaitable<Result<bool>> KubeStore::is_there(const Item& item, bool fresh, Instant deadline) {
    const LeaseId lease = item.record.lease;
    if (lease == LeaseId() || item.foreign_lease) co_return true;
    if (!fresh && watches_.picture().has_lease(lease)) co_return true;
    co_return co_await leases_.lives(lease, deadline);
}

bool KubeStore::holds_lock(const std::string& member) const {
    const KnownPtr known = knowledge_.latest(Kind::main, layout_.leader_object());
    if (!known) return true;  // nothing is known: the member must know
    const auto leader = known->reading.items.find("leader");
    return leader != known->reading.items.end() && leader->second.record.value == member;
}

// Clients follow the lock: in the same change.
void KubeStore::route(Draft& draft, const Known* base, const std::optional<std::string>& leader) const {
    if (!layout_.endpoints()) return;
    const Json present = base ? base->object.subsets : Json();
    if (!leader) {
        draft.subsets = no_addresses(present);
        return;
    }
    const KnownPtr pod = knowledge_.latest(Kind::pod, *leader);
    draft.subsets =
        leader_addresses(config_, api_.name_space(), present,
                         *leader == self_ ? config_.pod_ip : std::string(), pod ? &pod->object : nullptr);
}

asio::awaitable<Result<std::optional<Draft>>> KubeStore::judge(const Swap& swap, Kind kind, Instant deadline,
                                                               const Known* base, bool fresh,
                                                               std::string write) {
    Reading reading = base ? base->reading : Reading{};
    auto found = reading.items.find(swap.key);
    if (found != reading.items.end()) {
        const auto there = co_await is_there(found->second, fresh, deadline);
        if (!there) co_return std::unexpected(there.error());
        if (!*there) {
            reading.items.erase(found);
            found = reading.items.end();
        }
    }
    const Record* record = found == reading.items.end() ? nullptr : &found->second.record;
    bool holds = true;
    if (std::holds_alternative<IfAbsent>(swap.expect)) holds = !record;
    if (const auto* revision = std::get_if<IfRevision>(&swap.expect))
        holds = record && (record->modified == revision->modified ||
                           (kind == Kind::pod && record->modified > revision->modified &&
                            std::min(record->modified, watches_.picture().revision()) == revision->modified));
    if (const auto* value = std::get_if<IfValue>(&swap.expect))
        holds = record && record->value == value->value;
    if (!holds) co_return fail(ErrorCode::conflict, "it was changed by somebody else");
    if (!swap.value && !record) co_return std::nullopt;

    const Field field = kind == Kind::pod ? Layout::fields_of_pod(base ? base->object.name : "").front()
                                          : layout_.field_of(swap.key);
    const Change change{field, swap.value, swap.lease};
    AnnotationChanges more;
    Draft draft;
    if (swap.key == "leader") {
        if (swap.value) more = leases_.lock_annotations(base, *swap.value, swap.lease);
        route(draft, base, swap.value);
    }
    if (kind == Kind::pod) draft.labels = role_labels(config_, swap.value, holds_lock(base->object.name));
    draft.annotations = change_of(base ? &base->object : nullptr, reading, &change, more, write);
    co_return draft;
}

// Members are shown at once, since their revision does not tell whether a snapshot has them.
Revision KubeStore::revision_of(Kind kind, const KnownPtr& known) {
    if (!known) return newest_;
    const Revision version(known->object.version);
    watches_.expect(kind, version.value());
    if (kind == Kind::main) {
        newest_ = std::max(newest_, version);
        return version;
    }
    if (!watches_.showing()) return version;
    return std::min(version, watches_.picture().revision());
}

asio::awaitable<Result<Revision>> KubeStore::write(Swap swap, Instant deadline) {
    if (swap.value && swap.lease != LeaseId()) {
        const auto lives = co_await leases_.lives(swap.lease, deadline);
        if (!lives) co_return std::unexpected(lives.error());
        if (!*lives) co_return fail(ErrorCode::not_found, "the lease has ended");
    }
    const auto kind = co_await kind_of(swap.key, deadline);
    if (!kind) co_return std::unexpected(kind.error());
    const std::string object = *kind == Kind::pod ? *pod_of(swap.key) : layout_.object_of(swap.key);
    auto judged = [this, &swap, kind = *kind, deadline](const Known* base, bool fresh,
                                                        const std::string& name) {
        return judge(swap, kind, deadline, base, fresh, name);
    };
    auto changed = co_await writer_.change(*kind, object, judged, deadline);
    if (!changed) {
        // What it failed on is to be seen by the watch as well.
        if (const KnownPtr known = knowledge_.latest(*kind, object))
            watches_.expect(*kind, known->object.version);
        co_return std::unexpected(std::move(changed).error());
    }
    const Revision revision = revision_of(*kind, *changed);
    if (swap.key == "leader") leases_.wrote_lock(swap.lease, swap.value.value_or(""));
    // An object without its only record is of no use.
    if (!swap.value && *changed && *kind == Kind::main && layout_.own_object(swap.key))
        co_await writer_.erase(*kind, object, (*changed)->object.uid, (*changed)->object.version,
                               std::min(deadline, loop_.clock().now() + kTidyLimit));
    if (*kind == Kind::pod && *changed) watches_.show(Kind::pod, (*changed)->object);
    co_return revision;
}

void KubeStore::swap(Swap swap, Instant deadline, Done<Revision> done) {
    std::string what = fmt::format("cannot write \"{}\"", swap.key);
    auto work = [this, deadline, swap = std::move(swap)] { return write(swap, deadline); };
    run<Revision>(std::move(what), std::move(work), std::move(done));
}

// --- leases ------------------------------------------------------------------------------------------------

void KubeStore::grant(Duration ttl, Instant deadline, Done<LeaseId> done) {
    auto work = [this, ttl, deadline] { return leases_.grant(ttl, deadline); };
    run<LeaseId>("cannot get a lease", std::move(work), std::move(done));
}

void KubeStore::keep(LeaseId lease, Instant deadline, Done<Duration> done) {
    auto work = [this, lease, deadline] { return leases_.keep(lease, deadline); };
    run<Duration>("cannot keep the lease", std::move(work), std::move(done));
}

asio::awaitable<Status> KubeStore::end_lease(LeaseId lease, Instant deadline) {
    const bool own = leases_.own(lease);
    const Status ended = co_await leases_.end(lease, deadline);
    const bool gone = ended || (own && ended.error().code == ErrorCode::not_found);
    if (!gone) co_return ended;
    if (watches_.active() && watches_.picture().complete()) {
        co_await watches_.clear_records(watches_.picture().places(lease), deadline);
    } else if (const auto picture = co_await read_all(deadline)) {
        co_await watches_.clear_records(picture->places(lease), deadline);
    }
    co_return ended;
}

void KubeStore::revoke(LeaseId lease, Instant deadline, Done<void> done) {
    auto work = [this, lease, deadline] { return end_lease(lease, deadline); };
    run<void>("cannot end the lease", std::move(work), std::move(done));
}

}  // namespace

Result<std::unique_ptr<Store>> open_kube_store(EventLoop& loop, const KubernetesConfig& config,
                                               std::string scope, const MemberName& self) {
    PGHERD_TRY(Access access, find_access(config, current_environment()));
    PGHERD_CHECK(client_tls(access.tls));
    return std::make_unique<KubeStore>(loop, config, std::move(access), std::move(scope), self.text());
}

Result<std::set<std::string>> find_kube_clusters(EventLoop& loop, const KubernetesConfig& config,
                                                 Duration patience) {
    PGHERD_TRY(Access access, find_access(config, current_environment()));
    auto answer = std::make_shared<std::optional<Result<JsonObject>>>();
    Api api(loop, std::move(access), config);
    const std::string path =
        fmt::format("/api/v1/namespaces/{}/{}?labelSelector={}", api.name_space(),
                    config.use_endpoints ? "endpoints" : "configmaps", percent_encode(config.scope_label));
    const auto ask = [](Api& asked, std::string what, Instant deadline,
                        auto result) -> asio::awaitable<void> {
        *result = co_await asked.call({"GET", std::move(what)}, deadline);
    };
    spawn(loop, ask(api, path, loop.clock().now() + patience, answer));
    loop.run_until([&] { return answer->has_value(); }, patience + std::chrono::seconds(1));
    if (!*answer) return fail(ErrorCode::timeout, fmt::format("{} does not answer", api.describe()));
    if (!**answer) return std::unexpected((*answer)->error());
    PGHERD_TRY(const ObjectList list, parse_list(***answer));
    std::set<std::string> names;
    for (const Object& object : list.objects)
        if (const auto label = object.labels.find(config.scope_label); label != object.labels.end())
            names.insert(label->second);
    return names;
}

}  // namespace pgherd
