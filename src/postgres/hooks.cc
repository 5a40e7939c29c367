// The users' commands: callbacks and pre_promote.
#include <fmt/format.h>

#include "postgres/instance.h"

namespace pgherd::postgres {

void Instance::callback(std::string event, Role role) {
    const auto command = config_.postgres.callbacks.find(event);
    if (command == config_.postgres.callbacks.end() || command->second.empty()) return;
    callback_->close();
    callback_ = std::make_unique<Tasks>(loop_.context());
    ChildSpec spec{
        .argv = shell_command(command->second, {event, std::string(to_string(role)), config_.scope}),
        .environment = tool_environment(identity_, {})};
    callback_->spawn([](Instance& self, std::string name, ChildSpec child) -> asio::awaitable<void> {
        const auto ran = co_await run_child(self.identity_, std::move(child), after(std::chrono::hours(1)));
        if (!ran)
            self.log_.warning("callback", ran.error().message);
        else if (!ran->succeeded())
            self.log_.warning("callback", fmt::format("{} {}", name, ran->describe()));
    }(*this, event, std::move(spec)));
}

Async<void> Instance::pre_promote() {
    if (config_.postgres.pre_promote.empty()) co_return Status{};
    PGHERD_CO_TRY(const ChildResult result,
                  co_await run_child(identity_,
                                     {.argv = shell_command(config_.postgres.pre_promote, {}),
                                      .environment = tool_environment(identity_, {})},
                                     after(config_.postgres.pg_ctl_timeout)));
    if (!result.succeeded())
        co_return fail(ErrorCode::conflict, fmt::format("pre_promote says no: it {}", result.describe()));
    co_return Status{};
}

}  // namespace pgherd::postgres
