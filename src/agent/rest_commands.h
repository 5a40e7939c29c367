// The REST API's write endpoints: input is checked here, with Patroni's answers, and then goes to Commands.
#pragma once

#include <expected>
#include <functional>
#include <string_view>

#include "agent/commands.h"
#include "agent/state.h"
#include "ports/http.h"

namespace pgherd::agent {

using Reply = std::move_only_function<void(HttpResponse)>;

struct WriteCall {
    const HttpRequest& request;
    const AgentState& state;
    Commands& commands;
    Reply reply;
};

void patch_config(WriteCall call);
void put_config(WriteCall call);
void post_switchover(WriteCall call);
void post_failover(WriteCall call);
void delete_switchover(WriteCall call);
void post_restart(WriteCall call);
void delete_restart(WriteCall call);
void post_reload(WriteCall call);
void post_reinitialize(WriteCall call);
void post_failsafe(WriteCall call);

// The input of two of them, checked. An error is the answer.
std::expected<FailoverRequest, CommandAnswer> read_switchover(const JsonObject& body, bool failover,
                                                              WallTime now);
std::expected<RestartRequest, CommandAnswer> read_restart(const JsonObject& body, WallTime now);

HttpResponse text_answer(int status, std::string text);

}  // namespace pgherd::agent
