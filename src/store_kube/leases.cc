#include "store_kube/leases.h"

#include <algorithm>

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "base/text.h"

namespace pgherd::kube {

namespace {

const std::string kTtl = "pgherd.dev/ttl";
constexpr Duration kUnknownTtl = std::chrono::seconds(30);  // Patroni's default

std::int64_t seconds(Duration ttl) {
    return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(ttl).count());
}

const Item* lock_in(const Known* known) {
    if (!known) return nullptr;
    const auto found = known->reading.items.find("leader");
    return found == known->reading.items.end() ? nullptr : &found->second;
}

std::unexpected<Error> lock_taken() {
    return fail(ErrorCode::not_found, "the leader's lock was taken by another member");
}

}  // namespace

Leases::Leases(EventLoop& loop, Writer& writer, Knowledge& knowledge, const Layout& layout,
               const KubernetesConfig& config, std::string holder)
    : loop_(loop),
      writer_(writer),
      knowledge_(knowledge),
      layout_(layout),
      lease_objects_(config.leases),
      holder_(std::move(holder)) {}

std::string Leases::now() const {
    return to_iso(loop_.clock().wall());
}

// For people, who read it in `kubectl get leases`.
JsonObject Leases::spec(Duration ttl, bool is_new) const {
    std::string time = now().substr(0, 19);
    time += ".000000Z";
    JsonObject spec{{"renewTime", time}};
    if (!is_new) return spec;
    spec["acquireTime"] = time;
    spec["holderIdentity"] = holder_;
    spec["leaseDurationSeconds"] = seconds(ttl);
    return spec;
}

Duration Leases::ttl_of(const Object& object) {
    const std::string* text = object.annotation(kTtl);
    const auto ttl = text ? parse_duration(*text) : fail("");
    return ttl && *ttl > Duration{} ? *ttl : kUnknownTtl;
}

asio::awaitable<Result<LeaseId>> Leases::grant(Duration ttl, Instant deadline) {
    const Instant sent = loop_.clock().now();
    const LeaseId lease(static_cast<std::int64_t>(loop_.random().next() >> 1U | 1U));
    AnnotationChanges annotations{
        {kTtl, fmt::format("{}us", std::chrono::ceil<std::chrono::microseconds>(ttl).count())},
        {"renewTime", now()}};
    if (!holder_.empty()) annotations["holder"] = holder_;
    JsonObject body = writer_.new_object(kind(), layout_.lease_object(lease), annotations);
    if (lease_objects_) body["spec"] = spec(ttl, true);
    auto made = co_await writer_.create(kind(), body, deadline);
    if (!made) {
        // A lease that was made unseen ends by itself.
        made.error().certainty = Certainty::not_done;
        co_return std::unexpected(std::move(made).error());
    }
    own_[lease] = {ttl, sent + ttl, {}};
    if (on_written) on_written(made->version);
    co_return lease;
}

asio::awaitable<Result<Duration>> Leases::keep(LeaseId lease, Instant deadline) {
    const Instant sent = loop_.clock().now();
    const AnnotationChanges renewed{{"renewTime", now()}};
    JsonObject body{{"metadata", JsonObject{{"annotations", to_json(renewed)}}}};
    if (lease_objects_) body["spec"] = spec({}, false);
    auto kept = co_await writer_.patch(kind(), layout_.lease_object(lease), body, Repeat::harmless, deadline);
    if (!kept) {
        if (kept.error().code == ErrorCode::not_found) ended(lease);
        co_return std::unexpected(std::move(kept).error());
    }
    const Duration ttl = ttl_of(*kept);
    if (on_written) on_written(kept->version);
    if (!lease_objects_) {
        if (Status lock = co_await renew_lock(lease, deadline); !lock) {
            if (lock.error().code == ErrorCode::not_found)
                ended(lease);
            else
                lock.error().certainty = Certainty::maybe_done;  // half of it is
            co_return std::unexpected(std::move(lock).error());
        }
    }
    Own& own = own_[lease];
    own.ttl = ttl;
    own.until = sent + ttl;
    co_return ttl;
}

AnnotationChanges Leases::lock_annotations(const Known* base, const std::string& leader,
                                           LeaseId lease) const {
    const auto text = [&](const char* name) {
        const std::string* found = base ? base->object.annotation(name) : nullptr;
        return found ? *found : std::string();
    };
    const auto own = own_.find(lease);
    const std::string time = now();
    AnnotationChanges changes{{"renewTime", time}};
    changes["ttl"] = std::to_string(seconds(own == own_.end() ? kUnknownTtl : own->second.ttl));
    const bool same = text("leader") == leader && !text("acquireTime").empty();
    changes["acquireTime"] = same ? text("acquireTime") : time;
    const auto before = parse_int(text("transitions"));
    changes["transitions"] = std::to_string((before ? *before : 0) + (before && !same ? 1 : 0));
    return changes;
}

void Leases::wrote_lock(LeaseId lease, const std::string& leader) {
    for (auto& [each, own] : own_) own.leads = each == lease ? leader : std::string();
}

asio::awaitable<Result<std::optional<Draft>>> Leases::judge_lock(const Known* base, std::string write,
                                                                 LeaseId lease, std::string leader) {
    const Item* item = lock_in(base);
    // Released, or moved to another lease of the same leader.
    if (!item || (item->record.lease != lease && item->record.value == leader && !item->foreign_lease))
        co_return std::nullopt;
    if (item->record.lease != lease) co_return lock_taken();
    Draft draft;
    draft.annotations =
        change_of(&base->object, base->reading, nullptr, lock_annotations(base, leader, lease), write);
    if (on_lock) on_lock(draft, base, leader);
    co_return draft;
}

// Only if the lock is known to hang on this lease. Who has taken it meanwhile has ended the lease.
asio::awaitable<Status> Leases::renew_lock(LeaseId lease, Instant deadline) {
    const KnownPtr known = knowledge_.latest(Kind::main, layout_.leader_object());
    const Item* held = lock_in(known.get());
    const auto own = own_.find(lease);
    if (held && own != own_.end() && !own->second.leads.empty() &&
        (held->foreign_lease || held->record.value != own->second.leads))
        co_return lock_taken();
    if (!held || held->record.lease != lease || held->foreign_lease) co_return Status{};
    auto judge = [this, lease, leader = held->record.value](const Known* base, bool,
                                                            const std::string& write) {
        return judge_lock(base, write, lease, leader);
    };
    auto changed = co_await writer_.change(Kind::main, layout_.leader_object(), std::move(judge), deadline);
    if (changed && *changed && on_written) on_written((*changed)->object.version);
    if (!changed) co_return std::unexpected(std::move(changed).error());
    co_return Status{};
}

asio::awaitable<Status> Leases::end(LeaseId lease, Instant deadline) {
    ended(lease);
    co_return co_await writer_.erase(kind(), layout_.lease_object(lease), {}, 0, deadline);
}

asio::awaitable<Status> Leases::end_version(LeaseId lease, const Object& seen, Instant deadline) {
    co_return co_await writer_.erase(kind(), layout_.lease_object(lease), seen.uid, seen.version, deadline);
}

asio::awaitable<Result<KnownPtr>> Leases::read(LeaseId lease, Instant deadline) {
    co_return co_await writer_.get(kind(), layout_.lease_object(lease), deadline);
}

asio::awaitable<Result<bool>> Leases::lives(LeaseId lease, Instant deadline) {
    const auto found = own_.find(lease);
    if (found != own_.end() && loop_.clock().now() < found->second.until) co_return true;
    auto seen = co_await read(lease, deadline);
    if (!seen) co_return std::unexpected(std::move(seen).error());
    if (!*seen) ended(lease);
    co_return *seen != nullptr;
}

}  // namespace pgherd::kube
