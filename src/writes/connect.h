// Connecting to whichever host takes writes now.
//
// Every host is tried by itself, all at the same time: an attempt ends after `bound`, and the next one on
// that host follows `pause` later. The first that completes, target_session_attrs=read-write included, wins;
// the others are dropped. Resolving a host's name is libpq's and blocks; give addresses where that matters.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <libpq-fe.h>

#include "writes/gaps.h"
#include "writes/hosts.h"

namespace pgherd::writes {

struct CloseConnection {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, CloseConnection>;

struct Connected {
    Connection connection;
    std::string label;
};

struct ConnectPace {
    Duration bound = std::chrono::milliseconds(300);
    Duration pause = std::chrono::milliseconds(20);
};

class HostRace {
  public:
    HostRace(const std::vector<HostSettings>& hosts, ConnectPace pace);
    ~HostRace();
    HostRace(const HostRace&) = delete;
    HostRace& operator=(const HostRace&) = delete;

    // Goes on with all hosts until one is connected or `until` has passed, or `wake` (a descriptor, -1 =
    // none) is readable.
    std::optional<Connected> run_until(Mono until, int wake);

    // What each host said last: `10.0.0.1:5432: connection refused; 10.0.0.2:5432: …`.
    std::string troubles() const;

  private:
    struct Attempt;
    std::optional<Connected> step(Attempt& attempt, bool ready, Mono now);

    ConnectPace pace_;
    std::vector<Attempt> attempts_;
};

}  // namespace pgherd::writes
