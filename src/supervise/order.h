// Which services a request is about, in which order, and which of them go in parallel.
//
// A lane is a group of services that are linked by `requires`: a lane's tasks run one after the other, and
// when one fails the rest of the lane is not tried. Lanes run side by side, except that `after` and `before`
// are honoured between lanes as well (there only the order counts, not the success).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "supervise/layer.h"

namespace pgherd::supervise {

struct OrderedService {
    std::string name;
    std::size_t lane = 0;
    std::vector<std::size_t>
        waits_for;  // positions of those, earlier in the list, that must be finished first
};

// `names` and everything they require. Error: a name that does not exist.
Result<std::vector<OrderedService>> start_order(const Plan& plan, const std::vector<std::string>& names);
// `names` and everything that requires them, dependants first.
Result<std::vector<OrderedService>> stop_order(const Plan& plan, const std::vector<std::string>& names);
// Only `names`, dependants first: for a restart.
Result<std::vector<OrderedService>> stop_order_of_only(const Plan& plan,
                                                       const std::vector<std::string>& names);
// Error: `services in before/after loop: a, b`.
Status check_loops(const Plan& plan);

}  // namespace pgherd::supervise
