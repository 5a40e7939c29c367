// One machine of the cluster: its instance and guard, and the brain (the very agent of the program) that
// comes and goes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "sim/judge.h"
#include "sim/member_store.h"
#include "sim/peers.h"
#include "sim/postgres/port.h"

namespace pgherd::sim {

struct Brain;

class Member {
  public:
    struct Settings {
        int members = 3;
        JsonObject dcs;
        std::vector<JsonObject> tags;  // by member; missing ones have none
        agent::Decide decide;
    };
    Member(World& world, Judge& judge, Store& store, const StoreHealth& health, const Settings& settings,
           int number, Rest rest);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    Server& server() { return server_; }
    const Server& server() const { return server_; }
    int number() const { return number_; }
    bool on() const { return on_; }
    // The brain is there and not stopped, and for how long.
    bool thinking() const;
    Duration thinking_for() const;

    void start_brain();
    void kill_brain();  // the guard starts a new one
    void stop_brain();  // SIGSTOP
    void continue_brain();
    void kill_guard();  // everything ends with it; systemd starts it again
    // As kill_guard; `change` is made to the disk before anything starts again.
    void change_disk(std::function<void(Server&)> change);
    void power_off();
    void power_on();
    void shut_down();  // SIGTERM; the machine is off when the agent has ended
    void set_wall_error(Duration error) { wall_error_ = error; }
    // The REST API. False: nobody listens.
    bool handle(HttpRequest request, std::move_only_function<void(HttpResponse)> reply);

  private:
    void end_brain();
    void start_brain_soon(Duration delay);

    World& world_;
    Judge& judge_;
    const Settings& settings_;
    int number_;
    Rest rest_;
    Server server_;
    MemberStore store_;
    Duration wall_error_{};
    bool on_ = true;
    std::uint64_t life_ = 0;  // of the machine's processes
    Instant thinking_since_;
    std::unique_ptr<Brain> brain_;
};

}  // namespace pgherd::sim
