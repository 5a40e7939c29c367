#include "store_kube/stream.h"

#include <algorithm>

#include <fmt/format.h>

#include "eventloop/spawn.h"

namespace pgherd::kube {

namespace {
constexpr Duration kLimit = std::chrono::seconds(5);  // for the list, and for the stream to begin
constexpr Duration kFrozen = std::chrono::seconds(3);
constexpr Duration kFirstPause = std::chrono::milliseconds(50);
constexpr int kLongestPause = 4;  // doublings of the first: 0.8 s
constexpr std::size_t kLongestLine = 16 * 1024 * 1024;
constexpr int kWatchSeconds = 900;  // then another server may serve it
constexpr Duration kOverdue = std::chrono::seconds(kWatchSeconds + 30);
constexpr Duration kShortestLife = std::chrono::seconds(1);  // of a list, before it is read anew
}  // namespace

Stream::Stream(EventLoop& loop, Api& api, std::string path, Handlers handlers)
    : loop_(loop), api_(&api), path_(std::move(path)), handlers_(std::move(handlers)) {}

void Stream::begin() {
    list();
}

void Stream::end() {
    ++round_;
    api_ = nullptr;
    stream_.reset();
    again_.reset();
    frozen_.reset();
    overdue_.reset();
}

void Stream::resync() {
    if (api_ && !listing_ && !again_) list();
}

void Stream::expect(std::int64_t version) {
    if (!api_ || version <= std::max(position_, expected_)) return;
    expected_ = version;
    if (frozen_) return;
    frozen_ = loop_.clock().call_at(loop_.clock().now() + kFrozen, [weak = weak_from_this()] {
        const auto stream = weak.lock();
        if (!stream || !stream->api_) return;
        stream->frozen_.reset();
        if (stream->position_ < stream->expected_) stream->resync();
    });
}

std::function<std::shared_ptr<Stream>()> Stream::self() {
    return [weak = weak_from_this(), round = round_]() -> std::shared_ptr<Stream> {
        auto stream = weak.lock();
        return stream && stream->api_ && stream->round_ == round ? stream : nullptr;
    };
}

void Stream::list() {
    ++round_;
    listing_ = true;
    again_.reset();
    stream_.reset();
    line_.clear();
    auto run = [](Api& api, std::string path, Instant deadline, auto self) -> asio::awaitable<void> {
        auto answer = co_await api.call({"GET", std::move(path)}, deadline);
        if (const auto stream = self()) stream->listed(std::move(answer));
    };
    spawn(loop_, run(*api_, path_, loop_.clock().now() + kLimit, self()));
}

void Stream::listed(Result<JsonObject> answer) {
    listing_ = false;
    if (!answer) return trouble(std::move(answer).error());
    auto objects = parse_list(*answer);
    if (!objects) return trouble(std::move(objects).error());
    position_ = objects->version;
    good_ = true;
    troubles_ = 0;
    listed_ = loop_.clock().now();
    follow();
    handlers_.on_list(std::move(*objects));
}

void Stream::follow() {
    ++round_;
    again_.reset();
    line_.clear();
    followed_ = loop_.clock().now();
    const std::string path =
        fmt::format("{}&watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}", path_,
                    kWatchSeconds, position_);
    const auto on_chunk = [self = self()](std::string_view chunk) {
        if (const auto stream = self()) stream->take(chunk);
    };
    auto on_end = [self = self()](Result<void> how) {
        if (const auto stream = self()) stream->ended(std::move(how));
    };
    overdue_ = loop_.clock().call_at(followed_ + kOverdue, [self = self()] {
        if (const auto stream = self()) stream->list();
    });
    stream_ = api_->stream(path, loop_.clock().now() + kLimit, on_chunk, std::move(on_end));
}

// Each line is one event. Who handles one may end the stream.
void Stream::take(std::string_view chunk) {
    line_ += chunk;
    if (line_.size() > kLongestLine) return trouble({ErrorCode::invalid, "Kubernetes sent an endless line"});
    std::string text = std::move(line_);
    line_.clear();
    std::size_t begin = 0;
    const auto alive = self();
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
        const Result<Event> event = parse_event(std::string_view(text).substr(begin, end - begin));
        begin = end + 1;
        if (!event) return trouble(event.error());
        if (event->type == Event::Type::gone) return expired();
        if (!good_) {
            good_ = true;
            troubles_ = 0;
        }
        position_ = std::max(position_, event->object.version);
        if (event->type != Event::Type::bookmark) {
            troubles_ = 0;
            handlers_.on_event(*event);
        }
        if (!alive()) return;
    }
    line_ = text.substr(begin);
}

void Stream::ended(Result<void> how) {
    const bool lasted = loop_.clock().now() - followed_ > std::chrono::seconds(1);
    if (how && good_ && lasted) return follow();  // its time was over
    if (!how && how.error().code == ErrorCode::not_found) return expired();
    trouble(how ? Error{ErrorCode::unavailable, "Kubernetes ended the watch"} : std::move(how).error());
}

// What was missed is not there any more. A server may say so of the very list that it has just given.
void Stream::expired() {
    const Instant next = listed_ + kShortestLife;
    if (loop_.clock().now() >= next) return list();
    ++round_;
    stream_.reset();
    again_ = loop_.clock().call_at(next, [self = self()] {
        if (const auto stream = self()) stream->list();
    });
}

// The first time at once, from where it stopped; after that with everything read anew.
void Stream::trouble(Error error) {
    ++round_;
    stream_.reset();
    if (troubles_++ == 0 && position_ > 0) return follow();
    good_ = false;
    const Duration pause = kFirstPause * (1 << std::min(std::max(troubles_ - 2, 0), kLongestPause));
    again_ = loop_.clock().call_at(loop_.clock().now() + pause, [self = self()] {
        if (const auto stream = self()) stream->list();
    });
    handlers_.on_trouble(with_context(std::move(error), "cannot watch the store"));
}

}  // namespace pgherd::kube
