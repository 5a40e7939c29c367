#include "sim/member.h"

#include <fmt/format.h>

#include "codec/tags.h"

namespace pgherd::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// An agent's log goes into the trace.
class TraceLog final : public Log {
  public:
    TraceLog(Trace& trace, int member) : trace_(trace), member_(member) {}
    void write(const LogEvent& event) override {
        trace_.note(member_, event.name, event.text.size(), [&] {
            std::string text = event.text;
            for (const auto& [key, value] : event.fields) text += fmt::format(" [{}={}]", key, value);
            return text;
        });
    }

  private:
    Trace& trace_;
    int member_;
};

AgentConfig config_of(int number, const Member::Settings& settings) {
    AgentConfig config;
    config.source = "simulation";
    config.scope = "sim";
    config.name = MemberName(fmt::format("m{}", number + 1));
    config.restapi.listen = config.restapi.connect_address = {host_of(number), 8008};
    config.postgres.listen_hosts = {host_of(number)};
    config.postgres.connect_address = {host_of(number), 5432};
    config.postgres.data_dir = "data";
    config.postgres.superuser = {"postgres", "", {}};
    config.postgres.remove_data_directory_on_rewind_failure = true;
    config.postgres.remove_data_directory_on_diverged_timelines = true;
    config.bootstrap.dcs = settings.dcs;
    config.has_bootstrap = true;
    if (static_cast<std::size_t>(number) < settings.tags.size())
        config.tags = parse_tags(settings.tags[static_cast<std::size_t>(number)]);
    return config;
}

}  // namespace

// What dies with the brain. The ports go after the agent.
struct Brain {
    GatePtr gate;
    GatedClock clock;
    Dice dice;
    PostgresPort postgres;
    SimPeers peers;
    TraceLog log;
    std::unique_ptr<agent::Agent> agent;

    Brain(World& world, Server& server, const Duration& wall_error, int members, const Rest& rest)
        : gate(std::make_shared<Gate>()),
          clock(world.clock, gate, wall_error),
          dice(world.dice.fork()),
          postgres(world, server, gate),
          peers(world.clock, world.network, server.member(), members, gate, rest),
          log(world.trace, server.member()) {}
    ~Brain() { gate->close(); }
    Brain(const Brain&) = delete;
    Brain& operator=(const Brain&) = delete;
};

Member::Member(World& world, Judge& judge, Store& store, const StoreHealth& health, const Settings& settings,
               int number, Rest rest)
    : world_(world),
      judge_(judge),
      settings_(settings),
      number_(number),
      rest_(std::move(rest)),
      server_(world, number),
      store_(store, world.clock, world.network, health, world.dice.fork(), number) {}
Member::~Member() = default;

bool Member::thinking() const {
    return brain_ && brain_->gate->alive() && !brain_->gate->stopped();
}

Duration Member::thinking_for() const {
    return thinking() ? world_.clock.now() - thinking_since_ : Duration{};
}

void Member::start_brain() {
    if (brain_ || !on_ || !server_.guard_alive()) return;
    thinking_since_ = world_.clock.now();
    world_.trace.note(number_, "brain starts");
    brain_ = std::make_unique<Brain>(world_, server_, wall_error_, settings_.members, rest_);
    store_.serve(brain_->gate);
    agent::Ports ports{brain_->clock, brain_->dice, store_, brain_->postgres, brain_->peers, brain_->log};
    auto exit = [this, life = life_, gate = brain_->gate](std::string why) {
        if (!gate->alive()) return;
        world_.trace.note(number_, "brain exits", 0, [&] { return why; });
        judge_.exited(number_, why);
        world_.clock.post([this, gate, life] {
            if (!gate->alive()) return;
            end_brain();
            if (life == life_) start_brain_soon(seconds(5));
        });
    };
    brain_->agent = std::make_unique<agent::Agent>(config_of(number_, settings_), ports, std::move(exit),
                                                   settings_.decide);
    brain_->agent->start();
}

void Member::start_brain_soon(Duration delay) {
    world_.clock.after(delay, [this, life = life_] {
        if (life == life_) start_brain();
    });
}

void Member::end_brain() {
    if (!brain_) return;
    brain_->gate->close();
    brain_->agent.reset();
    brain_.reset();
    server_.brain_died();
}

void Member::kill_brain() {
    if (!brain_) return;
    world_.trace.note(number_, "brain killed");
    end_brain();
    start_brain_soon(world_.dice.between(milliseconds(50), milliseconds(800)));
}

void Member::stop_brain() {
    if (!brain_) return;
    world_.trace.note(number_, "brain stopped");
    brain_->gate->stop();
}

void Member::continue_brain() {
    if (!brain_ || !brain_->gate->stopped()) return;
    world_.trace.note(number_, "brain goes on");
    thinking_since_ = world_.clock.now();
    brain_->gate->go_on();
}

void Member::kill_guard() {
    if (!on_ || !server_.guard_alive()) return;
    world_.trace.note(number_, "guard killed");
    ++life_;
    end_brain();
    server_.guard_died();
    world_.clock.after(world_.dice.between(milliseconds(300), seconds(3)), [this, life = life_] {
        if (life != life_ || !on_) return;
        server_.guard_started();
        start_brain();
    });
}

void Member::change_disk(std::function<void(Server&)> change) {
    if (!on_) return;
    if (!server_.guard_alive() && server_.process() == Server::Process::stopped) return change(server_);
    kill_guard();
    world_.clock.after(milliseconds(100), [this, change = std::move(change)] {
        if (server_.process() == Server::Process::stopped) change(server_);
    });
}

void Member::power_off() {
    if (!on_) return;
    world_.trace.note(number_, "power off");
    on_ = false;
    ++life_;
    end_brain();
    server_.power_off();
}

void Member::shut_down() {
    if (!brain_) return;
    world_.trace.note(number_, "told to end");
    brain_->gate->run([this, gate = brain_->gate] {
        brain_->agent->shutdown([this, gate] {
            world_.clock.post([this, gate] {
                if (gate->alive()) power_off();
            });
        });
    });
}

void Member::power_on() {
    if (on_) return;
    world_.trace.note(number_, "power on");
    on_ = true;
    server_.guard_started();
    start_brain_soon(world_.dice.between(milliseconds(200), seconds(2)));
}

bool Member::handle(HttpRequest request, std::move_only_function<void(HttpResponse)> reply) {
    if (!on_ || !brain_) return false;
    brain_->gate->run(
        [this, gate = brain_->gate, request = std::move(request), reply = std::move(reply)]() mutable {
            if (gate->alive()) brain_->agent->handle(std::move(request), std::move(reply));
        });
    return true;
}

}  // namespace pgherd::sim
