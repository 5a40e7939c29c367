#include "store_kube/api.h"

#include <algorithm>

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"

namespace pgherd::kube {

namespace {

constexpr Duration kCredentialsAge = std::chrono::seconds(10);
constexpr Duration kServersAge = std::chrono::seconds(60);
constexpr Duration kFirstPause = std::chrono::milliseconds(50);
constexpr Duration kLongestPause = std::chrono::milliseconds(800);
constexpr Duration kShortestAttempt = std::chrono::milliseconds(500);

// Starts something that answers once, and waits for the answer.
template <class T, class Start>
asio::awaitable<T> answer_of(Start start) {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(
        [start = std::move(start)](auto handler) mutable {
            start(
                [handler = std::move(handler)](T answer) mutable { std::move(handler)(std::move(answer)); });
        },
        asio::use_awaitable);
}

std::optional<Duration> retry_after(const HttpClientResponse& response) {
    const auto header = response.headers.find("retry-after");
    if (header == response.headers.end()) return std::nullopt;
    const auto seconds = parse_int(trim(header->second));
    if (!seconds || *seconds < 0 || *seconds > 3600) return std::nullopt;
    return std::chrono::seconds(*seconds);
}

}  // namespace

// Of one call.
struct Api::Progress {
    std::string errors;  // of all attempts so far
    Duration pause = kFirstPause;
    std::size_t left;  // servers not tried yet
    bool maybe_done = false;
    bool credentials_renewed = false;

    void note(const Error& error) {
        if (errors.size() < 400) errors += (errors.empty() ? "" : "; ") + error.message;
        maybe_done = maybe_done || error.maybe_done();
    }
    // What may be done twice may have been done, too.
    Certainty certainty(const Request& request) const {
        return maybe_done && request.writes() ? Certainty::maybe_done : Certainty::not_done;
    }
    Error error(ErrorCode code, const Request& request) const {
        return {code, errors.empty() ? "the deadline has passed" : errors, certainty(request)};
    }
};

Api::Api(EventLoop& loop, Access access, const KubernetesConfig& config)
    : loop_(loop),
      access_(std::move(access)),
      service_(access_.servers.front()),
      retriable_(config.retriable_http_codes),
      bypass_(config.bypass_api_service),
      client_(loop, HttpClientOptions::for_store(access_.tls, access_.servers.size())) {
    refresh_credentials(true);
}

std::string Api::describe() const {
    return fmt::format("Kubernetes at {}, namespace {}", join(access_.servers, ", "), access_.namespace_);
}

// A service account's token is replaced long before it ends, its CA rarely.
void Api::refresh_credentials(bool now) {
    const Instant time = loop_.clock().now();
    if (!now && time < credentials_read_ + kCredentialsAge) return;
    credentials_read_ = time;
    if (!access_.token_file.empty())
        if (auto token = read_text_file(access_.token_file); token && !token->empty())
            access_.token = std::move(*token);
    if (access_.tls.ca_file.empty()) return;
    auto authority = read_text_file(access_.tls.ca_file);
    if (!authority || *authority == authority_) return;
    if (!authority_.empty()) client_.set_tls(access_.tls);
    authority_ = std::move(*authority);
}

HttpHeaders Api::headers(const Request& request) const {
    HttpHeaders headers{{"Accept", "application/json"}, {"User-Agent", "pgherd"}};
    if (!access_.token.empty()) headers.emplace_back("Authorization", "Bearer " + access_.token);
    if (request.method == "PATCH")
        headers.emplace_back("Content-Type", "application/merge-patch+json");
    else if (!request.body.empty())
        headers.emplace_back("Content-Type", "application/json");
    return headers;
}

void Api::leave(const std::string& server) {
    if (access_.servers.size() > 1 && access_.servers[current_] == server)
        current_ = (current_ + 1) % access_.servers.size();
}

bool Api::temporary(int status) const {
    return status == 500 || status == 503 || status == 504 ||
           std::ranges::find(retriable_, status) != retriable_.end();
}

Error Api::refusal(const Request& request, const HttpClientResponse& response) const {
    std::string why = failure_message(response.body);
    const std::string place = request.path.substr(0, request.path.find('?'));
    std::string message = fmt::format("Kubernetes answers {} to {} {}{}{}", response.status, request.method,
                                      place, why.empty() ? "" : ": ", why);
    switch (response.status) {
        case 401:
        case 403: return {ErrorCode::denied, std::move(message)};
        case 404: return {ErrorCode::not_found, std::move(message)};
        case 409: return {ErrorCode::conflict, std::move(message)};
        case 429: return {ErrorCode::unavailable, std::move(message)};
        default: break;
    }
    if (temporary(response.status) || response.status >= 500)
        return {ErrorCode::unavailable, std::move(message), Certainty::maybe_done};
    return {ErrorCode::invalid, std::move(message)};
}

asio::awaitable<void> Api::sleep_until(Instant when) {
    Timer timer;
    co_await answer_of<int>([this, when, &timer](auto resume) {
        timer =
            loop_.clock().call_at(when, scope_.guard([resume = std::move(resume)]() mutable { resume(0); }));
    });
}

asio::awaitable<Result<HttpClientResponse>> Api::attempt(const Request& request, Instant until) {
    const std::string url = access_.servers[current_] + request.path;
    co_return co_await answer_of<Result<HttpClientResponse>>([&](auto done) {
        client_.request(request.method, url, headers(request), request.body, until, std::move(done));
    });
}

asio::awaitable<Result<JsonObject>> Api::call(Request request, Instant deadline) {
    if (bypass_ && loop_.clock().now() >= servers_read_ + kServersAge) co_await look_for_servers(deadline);
    Progress progress{.left = access_.servers.size()};
    for (;;) {
        const Instant now = loop_.clock().now();
        if (now >= deadline) co_return std::unexpected(progress.error(ErrorCode::timeout, request));
        refresh_credentials(false);
        const std::string server = access_.servers[current_];
        // A connection may be dead without telling; a second attempt needs time as well.
        const Instant until = std::min(deadline, now + std::max(kShortestAttempt, (deadline - now) / 2));
        Result<HttpClientResponse> response = co_await attempt(request, until);
        Duration pause = progress.pause;
        if (!response) {
            if (on_answer) on_answer(false, now);
            progress.note(response.error());
            refresh_credentials(response.error().code == ErrorCode::denied);
            // A certificate that cannot be used: nobody was asked, and trying again will not help.
            if (response.error().code == ErrorCode::invalid)
                co_return std::unexpected(progress.error(ErrorCode::unavailable, request));
            leave(server);
        } else if (response->status / 100 == 2) {
            if (on_answer) on_answer(true, now);
            Result<JsonObject> body = parse_json_object(response->body);
            if (body) co_return body;
            progress.note({ErrorCode::unavailable,
                           "cannot understand the Kubernetes API: " + body.error().message,
                           Certainty::maybe_done});
        } else {
            const Error error = refusal(request, *response);
            const bool works = error.code != ErrorCode::unavailable;
            // One that is just starting refuses everybody, who renews a lease as well.
            if (on_answer && response->status != 429)
                on_answer(works && error.code != ErrorCode::denied, now);
            progress.note(error);
            const bool new_token =
                response->status == 401 && !std::exchange(progress.credentials_renewed, true);
            if (new_token) {
                refresh_credentials(true);
                continue;
            }
            if (works && !temporary(response->status)) {
                Error final = error;
                final.certainty = progress.certainty(request);
                co_return std::unexpected(std::move(final));
            }
            if (response->status != 429) leave(server);
            pause = std::max(pause, retry_after(*response).value_or(Duration{}));
        }
        if (progress.maybe_done && request.repeat == Repeat::never)
            co_return std::unexpected(progress.error(ErrorCode::unavailable, request));
        if (progress.left > 1) {
            --progress.left;
            if (!response) continue;
        }
        if (loop_.clock().now() + pause >= deadline)
            co_return std::unexpected(progress.error(ErrorCode::unavailable, request));
        progress.pause = std::min(progress.pause * 2, kLongestPause);
        co_await sleep_until(loop_.clock().now() + pause);
    }
}

// Behind the service there may be a server that has died and that the service still names.
asio::awaitable<void> Api::look_for_servers(Instant deadline) {
    servers_read_ = loop_.clock().now();
    const Instant until = std::min(deadline, servers_read_ + std::chrono::seconds(2));
    const Request request{"GET", "/api/v1/namespaces/default/endpoints/kubernetes"};
    Result<HttpClientResponse> response = co_await attempt(request, until);
    if (!response || response->status != 200) {
        // Not allowed: Patroni goes on with the service as well.
        if (response && response->status == 403) bypass_ = false;
        if (!response) leave(access_.servers[current_]);
        if (!response) access_.servers = {service_};
        current_ = 0;
        co_return;
    }
    const auto json = parse_json_object(response->body);
    const auto endpoints = json ? parse_object(*json) : std::unexpected(json.error());
    if (!endpoints || !endpoints->subsets.is_array()) co_return;
    std::vector<std::string> servers;
    for (const Json& subset : endpoints->subsets.get_array()) {
        if (!subset.is_object()) continue;
        const Json* addresses = subset.get_object().if_contains("addresses");
        const Json* ports = subset.get_object().if_contains("ports");
        if (!addresses || !addresses->is_array() || !ports || !ports->is_array()) continue;
        for (const Json& port : ports->get_array())
            for (const Json& address : addresses->get_array()) {
                if (!port.is_object() || !address.is_object() ||
                    text_in(port.get_object(), "name") != "https")
                    continue;
                const Json* number = port.get_object().if_contains("port");
                if (!number || !number->is_int64()) continue;
                servers.push_back("https://" + to_string(Endpoint{text_in(address.get_object(), "ip"),
                                                                  std::uint16_t(number->get_int64())}));
            }
    }
    if (servers.empty()) co_return;
    const std::string used = access_.servers[current_];
    access_.servers = std::move(servers);
    const auto kept = std::ranges::find(access_.servers, used);
    current_ = kept != access_.servers.end() ? std::size_t(kept - access_.servers.begin())
                                             : std::size_t(loop_.random().below(access_.servers.size()));
}

std::unique_ptr<HttpStream> Api::stream(const std::string& path, Instant deadline,
                                        HttpClient::OnChunk on_chunk,
                                        std::move_only_function<void(Result<void>)> on_end) {
    refresh_credentials(false);
    const std::string server = access_.servers[current_];
    auto ended = [this, server, on_end = std::move(on_end)](Result<HttpClientResponse> response) mutable {
        if (!response) {
            leave(server);
            return on_end(std::unexpected(std::move(response).error()));
        }
        if (response->status / 100 == 2) return on_end({});
        if (response->status == 401) refresh_credentials(true);
        if (response->status == 410) return on_end(fail(ErrorCode::not_found, "too old"));
        on_end(std::unexpected(refusal({"GET", "a watch"}, *response)));
    };
    return client_.stream("GET", server + path, headers({"GET", path}), {}, deadline, std::move(on_chunk),
                          std::move(ended));
}

}  // namespace pgherd::kube
