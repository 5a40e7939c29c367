#include "store_kube/watches.h"

#include <algorithm>
#include <utility>

#include <boost/asio/use_awaitable.hpp>

#include "base/text.h"
#include "eventloop/spawn.h"

namespace pgherd::kube {

namespace {

constexpr Duration kCallLimit = std::chrono::seconds(2);
constexpr Duration kPause = std::chrono::milliseconds(200);  // after a failed attempt to end a lease
constexpr Duration kTidyAfter = std::chrono::seconds(1);
constexpr Duration kPatroniTtl = std::chrono::seconds(30);

const std::string kLeader = "leader";

std::size_t index(Kind kind) {
    return static_cast<std::size_t>(std::to_underlying(kind));
}

std::string sign_of_lease(const Object& object) {
    return object.uid + " " + std::to_string(object.version);
}

// What Patroni looks at.
std::string sign_of_lock(const Object& object) {
    std::string sign;
    for (const char* name : {"leader", "acquireTime", "renewTime", "ttl", "transitions"})
        if (const std::string* text = object.annotation(name)) sign += *text + "\n";
    return sign;
}

// The lock of a leader that does not use our leases.
const Item* foreign_lock(const Known* known) {
    if (!known) return nullptr;
    const auto found = known->reading.items.find(kLeader);
    return found != known->reading.items.end() && found->second.foreign_lease ? &found->second : nullptr;
}

}  // namespace

// One who watches.
struct Watches::Seer {
    Store::Seen seen;
    SnapshotPtr last;
    bool interrupted = false;
    bool ended = false;
};

class Watches::Handle final : public Watch {
  public:
    Handle(std::weak_ptr<Watches*> owner, std::shared_ptr<Seer> seer)
        : owner_(std::move(owner)), seer_(std::move(seer)) {}
    ~Handle() override {
        seer_->ended = true;
        if (const auto owner = owner_.lock()) (*owner)->remove(seer_.get());
    }

  private:
    std::weak_ptr<Watches*> owner_;
    std::shared_ptr<Seer> seer_;
};

Watches::Watches(EventLoop& loop, Api& api, Writer& writer, Leases& leases, Knowledge& knowledge,
                 const Layout& layout)
    : loop_(loop),
      api_(api),
      writer_(writer),
      leases_(leases),
      layout_(layout),
      picture_(layout, knowledge, leases.kind() == Kind::lease),
      self_(std::make_shared<Watches*>(this)) {}

Watches::~Watches() {
    stop();
}

std::unique_ptr<Watch> Watches::add(Store::Seen seen) {
    auto seer = std::make_shared<Seer>();
    seer->seen = std::move(seen);
    seers_.push_back(seer);
    if (streams_.empty())
        start();
    else
        plan_report();
    return std::make_unique<Handle>(self_, std::move(seer));
}

void Watches::remove(const Seer* seer) {
    std::erase_if(seers_, [&](const auto& each) { return each.get() == seer; });
    if (seers_.empty()) stop();
}

void Watches::start() {
    for (const Kind kind : {Kind::main, Kind::pod, Kind::lease}) {
        if (kind == Kind::lease && leases_.kind() != Kind::lease) continue;
        Stream::Handlers handlers{.on_list = [this, kind](ObjectList list) { listed(kind, std::move(list)); },
                                  .on_event = [this, kind](const Event& event) { happened(kind, event); },
                                  .on_trouble = [this](const Error& error) { interrupted(error); }};
        streams_.push_back(std::make_shared<Stream>(loop_, api_, writer_.listing(kind), std::move(handlers)));
    }
    for (const auto& stream : streams_)
        loop_.post(scope_.guard([weak = std::weak_ptr(stream)] {
            if (const auto begun = weak.lock()) begun->begin();
        }));
}

void Watches::stop() {
    for (const auto& stream : streams_) stream->end();
    streams_.clear();
    picture_.clear();
    ages_.clear();
    lock_lease_ = LeaseId();
    end_timer_.reset();
    tidy_timer_.reset();
}

void Watches::listed(Kind kind, ObjectList list) {
    ages_.answered(loop_.clock().now());
    picture_.replace(kind, std::move(list));
    note_leases(kind);
    plan_report();
}

void Watches::happened(Kind kind, const Event& event) {
    ages_.answered(loop_.clock().now());
    picture_.apply(kind, event);
    const auto lease = kind == leases_.kind() ? layout_.lease_of(event.object.name) : std::nullopt;
    if (lease && event.type == Event::Type::deleted) {
        ages_.gone(*lease);
        leases_.ended(*lease);
    } else if (lease) {
        note_lease(event.object);
    } else if (kind == Kind::main && event.object.name == layout_.leader_object()) {
        note_lock();
    }
    if (lease) plan_end();
    plan_report();
}

void Watches::show(Kind kind, const Object& object) {
    if (!showing()) return;
    picture_.apply(kind, {Event::Type::changed, object});
    report();
}

void Watches::expect(Kind kind, std::int64_t version) {
    if (index(kind) < streams_.size()) streams_[index(kind)]->expect(version);
}

void Watches::answered(bool works, Instant asked) {
    if (works)
        ages_.answered(loop_.clock().now());
    else
        ages_.silent(asked);
}

// --- leases that end ---------------------------------------------------------------------------------------

void Watches::note_lease(const Object& object) {
    if (const auto lease = layout_.lease_of(object.name))
        ages_.saw(*lease, sign_of_lease(object), Leases::ttl_of(object), loop_.clock().now());
}

void Watches::note_lock() {
    const Known* known = picture_.main_object(layout_.leader_object());
    const Item* item = foreign_lock(known);
    const LeaseId now = item ? item->record.lease : LeaseId();
    if (lock_lease_ != now && lock_lease_ != LeaseId()) ages_.gone(lock_lease_);
    lock_lease_ = now;
    if (!item) return;
    const std::string* text = known->object.annotation("ttl");
    const auto seconds = text ? parse_int(*text) : fail("");
    const Duration ttl =
        seconds && *seconds > 0 && *seconds < 86400 ? Duration(std::chrono::seconds(*seconds)) : kPatroniTtl;
    ages_.saw(now, sign_of_lock(known->object), ttl, loop_.clock().now());
    plan_end();
}

// After a list: leases that are not in it have ended.
void Watches::note_leases(Kind kind) {
    if (kind == leases_.kind()) {
        for (const LeaseId lease : ages_.all())
            if (lease != lock_lease_ && !picture_.has_lease(lease)) {
                ages_.gone(lease);
                leases_.ended(lease);
            }
        for (const auto& [lease, known] : picture_.leases()) note_lease(known->object);
    }
    if (kind == Kind::main) note_lock();
    plan_end();
}

void Watches::plan_end() {
    const auto next = ages_.next();
    end_timer_.reset();
    if (!next || !active() || checking_) return;
    const Instant when = std::max(next->second, not_before_);
    end_timer_ = loop_.clock().call_at(when, [this, lease = next->first] {
        checking_ = true;
        auto check = [](Watches* self, std::weak_ptr<Watches*> alive, LeaseId ends) -> asio::awaitable<void> {
            co_await self->check_end(ends);
            if (alive.expired()) co_return;
            self->checking_ = false;
            self->plan_end();
        };
        spawn(loop_, check(this, self_, lease));
    });
}

// Something has happened that the watch does not show yet.
void Watches::expect_news(Kind kind) {
    if (index(kind) < streams_.size()) expect(kind, streams_[index(kind)]->position() + 1);
}

// What now tells whether it was renewed; empty: it is not there any more.
asio::awaitable<Result<std::string>> Watches::sign_now(LeaseId lease, Instant deadline) {
    const bool is_lock = lease == lock_lease_;
    Result<KnownPtr> seen;
    if (is_lock)
        seen = co_await writer_.get(Kind::main, layout_.leader_object(), deadline);
    else
        seen = co_await leases_.read(lease, deadline);
    if (!seen) co_return std::unexpected(std::move(seen).error());
    if (!*seen) co_return std::string();
    if (!is_lock) co_return sign_of_lease((*seen)->object);
    const Item* item = foreign_lock(seen->get());
    co_return item && item->record.lease == lease ? sign_of_lock((*seen)->object) : std::string();
}

asio::awaitable<void> Watches::check_end(LeaseId lease) {
    const Instant deadline = loop_.clock().now() + kCallLimit;
    const Result<std::string> sign = co_await sign_now(lease, deadline);
    not_before_ = loop_.clock().now() + kPause;
    if (!sign || !active()) co_return;
    not_before_ = Instant{};
    const Kind kind = lease == lock_lease_ ? Kind::main : leases_.kind();
    if (sign->empty()) {
        ages_.gone(lease);
        expect_news(kind);
        co_return;
    }
    const auto next = ages_.next();
    const bool due = next && next->first == lease && next->second <= loop_.clock().now();
    if (!due) co_return;
    if (*sign != ages_.sign(lease)) {
        ages_.renewed(lease, *sign, loop_.clock().now());
        expect_news(kind);
        co_return;
    }
    if (lease == lock_lease_) co_return co_await end_lock(lease, deadline);
    const auto seen = picture_.leases().find(lease);
    if (seen == picture_.leases().end() || sign_of_lease(seen->second->object) != *sign) {
        not_before_ = loop_.clock().now() + kPause;  // the watch is behind
        expect_news(kind);
        co_return;
    }
    const Object object = seen->second->object;
    const Status ended = co_await leases_.end_version(lease, object, deadline);
    not_before_ = loop_.clock().now() + kPause;
    if (!active()) co_return;
    if (!ended && ended.error().code != ErrorCode::not_found) co_return;
    not_before_ = Instant{};
    ages_.gone(lease);
    leases_.ended(lease);
    co_await clear_records(picture_.places(lease), loop_.clock().now() + kCallLimit);
}

// A leader of Patroni's that renews no more: its lock is released, as it would do itself.
asio::awaitable<void> Watches::end_lock(LeaseId lease, Instant deadline) {
    co_await clear_records({{Kind::main, layout_.leader_object(), kLeader, lease}}, deadline);
    not_before_ = loop_.clock().now() + kPause;
}

asio::awaitable<Result<std::optional<Draft>>> Watches::judge_cleared(const Known* base, std::string write,
                                                                     Place place) {
    const auto found = base ? base->reading.items.find(place.key) : Items::const_iterator();
    if (!base || found == base->reading.items.end() || found->second.record.lease != place.lease)
        co_return std::nullopt;
    const Field field =
        place.kind == Kind::pod ? Layout::fields_of_pod(place.object).front() : layout_.field_of(place.key);
    const Change change{field, std::nullopt, {}};
    Draft draft;
    draft.annotations = change_of(&base->object, base->reading, &change, {}, write);
    if (on_cleared) on_cleared(draft, base, place.key);
    co_return draft;
}

asio::awaitable<void> Watches::clear_records(std::vector<Place> places, Instant deadline) {
    for (const Place& place : places) {
        auto judge = [this, place](const Known* base, bool, const std::string& write) {
            return judge_cleared(base, write, place);
        };
        const auto cleared = co_await writer_.change(place.kind, place.object, std::move(judge), deadline);
        if (!cleared) co_return;
        if (*cleared && place.kind == Kind::main && layout_.own_object(place.key))
            co_await writer_.erase(place.kind, place.object, (*cleared)->object.uid,
                                   (*cleared)->object.version, deadline);
    }
}

// Who ended a lease clears its records; if that one dies, somebody else does it.
void Watches::plan_tidy() {
    if (tidy_timer_ || picture_.places(LeaseId()).empty()) return;
    tidy_timer_ = loop_.clock().call_at(loop_.clock().now() + kTidyAfter, [this] {
        auto tidy = [](Watches* self, std::weak_ptr<Watches*> alive) -> asio::awaitable<void> {
            co_await self->clear_records(self->picture_.places(LeaseId()),
                                         self->loop_.clock().now() + kCallLimit);
            if (!alive.expired()) self->tidy_timer_.reset();
        };
        spawn(loop_, tidy(this, self_));
    });
}

// --- reporting ---------------------------------------------------------------------------------------------

void Watches::interrupted(const Error& error) {
    const std::weak_ptr<Watches*> alive = self_;
    const auto seers = seers_;
    for (const auto& seer : seers) {
        if (seer->ended || std::exchange(seer->interrupted, true)) continue;
        seer->seen(std::unexpected(error));
        if (alive.expired()) return;
    }
}

void Watches::plan_report() {
    if (std::exchange(report_planned_, true)) return;
    loop_.post(scope_.guard([this] {
        report_planned_ = false;
        report();
    }));
}

bool Watches::showing() const {
    const bool good = std::ranges::all_of(streams_, [](const auto& stream) { return stream->good(); });
    return active() && good && picture_.complete();
}

void Watches::report() {
    if (!showing()) return;
    const std::weak_ptr<Watches*> alive = self_;
    const SnapshotPtr snapshot = picture_.snapshot();
    plan_tidy();
    const auto seers = seers_;
    for (const auto& seer : seers) {
        if (seer->ended) continue;
        const bool news = !seer->last || seer->interrupted || seer->last->records != snapshot->records;
        if (!news) continue;
        seer->interrupted = false;
        seer->last = snapshot;
        seer->seen(snapshot);
        if (alive.expired()) return;
    }
}

}  // namespace pgherd::kube
