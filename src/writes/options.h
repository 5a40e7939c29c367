// The arguments of `pgherd writes`.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "writes/connect.h"

namespace pgherd::writes {

struct Options {
    std::vector<HostSettings> hosts;
    Duration interval = std::chrono::milliseconds(10);
    std::optional<Duration> duration;  // absent = until a signal
    Duration statement_timeout = std::chrono::seconds(2);
    Duration wait = std::chrono::seconds(30);  // for the first connection, and for the check at the end
    ConnectPace pace;
    std::string table = "pgherd_writes";
    std::string run;      // empty = a fresh one
    bool append = false;  // go on after the highest value of `run`
    std::string report;   // empty = stdout
    std::string verify;   // a report to check the table against; nothing is written
    bool progress = false;
};

// The options, or the exit code with which the program ends now (0 after --help); what to say has been said.
std::expected<Options, int> read_options(std::span<const std::string> args);

}  // namespace pgherd::writes
