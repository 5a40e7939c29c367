#include "agent/store_mirror.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "codec/records.h"

namespace pgherd::agent {

namespace {
constexpr Duration kPause =
    std::chrono::milliseconds(500);  // after a failed write: the next step would only fail again
}

namespace {
constexpr Duration kLoadLimit = std::chrono::seconds(2);
}  // namespace

StoreMirror::StoreMirror(Store& store, Clock& clock, Log& log, std::function<void()> changed)
    : store_(store), clock_(clock), log_(log), changed_(std::move(changed)), silent_since_(clock.now()) {}

void StoreMirror::start() {
    watch_ = store_.watch(scope_.guard([this](Result<SnapshotPtr> result) { seen(std::move(result)); }));
}

const Record* StoreMirror::record(const std::string& key) const {
    if (!snapshot_) return nullptr;
    auto found = snapshot_->records.find(key);
    return found == snapshot_->records.end() ? nullptr : &found->second;
}

void StoreMirror::contact(bool answered) {
    if (answered) {
        last_seen_ = clock_.wall();
        if (!ok_) log_.info("store-answers", "the store answers: " + store_.describe());
    } else if (ok_) {
        silent_since_ = clock_.now();
    }
    bool was = std::exchange(ok_, answered);
    if (was != answered) changed_();
}

void StoreMirror::seen(Result<SnapshotPtr> result) {
    if (!result) {
        if (ok_) log_.warning("store-silent", result.error().message);
        contact(false);
        return;
    }
    bool newer = !snapshot_ || (*result)->revision >= snapshot_->revision;
    if (newer) {
        snapshot_ = std::move(*result);
        watched_ = snapshot_->revision;
        parse();
    }
    contact(true);
    if (newer) changed_();
}

void StoreMirror::reload() {
    behind_ = true;
    if (loading_) return;
    loading_ = true;
    store_.load(clock_.now() + kLoadLimit, scope_.guard([this](Result<SnapshotPtr> result) {
        loading_ = false;
        if (result)
            behind_ = false;
        else if (result.error().code != ErrorCode::unavailable && result.error().code != ErrorCode::timeout)
            log_.warning("store-not-read", with_context(result.error(), "cannot read the store").message);
        seen(std::move(result));
        changed_();
    }));
}

bool StoreMirror::writing(const std::string& key) const {
    auto pause = not_before_.find(key);
    return writing_.contains(key) || (pause != not_before_.end() && clock_.now() < pause->second);
}

void StoreMirror::write(Swap swap, Duration limit, Done<Revision> done) {
    PGHERD_ASSERT(!writing(swap.key), swap.key);
    writing_.insert(swap.key);
    Swap copy = swap;
    store_.swap(
        std::move(swap), clock_.now() + limit,
        scope_.guard([this, swap = std::move(copy), done = std::move(done)](Result<Revision> result) mutable {
            writing_.erase(swap.key);
            if (result) remember(swap, *result);
            bool answered = result || (result.error().code != ErrorCode::unavailable &&
                                       result.error().code != ErrorCode::timeout);
            contact(answered);
            if (!result && result.error().code != ErrorCode::conflict)
                not_before_[swap.key] = clock_.now() + kPause;
            else
                not_before_.erase(swap.key);
            if (!result && result.error().code == ErrorCode::conflict) reload();
            if (done) done(std::move(result));
            changed_();
        }));
}

void StoreMirror::remember(const Swap& swap, Revision revision) {
    if (!snapshot_ || watched_ >= revision) return;  // the watch was faster
    // Answers may come in another order than the writes happened.
    const Record* known = record(swap.key);
    if (known && known->modified > revision) return;
    auto next = std::make_shared<Snapshot>(*snapshot_);
    next->revision = std::max(next->revision, revision);
    if (swap.value) {
        Record& record = next->records[swap.key];
        if (record.created.value() == 0) record.created = revision;
        record.value = *swap.value;
        record.modified = revision;
        record.lease = swap.lease;
    } else {
        next->records.erase(swap.key);
    }
    snapshot_ = std::move(next);
    parse();
}

void StoreMirror::parse() {
    std::map<std::string, StoredRecord> records;
    for (const auto& [key, record] : snapshot_->records)
        records.emplace(key, StoredRecord{record.value, record.modified, record.lease});
    view_ = std::make_shared<const ClusterView>(parse_cluster(snapshot_->revision, records));
}

}  // namespace pgherd::agent
