#include "http/peer_client.h"

#include <fmt/format.h>

#include "base/text.h"
#include "codec/peer.h"

namespace pgherd {

namespace {

HttpClientOptions client_options(const CtlConfig& config) {
    HttpClientOptions options;
    options.tls = config.tls;
    options.tls.verify = config.tls.verify && !config.insecure;
    return options;
}

// Patroni answers with the text and, in the header, where it stands.
Result<FailsafeAnswer> understand(const std::string& url, const HttpClientResponse& response) {
    // The agent itself says no with these; what stands between may say other things.
    const bool refused = response.status == 500 || response.status == 502;
    if (response.status != 200 || !trim(response.body).starts_with("Accepted"))
        return fail(refused ? ErrorCode::conflict : ErrorCode::unavailable,
                    fmt::format("{} does not accept: {} {}", url, response.status,
                                trim(response.body).substr(0, 200)));
    FailsafeAnswer answer{.position = {}, .voted = response.headers.contains("voted")};
    const auto lsn = response.headers.find("lsn");
    if (lsn == response.headers.end()) return answer;
    const auto number = parse_uint(trim(lsn->second));
    answer.position = Lsn{number ? *number : 0};
    return answer;
}

}  // namespace

HttpPeers::HttpPeers(EventLoop& loop, const CtlConfig& config) : client_(loop, client_options(config)) {
    use_credentials(config);
}

void HttpPeers::use_credentials(const CtlConfig& config) {
    headers_.clear();
    if (!config.username.empty()) headers_.push_back(basic_authorization(config.username, config.password));
}

void HttpPeers::ask(const std::string& api_url, Instant deadline, Done<PeerStatus> done) {
    auto answered = [url = api_url, done = std::move(done)](Result<HttpClientResponse> response) mutable {
        if (!response) return done(std::unexpected(std::move(response).error()));
        Result<PeerStatus> status = parse_peer_status(response->body);
        if (!status)
            return done(std::unexpected(with_context(std::move(status).error(), "cannot understand " + url)));
        done(std::move(status));
    };
    client_.request("GET", api_url, headers_, {}, deadline, std::move(answered));
}

void HttpPeers::failsafe(const std::string& api_url, FailsafeMessage message, Instant deadline,
                         Done<FailsafeAnswer> done) {
    const std::string url = api_url.substr(0, api_url.rfind('/')) + "/failsafe";
    HttpHeaders headers = headers_;
    headers.emplace_back("Content-Type", "application/json");
    auto answered = [url, done = std::move(done)](Result<HttpClientResponse> response) mutable {
        if (!response) return done(std::unexpected(std::move(response).error()));
        done(understand(url, *response));
    };
    client_.request("POST", url, std::move(headers), write_failsafe_message(message), deadline,
                    std::move(answered));
}

}  // namespace pgherd
