// Which TCP ports of this machine are taken, and by whom.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace pgherd::local {

bool port_is_free(std::uint16_t port);  // for a listener on 127.0.0.1
// "postgres (pid 123)" as far as this user may know; empty otherwise.
std::string port_holder(std::uint16_t port);

// Ports for `count` members: `given` (one = the first of a block), which must be free, or else `remembered`,
// or the first free block from `first` on. `option` is for messages. Never one of `avoid`.
struct PortWish {
    std::string option;
    std::vector<std::uint16_t> given;
    std::vector<std::uint16_t> remembered;
    std::uint16_t first = 0;
};
struct PortChoice {
    std::vector<std::uint16_t> ports;
    std::string remark;  // not the usual ones, and why; empty otherwise
};
Result<PortChoice> choose_ports(const PortWish& wish, int count,
                                const std::vector<std::uint16_t>& avoid = {});

}  // namespace pgherd::local
