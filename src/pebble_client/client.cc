#include "pebble_client/client.h"

#include <utility>

#include "base/utf8.h"
#include "codec/json.h"
#include "http/url.h"

namespace pgherd::pebble {
namespace {

constexpr Duration kBetweenTries = std::chrono::milliseconds(250);
constexpr Duration kFirstWait = std::chrono::seconds(2);  // for somebody who wants to see how it goes
constexpr Duration kBetweenLooks = std::chrono::milliseconds(200);
constexpr Duration kOneWait = std::chrono::seconds(4);  // a change is asked for again after this time

std::string url(std::string_view path, const Query& query = {}) {
    return "http://localhost" + target(path, query);
}

HttpClientOptions http_options(const ClientOptions& options) {
    HttpClientOptions http;
    http.unix_socket = options.socket;
    return http;
}

}  // namespace

Client::Client(EventLoop& loop, ClientOptions options)
    : loop_(loop), options_(std::move(options)), http_(loop, http_options(options_)) {}

bool Client::run_until(const std::function<bool()>& condition, Duration limit) {
    return loop_.run_until([&] { return condition() || interrupted_; }, limit) && condition();
}

Error Client::unreachable(Error why) const {
    return with_context(std::move(why), "cannot communicate with server");
}

Result<HttpClientResponse> Client::ask(const Begin& begin, Duration limit) {
    auto got = std::make_shared<std::optional<Result<HttpClientResponse>>>();
    begin([got](Result<HttpClientResponse> response) { *got = std::move(response); });
    if (!run_until([&] { return got->has_value(); }, limit))
        return fail(interrupted_ ? ErrorCode::cancelled : ErrorCode::timeout,
                    interrupted_ ? "interrupted" : "no answer in time");
    return std::move(**got);
}

Result<Answer> Client::long_poll(std::string_view path, const Query& query, Duration deadline) {
    const Duration limit = options_.deadline + deadline;
    const Instant give_up = in(options_.patience);
    for (;;) {
        auto response = ask(
            [&](auto done) { http_.request("GET", url(path, query), {}, "", in(limit), std::move(done)); },
            limit);
        if (response) return read_answer(*response);
        const bool worth_it =
            response.error().code == ErrorCode::unavailable && !response.error().maybe_done();
        if (!worth_it || loop_.clock().now() + kBetweenTries > give_up)
            return std::unexpected(unreachable(response.error()));
        if (!run_until([] { return false; }, kBetweenTries) && interrupted_)
            return fail(ErrorCode::cancelled, "interrupted");
    }
}

Result<Answer> Client::get(std::string_view path, const Query& query) {
    return long_poll(path, query, {});
}

Result<Answer> Client::post(std::string_view path, const Json& body) {
    std::string text = to_text(body);
    if (!is_utf8(text))
        return fail(ErrorCode::invalid, "cannot send the request: it has bytes that are no UTF-8");
    auto response = ask(
        [&](auto done) {
            http_.request("POST", url(path), {{"Content-Type", "application/json"}}, std::move(text),
                          in(options_.deadline), std::move(done));
        },
        options_.deadline);
    if (!response) return std::unexpected(unreachable(response.error()));
    return read_answer(*response);
}

Result<JsonObject> Client::change(const std::string& id) {
    PGHERD_TRY(const Answer answer, get("/v1/changes/" + percent_encode(id)));
    if (!answer.result.is_object()) return fail("cannot understand the change: it is no object");
    return answer.result.get_object();
}

Result<JsonObject> Client::wait_change(const std::string& id, const Meanwhile& meanwhile) {
    Duration limit = meanwhile ? kFirstWait : kOneWait;
    for (;;) {
        auto answer =
            long_poll("/v1/changes/" + percent_encode(id) + "/wait",
                      {{"timeout", std::to_string(limit / std::chrono::milliseconds(1)) + "ms"}}, limit);
        if (answer && answer->result.is_object()) return answer->result.get_object();
        if (answer) return fail("cannot understand the change: it is no object");
        if (answer.error().code != ErrorCode::timeout) return std::unexpected(answer.error());
        if (!meanwhile) continue;
        PGHERD_TRY(const JsonObject so_far, change(id));
        meanwhile(so_far);
        limit = kBetweenLooks;
    }
}

Status Client::stream(std::string_view path, const Query& query, HttpHeaders headers,
                      HttpClient::OnChunk on_chunk, HttpClient::OnHead on_head) {
    std::unique_ptr<HttpStream> stream;
    // Quiet services: the head comes with the first line, maybe tomorrow.
    constexpr Duration kEver = std::chrono::hours(24 * 365);
    auto response = ask(
        [&](auto done) {
            stream = http_.stream("GET", url(path, query), std::move(headers), "", in(kEver), on_chunk,
                                  std::move(done), on_head);
        },
        kEver);
    if (!response) return std::unexpected(unreachable(response.error()));
    if (response->status / 100 == 2) return {};
    PGHERD_TRY(const Answer answer, read_answer(*response));
    return fail("the server answered with status " + std::to_string(answer.status));
}

Result<Answer> Client::upload(std::string_view path, HttpHeaders headers, HttpBodySource body) {
    constexpr Duration kLong = std::chrono::hours(24);
    auto response = ask(
        [&](auto done) {
            http_.upload("POST", url(path), std::move(headers), std::move(body), in(kLong), std::move(done));
        },
        kLong);
    if (!response) return std::unexpected(unreachable(response.error()));
    return read_answer(*response);
}

}  // namespace pgherd::pebble
