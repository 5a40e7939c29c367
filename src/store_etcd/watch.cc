#include "store_etcd/watch.h"

#include <algorithm>

namespace pgherd::etcd {

namespace {
constexpr Duration kLimit = std::chrono::seconds(5);  // for reading everything, and for the stream to begin
constexpr std::size_t kLongestLine = 64 * 1024 * 1024;
constexpr Duration kFirstPause = std::chrono::milliseconds(50);
constexpr int kLongestPause = 4;  // doublings of the first: 0.8 s
}  // namespace

Watcher::Watcher(EventLoop& loop, Gateway& gateway, std::string prefix, Store::Seen seen)
    : loop_(loop), gateway_(&gateway), prefix_(std::move(prefix)), seen_(std::move(seen)) {}

void Watcher::begin() {
    load();
}

void Watcher::resync() {
    if (!ended() && !loading_ && !again_) load();
}

void Watcher::end() {
    gateway_ = nullptr;
    stream_.reset();
    again_.reset();
}

void Watcher::load() {
    ++round_;
    loading_ = true;
    again_.reset();
    stream_.reset();
    line_.clear();
    gateway_->call("/kv/range", range_message(prefix_), Repeat::reading, loop_.clock().now() + kLimit,
                   [weak = weak_from_this(), round = round_](Result<JsonObject> answer) {
                       const auto self = weak.lock();
                       if (self && !self->ended() && self->round_ == round) self->loaded(std::move(answer));
                   });
}

void Watcher::loaded(Result<JsonObject> answer) {
    loading_ = false;
    Result<Snapshot> snapshot = fail("");
    if (answer)
        snapshot = parse_range(*answer, prefix_);
    else
        snapshot = std::unexpected(answer.error());
    if (!snapshot) return trouble(std::move(snapshot).error());
    const bool news = !last_ || interrupted_ || last_->records != snapshot->records;
    last_ = std::make_shared<const Snapshot>(std::move(*snapshot));
    follow();
    if (news) report(last_);
}

void Watcher::follow() {
    const auto self = [weak = weak_from_this(), round = round_] {
        auto watcher = weak.lock();
        return watcher && !watcher->ended() && watcher->round_ == round ? watcher : nullptr;
    };
    const auto on_chunk = [self](std::string_view chunk) {
        if (const auto watcher = self()) watcher->take(chunk);
    };
    auto on_end = [self](Error error) {
        if (const auto watcher = self()) watcher->trouble(std::move(error));
    };
    stream_ = gateway_->stream("/watch", watch_message(prefix_, Revision(last_->revision.value() + 1)),
                               loop_.clock().now() + kLimit, on_chunk, std::move(on_end));
}

// Each line is one answer; what arrived together is reported together.
void Watcher::take(std::string_view chunk) {
    line_ += chunk;
    if (line_.size() > kLongestLine) return trouble({ErrorCode::invalid, "etcd sent an endless line"});
    if (chunk.find('\n') == std::string_view::npos) return;
    auto next = std::make_shared<Snapshot>(*last_);
    bool changed = false;
    for (std::size_t end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
        const Result<bool> applied = apply_watch_line(std::string_view(line_).substr(0, end), prefix_, *next);
        if (!applied) return trouble(applied.error());
        changed = changed || *applied;
        line_.erase(0, end + 1);
    }
    troubles_ = 0;
    if (!changed) return;
    last_ = std::move(next);
    report(last_);
}

// The first time at once: most often another endpoint, or the same after a restart, has all that was missed.
void Watcher::trouble(Error error) {
    ++round_;
    stream_.reset();
    const int doublings = std::min(troubles_ - 1, kLongestPause);
    const Duration pause = troubles_ == 0 ? Duration{} : kFirstPause * (1 << doublings);
    again_ = loop_.clock().call_at(loop_.clock().now() + pause, [weak = weak_from_this()] {
        if (const auto self = weak.lock(); self && !self->ended()) self->load();
    });
    if (troubles_++ > 0 && !interrupted_)
        report(std::unexpected(with_context(std::move(error), "cannot watch the store")));
}

void Watcher::report(Result<SnapshotPtr> what) {
    interrupted_ = !what;
    const auto alive = shared_from_this();  // the watch may be ended by whom it reports to
    seen_(std::move(what));
}

}  // namespace pgherd::etcd
