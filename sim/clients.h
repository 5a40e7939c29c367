// Writers: one on every machine, each with its own view of the network. A writer commits one increasing
// number after the other on whatever server takes writes where it stands, a deposed primary included.
#pragma once

#include <vector>

#include "sim/judge.h"

namespace pgherd::sim {

class Clients {
  public:
    Clients(World& world, Judge& judge, int count, Duration pause);
    void start();
    std::uint64_t attempts() const { return last_value_; }

  private:
    struct Client {
        int at = 0;      // whose network it uses
        int server = 0;  // that worked the last time
        bool waiting = false;
        Instant since;
    };
    void turn(int client);

    World& world_;
    Duration pause_;
    std::vector<Client> clients_;
    std::uint64_t last_value_ = 0;
};

}  // namespace pgherd::sim
