#include "sim/clients.h"

namespace pgherd::sim {

using std::chrono::seconds;

Clients::Clients(World& world, Judge& judge, int count, Duration pause)
    : world_(world), pause_(pause), clients_(static_cast<std::size_t>(count)) {
    for (int i = 0; i < count; ++i) clients_[static_cast<std::size_t>(i)].at = i;
    judge.on_client = [this](int client, bool) {
        clients_[static_cast<std::size_t>(client)].waiting = false;
    };
}

void Clients::start() {
    for (const auto& client : clients_)
        world_.clock.after(world_.dice.between(Duration{}, pause_), [this, at = client.at] { turn(at); });
}

void Clients::turn(int number) {
    world_.clock.after(world_.dice.about(pause_), [this, number] { turn(number); });
    Client& client = clients_[static_cast<std::size_t>(number)];
    // After a while a client gives up on an answer and opens another connection; the commit may still be
    // acknowledged.
    if (client.waiting && world_.clock.now() - client.since < seconds(3)) return;
    const auto servers = static_cast<int>(world_.servers.size());
    for (int i = 0; i < servers; ++i) {
        const int candidate = (client.server + i) % servers;
        Server& server = *world_.servers[static_cast<std::size_t>(candidate)];
        if (!server.writable() || !world_.network.both_ways(client.at, candidate)) continue;
        client.server = candidate;
        client.waiting = true;
        client.since = world_.clock.now();
        server.commit(number, ++last_value_);
        return;
    }
}

}  // namespace pgherd::sim
