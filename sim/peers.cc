#include "sim/peers.h"

#include "codec/peer.h"
#include "ports/pending.h"
#include "sim/postgres/server.h"

namespace pgherd::sim {

namespace {

int member_of(const std::string& api_url, int members) {
    for (int i = 0; i < members; ++i)
        if (api_url.find(host_of(i) + ":") != std::string::npos) return i;
    return -1;
}

}  // namespace

void SimPeers::send(const std::string& api_url, HttpRequest request, Instant deadline,
                    Done<HttpResponse> done) {
    auto question = std::make_shared<Pending<HttpResponse>>(gate_->through(std::move(done)));
    question->deadline = clock_.call_at(
        deadline, [question] { question->answer(fail(ErrorCode::timeout, "the peer does not answer")); });
    const int address = member_of(api_url, members_);
    const int peer = address < 0 ? address : network_.holder(address);
    if (peer < 0 || !network_.hears(peer, member_)) return;
    request.peer_address = host_of(member_);
    clock_.after(network_.delay(), [&clock = clock_, &network = network_, rest = rest_, here = member_, peer,
                                    question, request = std::move(request)]() mutable {
        if (!network.hears(peer, here)) return;
        const auto back = [&clock, &network, here, peer, question](Result<HttpResponse> response) {
            clock.after(network.delay(),
                        [&network, here, peer, question, response = std::move(response)]() mutable {
                            if (network.hears(here, peer)) question->answer(std::move(response));
                        });
        };
        if (!rest(peer, std::move(request), back)) back(fail(ErrorCode::unavailable, "connection refused"));
    });
}

void SimPeers::ask(const std::string& api_url, Instant deadline, Done<PeerStatus> done) {
    HttpRequest request;
    request.method = "GET";
    request.path = "/patroni";
    if (api_url.ends_with("?candidate=yes")) request.query = {{"candidate", "yes"}};
    send(api_url, std::move(request), deadline,
         [done = std::move(done)](Result<HttpResponse> response) mutable {
             if (!response) return done(std::unexpected(response.error()));
             done(parse_peer_status(response->body));
         });
}

void SimPeers::failsafe(const std::string& api_url, FailsafeMessage message, Instant deadline,
                        Done<FailsafeAnswer> done) {
    HttpRequest request;
    request.method = "POST";
    request.path = "/failsafe";
    request.body = write_failsafe_message(message);
    request.headers["content-length"] = std::to_string(request.body.size());
    request.headers["content-type"] = "application/json";
    send(api_url, std::move(request), deadline,
         [done = std::move(done)](Result<HttpResponse> response) mutable {
             if (!response) return done(std::unexpected(response.error()));
             done(parse_failsafe_answer(
                 response->status, {response->headers.begin(), response->headers.end()}, response->body));
         });
}

}  // namespace pgherd::sim
