// One run of a health check.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "supervise/layer.h"

namespace pgherd {
class HttpClient;
}

namespace pgherd::supervisor {

class Daemon;

// Destroying it ends the run, and `done` is not called.
class Probe {
  public:
    virtual ~Probe() = default;
};

using ProbeDone = std::function<void(std::optional<std::string> error)>;

// `done` is called once from the loop, never inside this call, with nothing after a success.
std::unique_ptr<Probe> start_probe(Daemon& daemon, HttpClient& http, const supervise::Check& check,
                                   ProbeDone done);

}  // namespace pgherd::supervisor
