#include "http/peer_client.h"

#include "codec/peer.h"

namespace pgherd {

namespace {

HttpClientOptions client_options(const CtlConfig& config) {
    HttpClientOptions options;
    options.tls = config.tls;
    options.tls.verify = config.tls.verify && !config.insecure;
    return options;
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
        Result<FailsafeAnswer> answer =
            parse_failsafe_answer(response->status, response->headers, response->body);
        if (!answer)
            return done(std::unexpected(with_context(std::move(answer).error(), url + " does not accept")));
        done(std::move(answer));
    };
    client_.request("POST", url, std::move(headers), write_failsafe_message(message), deadline,
                    std::move(answered));
}

}  // namespace pgherd
