// The Peers port of one member: a question goes over the simulated network to the other agent's own REST API
// and is read with the codec, so that the simulator also exercises what is said, not only that something is
// said.
#pragma once

#include <functional>

#include "ports/http.h"
#include "ports/peers.h"
#include "sim/clock.h"
#include "sim/gate.h"
#include "sim/network.h"

namespace pgherd::sim {

// A member's REST API from outside: answers, answers later, or never (the brain is stopped). False:
// connection refused.
using Rest =
    std::function<bool(int member, HttpRequest request, std::move_only_function<void(HttpResponse)> reply)>;

class SimPeers final : public Peers {
  public:
    SimPeers(VirtualClock& clock, Network& network, int member, int members, GatePtr gate, Rest rest)
        : clock_(clock),
          network_(network),
          member_(member),
          members_(members),
          gate_(std::move(gate)),
          rest_(std::move(rest)) {}

    void ask(const std::string& api_url, Instant deadline, Done<PeerStatus> done) override;
    void failsafe(const std::string& api_url, FailsafeMessage message, Instant deadline,
                  Done<FailsafeAnswer> done) override;

  private:
    void send(const std::string& api_url, HttpRequest request, Instant deadline, Done<HttpResponse> done);

    VirtualClock& clock_;
    Network& network_;
    int member_;
    int members_;
    GatePtr gate_;
    Rest rest_;
};

}  // namespace pgherd::sim
