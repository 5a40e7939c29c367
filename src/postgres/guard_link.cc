#include "postgres/guard_link.h"

#include <fmt/format.h>

namespace pgherd::postgres {

namespace {
constexpr Duration kPatience = std::chrono::seconds(1);  // a guard that takes longer is stopped or hung
}

GuardLink::GuardLink(asio::io_context& context, guard::Client client,
                     std::function<void(const guard::Report&)> on_event)
    : client_(std::move(client)), socket_(context, client_.fd()), on_event_(std::move(on_event)) {}

GuardLink::~GuardLink() {
    socket_.release();
}

Async<guard::GuardStatus> GuardLink::confirmed(Result<std::uint32_t> sequence) {
    if (!sequence) co_return std::unexpected(std::move(sequence).error());
    auto& answer = pending_[*sequence];
    struct Forget {
        std::map<std::uint32_t, std::optional<guard::Report>>& pending;
        std::uint32_t sequence;
        ~Forget() { pending.erase(sequence); }
    } const forget{pending_, *sequence};
    const Instant deadline = after(kPatience);
    while (!answer && !gone_ && boottime_now() < deadline) co_await changed_.wait(deadline);
    if (!answer) {
        const std::string why = gone_ ? "the guard has gone" : "the guard does not answer";
        co_return fail(gone_ ? ErrorCode::unavailable : ErrorCode::timeout, why, Certainty::maybe_done);
    }
    if (auto done = guard::to_status(*answer); !done) co_return std::unexpected(std::move(done).error());
    co_return answer->status;
}

asio::awaitable<void> GuardLink::read_reports() {
    while (!gone_) {
        auto report = client_.receive();
        if (!report) {
            gone_ = true;
        } else if (!*report) {
            co_await wait_ready(socket_, asio::posix::stream_descriptor::wait_read, Instant::max());
            continue;
        } else {
            const guard::Report& news = **report;
            status_ = news.status;
            if (news.type != guard::ReportType::acknowledgement)
                on_event_(news);
            else if (const auto waiting = pending_.find(news.sequence); waiting != pending_.end())
                waiting->second = news;
        }
        changed_.notify();
    }
}

}  // namespace pgherd::postgres
