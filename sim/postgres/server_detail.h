// Shared by the parts of Server.
#pragma once

#include <utility>

#include "sim/postgres/server.h"

namespace pgherd::sim {

template <class F>
void Server::later(Duration delay, F then) {
    world_.clock.after(delay, [this, run = run_, then = std::move(then)]() mutable {
        if (run == run_) then();
    });
}

}  // namespace pgherd::sim
