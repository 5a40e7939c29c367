// The command lines of `up` and `down`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace pgherd::local {

struct UpOptions {
    std::string dir;             // empty = the default one
    std::optional<int> members;  // 1..9
    std::vector<std::uint16_t>
        ports;  // one = the first of a block; as many as members otherwise; empty = choose
    std::vector<std::uint16_t> rest_ports;  // likewise
    std::string postgres_bin;               // empty = search
    bool detach = false;
    Duration timeout = std::chrono::seconds(60);  // for the cluster to become healthy
    bool help = false;
};

struct DownOptions {
    std::string dir;
    bool purge = false;
    bool help = false;
};

// Errors are `invalid` and name the option.
Result<UpOptions> parse_up(std::span<const std::string> args);
Result<DownOptions> parse_down(std::span<const std::string> args);
extern const char* const kUpHelp;
extern const char* const kDownHelp;

// $PGHERD_DIR, or ~/.pgherd/default; for root, whose home PostgreSQL's user cannot enter,
// /var/lib/pgherd/default.
std::string default_dir();

}  // namespace pgherd::local
