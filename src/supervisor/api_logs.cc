#include "supervisor/api_logs.h"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "eventloop/wakeup.h"
#include "supervise/go_text.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"
#include "supervisor/log_format.h"
#include "supervisor/log_hub.h"

namespace pgherd::supervisor {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kBatch = 32 * 1024;
constexpr std::int64_t kDefaultLines = 30;

Result<LogSelection> read_query(const HttpRequest& request) {
    LogSelection query;
    for (std::string& name : list_parameter(request, "services")) query.services.insert(std::move(name));
    const std::string follow = request.parameter("follow").value_or("");
    if (!follow.empty() && follow != "true" && follow != "false")
        return fail(ErrorCode::invalid, "follow parameter must be \"true\" or \"false\"");
    query.follow = follow == "true";
    const std::string count = request.parameter("n").value_or("");
    query.last = query.follow ? 0 : kDefaultLines;
    if (count.empty()) return query;
    const auto number = parse_int(count);
    if (!number || *number < -1) return fail(ErrorCode::invalid, "n must be -1, 0, or a positive integer");
    query.last = *number;
    return query;
}

// A client that reads or follows. What takes time happens in its turns, so that a hundred of them leave time
// for others; only waiting is the coroutine's.
class LogStream {
  public:
    LogStream(LogHub& hub, LogSelection selection, ServerExchange& exchange,
              const asio::any_io_executor& executor)
        : follow_(selection.follow),
          exchange_(exchange),
          changed_(executor),
          reader_(hub, std::move(selection)) {}

    asio::awaitable<void> run() {
        if (follow_) exchange_.lift_time_limits();
        if (!co_await exchange_.begin({200, {}, "application/x-ndjson", {}})) co_return;
        exchange_.on_gone([this] { changed_.notify(); });
        wait_for_lines();
        while (!finished_ && !exchange_.gone()) {
            co_await changed_.wait();
            if (!blocked_) continue;
            if (!co_await exchange_.wait_writable()) co_return;
            blocked_ = false;
            reader_.when_turn([this] { send({}); });
        }
        if (finished_) co_await exchange_.finish();
    }

  private:
    void wait_for_lines() {
        if (!follow_ && !reader_.behind()) {
            finished_ = true;
            changed_.notify();
            return;
        }
        reader_.when_readable([this] {
            batch_.clear();
            reader_.read(kBatch, [this](std::string_view service, const LogLine& line) {
                formatter_.append_json(batch_, service, line);
            });
            send(batch_);
        });
    }
    void send(std::string_view bytes) {
        if (exchange_.write_now(bytes)) {
            wait_for_lines();
        } else {
            blocked_ = true;
            changed_.notify();
        }
    }

    bool follow_;
    ServerExchange& exchange_;
    Wakeup changed_;
    LogFormatter formatter_;
    std::string batch_;
    bool blocked_ = false;  // the client takes no more for now
    bool finished_ = false;
    LogReader reader_;
};

asio::awaitable<void> send_logs(Daemon& daemon, std::shared_ptr<ServerExchange> exchange, PathParameters) {
    Result<LogSelection> query = read_query(exchange->request());
    if (!query) {
        co_await exchange->answer(error_answer(400, query.error().message));
        co_return;
    }
    LogStream stream(daemon.logs(), std::move(*query), *exchange, co_await asio::this_coro::executor);
    co_await stream.run();
}

}  // namespace

std::vector<Route> log_routes() {
    return {{"GET", "/v1/logs", Need::user, &send_logs}};
}

}  // namespace pgherd::supervisor
