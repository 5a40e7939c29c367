// How the supervisor was called: `run` and `enter`, and the PEBBLE… variables.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace pgherd::supervisor {

struct Options {
    std::string directory = "/var/lib/pebble/default";  // $PEBBLE
    std::string socket;                                 // $PEBBLE_SOCKET, or .pebble.socket in the directory
    bool create_directories = false;
    bool hold = false;                          // start nothing by itself
    bool verbose = false;                       // the services' output also on our own
    bool end_services_with_us = false;          // they get SIGTERM when the supervisor is gone
    bool persist = true;                        // $PEBBLE_PERSIST is not "never"
    std::string copy_once;                      // $PEBBLE_COPY_ONCE: fills an empty directory
    std::string http;                           // "[host]:port"; empty = none
    std::string log_directory;                  // the services' output also in files there; empty = none
    std::uint64_t log_size = 10 * 1024 * 1024;  // of one file
    unsigned log_keep = 5;                      // older files of a service
    std::string identities;                     // a file
    std::map<std::string, std::vector<std::string>> arguments;  // --args: service -> words
    std::string version;                                        // what system-info says

    // `enter`: a command beside the supervisor.
    bool enter = false;
    bool enter_run = false;  // start the default services first
    std::vector<std::string> inner;
};

struct Called {
    Options options;
    bool help = false;
};

// `words` begin with "run" or "enter".
Result<Called> parse_options(const std::vector<std::string>& words);

}  // namespace pgherd::supervisor
