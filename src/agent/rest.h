// The REST API: Patroni's endpoints as functions from the agent's state to answers (reference: Patroni 4.1,
// REST API).
//
// Knows no socket. Reads are answered at once; writes check credentials and input and go to Commands.
#pragma once

#include "agent/commands.h"
#include "agent/state.h"
#include "ports/http.h"

namespace pgherd::agent {

class RestApi {
  public:
    // Both outlive the RestApi.
    RestApi(const AgentState& state, Commands& commands) : state_(state), commands_(commands) {}
    void handle(HttpRequest request, std::move_only_function<void(HttpResponse)> reply);

  private:
    const AgentState& state_;
    Commands& commands_;
};

}  // namespace pgherd::agent
