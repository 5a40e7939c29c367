// The Peers port over HTTP: the REST API that pgherd members and Patroni's share.
#pragma once

#include "http/client.h"
#include "ports/peers.h"

namespace pgherd {

class HttpPeers final : public Peers {
  public:
    HttpPeers(EventLoop& loop, const CtlConfig& config);
    // User and password of the questions from now on; the certificates' files stay the same ones.
    void use_credentials(const CtlConfig& config);

    void ask(const std::string& api_url, Instant deadline, Done<PeerStatus> done) override;
    void failsafe(const std::string& api_url, FailsafeMessage message, Instant deadline,
                  Done<FailsafeAnswer> done) override;

  private:
    HttpHeaders headers_;  // credentials, if there are any
    HttpClient client_;
};

}  // namespace pgherd
