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

// One batch of lines; "" = there are none now.
std::string next_batch(LogReader& reader, LogFormatter& formatter) {
    std::string batch;
    reader.read(kBatch, [&](std::string_view service, const LogLine& line) {
        formatter.append_json(batch, service, line);
    });
    return batch;
}

asio::awaitable<void> send_logs(Daemon& daemon, std::shared_ptr<ServerExchange> exchange, PathParameters) {
    Result<LogSelection> query = read_query(exchange->request());
    if (!query) {
        co_await exchange->answer(error_answer(400, query.error().message));
        co_return;
    }
    Wakeup wakeup(co_await asio::this_coro::executor);
    const bool follow = query->follow;
    LogReader reader(daemon.logs(), std::move(*query));
    LogFormatter formatter;
    if (follow) {
        exchange->lift_time_limits();
        exchange->on_gone([&] { wakeup.notify(); });
    }
    Status sent = co_await exchange->begin({200, {}, "application/x-ndjson", {}});
    while (sent) {
        // Each batch in its turn: a hundred followers leave time for others.
        reader.when_readable([&] { wakeup.notify(); });
        if (!reader.behind() && !follow) break;
        co_await wakeup.wait();
        if (exchange->gone()) break;
        sent = co_await exchange->write(next_batch(reader, formatter));
    }
    if (sent && !exchange->gone()) co_await exchange->finish();
}

}  // namespace

std::vector<Route> log_routes() {
    return {{"GET", "/v1/logs", Need::user, &send_logs}};
}

}  // namespace pgherd::supervisor
