// Streaming between instances: who may stream from whom, and how WAL and confirmations travel.
//
// A batch is under way at most once in each direction; what a cut swallows is sent again when the network
// changes, as TCP does. Both ends notice a silent connection only after World::stream_timeout.
#include <algorithm>

#include "sim/postgres/server.h"
#include "sim/postgres/server_detail.h"

namespace pgherd::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

void Server::connect_soon(Duration delay) {
    if (process_ == Process::stopped || !recovery_ || disk_.upstream.none()) return;
    later(delay, [this, attempt = ++connecting_] {
        if (attempt == connecting_ && !streaming()) connect();
    });
}

// Why PostgreSQL would not stream to `standby`; null: it would. Judged by timelines and LSNs alone.
const char* Server::refusal(const Server& standby, const std::string& slot) const {
    if (process_ != Process::running || ending_) return "not running";
    if (standby.disk_.system_id != disk_.system_id) return "other system identifier";
    if (!slot.empty() && !disk_.slots.contains(slot)) return "no such slot";
    if (!slot.empty() &&
        std::ranges::any_of(sending_, [&](const auto& stream) { return stream->slot == slot; }))
        return "slot in use";
    const auto here = disk_.wal.timeline_at(disk_.flushed);
    const auto there = standby.disk_.wal.timeline();
    if (here < there) return "highest timeline is behind";
    if (here == there)
        return standby.disk_.wal.end() > disk_.wal.end_at(disk_.flushed) ? "starting point is ahead"
                                                                         : nullptr;
    const auto left = disk_.wal.left(there);
    if (!left) return "timeline not in this history";
    return standby.disk_.wal.end() > *left ? "starting point not in this history" : nullptr;
}

void Server::connect() {
    const auto again = world_.dice.between(milliseconds(100), milliseconds(1000));
    Server* upstream = world_.at(disk_.upstream.host);
    const bool heard =
        upstream != nullptr && upstream != this && world_.network.both_ways(member_, upstream->member_);
    if (!heard || !recovery_) return connect_soon(again);
    later(world_.network.delay() * 3, [this, upstream, again, attempt = connecting_] {
        if (attempt != connecting_ || streaming() || !recovery_) return;
        if (!world_.network.both_ways(member_, upstream->member_)) return connect_soon(again);
        const std::string slot = disk_.upstream.slot;
        const char* why = upstream->refusal(*this, slot);
        // The history files come over before streaming begins, and stay even when it is refused.
        if (upstream->process_ == Process::running && upstream->disk_.system_id == disk_.system_id)
            disk_.newest_known =
                std::max(disk_.newest_known, upstream->disk_.wal.timeline_at(upstream->disk_.flushed));
        if (why != nullptr) {
            world_.trace.note(member_, "cannot stream", 0,
                              [&] { return "from " + upstream->name() + ": " + why; });
            return connect_soon(again);
        }
        auto stream = std::make_shared<Stream>();
        stream->sender = upstream;
        stream->receiver = this;
        stream->slot = slot;
        stream->sent = stream->confirmed = disk_.wal.size();
        stream->sender_heard = stream->receiver_heard = world_.clock.now();
        receiving_ = stream;
        world_.trace.note(member_, "streaming", static_cast<std::uint64_t>(upstream->member_),
                          [&] { return "from " + upstream->name(); });
        if (events_) events_(PostgresEvent::receiver_changed);
        upstream->accept(stream);
    });
}

void Server::accept(const StreamPtr& stream) {
    sending_.push_back(stream);
    stream->caught_up = stream->confirmed >= disk_.flushed;
    send(stream);
    release_waiters();
}

void Server::send_all() {
    for (const auto& stream : std::vector(sending_)) send(stream);
}

void Server::send(const StreamPtr& stream) {
    if (!stream->sender_open || stream->data_under_way || stream->sent >= disk_.flushed) return;
    if (!world_.network.hears(stream->receiver->member_, member_)) return;
    stream->data_under_way = true;
    world_.clock.after(world_.network.delay(), [this, stream, upto = disk_.flushed] {
        stream->data_under_way = false;
        if (!world_.network.hears(stream->receiver->member_, member_)) return;
        if (stream->receiver_open) stream->receiver->receive(stream, upto);
        if (stream->sender_open) {
            stream->sent = std::max(stream->sent, upto);
            send(stream);
        }
    });
}

void Server::receive(const StreamPtr& stream, std::size_t upto) {
    const Wal& source = stream->sender->disk_.wal;
    if (!disk_.wal.is_prefix_of(source)) {
        if (stream->sender_open)
            world_.witness.violation(
                "a standby streams only from a history that its WAL is a part of",
                name() + " writes WAL of " + stream->sender->name() + " behind WAL that is not there");
        return;
    }
    if (upto > source.size()) return;
    for (std::size_t i = disk_.wal.size(); i < upto; ++i) disk_.wal.append(source[i]);
    disk_.newest_known = std::max(disk_.newest_known, disk_.wal.timeline());
    if (receive_flush_planned_) return;
    receive_flush_planned_ = true;
    later(world_.dice.about(microseconds(500)), [this] {
        receive_flush_planned_ = false;
        disk_.flushed = disk_.wal.size();
        answer();
        send_all();
        replay_soon();
    });
}

void Server::replay_soon() {
    if (replay_planned_ || replayed_ >= disk_.flushed) return;
    replay_planned_ = true;
    later(world_.dice.about(milliseconds(1)), [this] {
        replay_planned_ = false;
        for (; replayed_ < disk_.flushed; ++replayed_)
            if (disk_.wal[replayed_].checkpoint)
                checkpoint_replayed_ = {disk_.wal[replayed_].timeline, disk_.wal.end_at(replayed_)};
        disk_.min_recovery = {disk_.wal.timeline_at(replayed_), disk_.wal.end_at(replayed_)};
    });
}

// Tells the sender how far this standby has WAL on disk.
void Server::answer() {
    const auto stream = receiving_;
    if (!stream || !stream->receiver_open || stream->answer_under_way || stream->confirmed >= disk_.flushed)
        return;
    if (!world_.network.hears(stream->sender->member_, member_)) return;
    stream->answer_under_way = true;
    world_.clock.after(world_.network.delay(), [this, stream, place = disk_.flushed] {
        stream->answer_under_way = false;
        if (!world_.network.hears(stream->sender->member_, member_)) return;
        if (stream->sender_open) stream->sender->confirmed(stream, place);
        if (stream->receiver_open) answer();
    });
}

void Server::confirmed(const StreamPtr& stream, std::size_t place) {
    stream->confirmed = std::max(stream->confirmed, place);
    if (stream->confirmed >= disk_.flushed) stream->caught_up = true;
    release_waiters();
    senders_done();
}

void Server::close_receiver() {
    if (!receiving_) return;
    const auto stream = std::move(receiving_);
    receiving_ = nullptr;
    stream->receiver_open = false;
    note("not streaming");
    world_.clock.after(world_.network.delay(), [this, stream] {
        if (stream->sender_open && world_.network.hears(stream->sender->member_, member_))
            stream->sender->close_sender(stream);
    });
    if (process_ == Process::stopped) return;
    if (events_) events_(PostgresEvent::receiver_changed);
    connect_soon(world_.dice.between(milliseconds(100), milliseconds(1000)));
}

void Server::close_sender(const StreamPtr& stream) {
    if (!stream->sender_open) return;
    stream->sender_open = false;
    std::erase(sending_, stream);
    world_.clock.after(world_.network.delay(), [this, stream] {
        if (stream->receiver_open && world_.network.hears(stream->receiver->member_, member_))
            stream->receiver->close_receiver();
    });
    release_waiters();
    senders_done();
}

void Server::close_all_streams() {
    ++connecting_;
    close_receiver();
    for (const auto& stream : std::vector(sending_)) close_sender(stream);
}

// Once a second: has the other end gone, or been silent for too long?
void Server::watch_streams() {
    const auto now = world_.clock.now();
    const auto given_up = [&](bool other_open, int other, Instant& heard) {
        if (!world_.network.hears(member_, other)) return now - heard > world_.stream_timeout;
        heard = now;
        return !other_open;
    };
    if (receiving_ &&
        given_up(receiving_->sender_open, receiving_->sender->member_, receiving_->receiver_heard))
        close_receiver();
    for (const auto& stream : std::vector(sending_))
        if (given_up(stream->receiver_open, stream->receiver->member_, stream->sender_heard))
            close_sender(stream);
    later(seconds(1), [this] { watch_streams(); });
}

}  // namespace pgherd::sim
