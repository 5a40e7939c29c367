// Faults: what may happen to a cluster, and when.
//
// Every run draws which kinds of fault it has at all (a "swarm": runs with few kinds go deeper than runs with
// all of them), then strikes at random moments. Most faults end by themselves after a while; heal() ends all
// of them.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "sim/member.h"

namespace pgherd::sim {

struct Cluster {
    World& world;
    Judge& judge;
    StoreHealth& health;
    std::vector<std::unique_ptr<Member>>& members;
    Duration ttl;
    bool failsafe = false;  // failsafe mode is on from the beginning
};

class Faults {
  public:
    Faults(Cluster cluster, Dice dice);
    void start(Instant until);
    void heal();
    // Sends an operator's request to the agent of `member`.
    void request(int member, std::string method, std::string path, const JsonObject& body);

  private:
    struct Kind {
        std::string_view name;
        void (Faults::*strike)(int member);
    };
    static const std::vector<Kind>& kinds();
    static const std::vector<Kind>& failsafe_kinds();
    static const std::vector<Kind>& later_kinds();

    void next();
    int anybody() { return static_cast<int>(dice_.below(cluster_.members.size())); }
    int somebody();  // often the leader
    Member& member(int i) { return *cluster_.members[static_cast<std::size_t>(i)]; }
    void for_a_while(Duration longest, std::initializer_list<int> disturbed, std::function<void()> end);
    void cut(int from, int to, std::vector<std::pair<int, int>>& cuts);
    void heal_later(std::vector<std::pair<int, int>> cuts, Duration longest);
    void store_trouble(std::function<void()> end);

    void kill_postmaster(int i);
    void kill_brain(int i);
    void stop_brain(int i);
    void kill_guard(int i);
    void power_off(int i);
    void isolate(int i);
    void cut_from_peers(int i);
    void cut_from_store(int i);
    void cut_one_way(int i);
    void split(int i);
    void take_address(int i);
    void store_down(int i);
    void store_refuses(int i);
    void store_late(int i);
    void store_and_replicas(int i);
    void store_loses_answers(int i);
    void watch_stalls(int i);
    void store_read_only(int i);
    void blind(int i);
    void lose_disk(int i);
    void operation_fails(int i);
    void step_wall_clock(int i);
    void switchover(int i);
    void failover(int i);
    void restart(int i);
    void reinitialize(int i);
    void pause(int i);
    void change_sync_mode(int i);
    void schedule_switchover(int i);
    void disk_hangs(int i);
    void watchdog_missing(int i);
    void foreign_directory(int i);
    void other_system(int i);
    bool may_lose_disk(int i);
    void spoil_disk(int i, void (Server::*how)());

    Cluster cluster_;
    Dice dice_;
    std::vector<Kind> enabled_;
    Duration pace_{};
    Instant until_;
    std::uint64_t era_ = 0;  // heal() begins a new one: what was to end later has ended
};

}  // namespace pgherd::sim
