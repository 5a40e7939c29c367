#include "sim/run.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"
#include "codec/section.h"
#include "codec/tags.h"
#include "sim/clients.h"
#include "sim/director.h"
#include "sim/faults.h"
#include "sim/store/sim_store.h"

namespace pgherd::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::string_view kRest = "after faults the cluster comes to rest";

struct Shape {
    int members = 3;
    Duration ttl{};
    JsonObject dcs;
    std::vector<JsonObject> tags;
    std::string description;
};

// In some runs members differ. Drawn apart: the other runs stay what they were. The first may lead and be
// synchronous; in strict mode all may be synchronous, or there would be no writes.
std::vector<JsonObject> draw_tags(Dice dice, int members, bool strict) {
    std::vector<JsonObject> all;
    if (!dice.chance(0.25)) return all;
    for (int i = 0; i < members; ++i) {
        JsonObject tags;
        const bool free = i > 0;
        if (free && dice.chance(0.25))
            tags["nofailover"] = true;
        else if (dice.chance(0.4))
            tags["failover_priority"] = 1 + static_cast<int>(dice.below(3));
        if (free && dice.chance(0.15) && !strict) tags["nosync"] = true;
        if (free && dice.chance(0.2)) tags["replicatefrom"] = "m1";
        all.push_back(std::move(tags));
    }
    return all;
}

Shape draw_shape(Dice& dice, int members) {
    Shape shape;
    constexpr std::array kMembers{2, 3, 3, 3, 3, 4, 5};
    shape.members = members != 0 ? members : kMembers[dice.below(kMembers.size())];
    constexpr std::array kTtl{3, 5, 5, 10, 20};
    const int ttl = kTtl[dice.below(kTtl.size())];
    const int loop_wait = std::max(1, ttl / 3);
    const int retry = std::max(1, (ttl - loop_wait) / 2);
    shape.ttl = seconds(ttl);
    shape.dcs = {{"ttl", ttl}, {"loop_wait", loop_wait}, {"retry_timeout", retry}};
    std::string mode = "off";
    const auto draw = dice.unit();
    if (draw > 0.4) mode = "on";
    if (draw > 0.65) mode = "strict";
    if (draw > 0.8) mode = "quorum";
    if (mode == "quorum")
        shape.dcs["synchronous_mode"] = "quorum";
    else if (mode != "off")
        shape.dcs["synchronous_mode"] = true;
    if (mode == "strict") shape.dcs["synchronous_mode_strict"] = true;
    const int nodes = mode != "off" && shape.members > 3 && dice.chance(0.5) ? 2 : 1;
    if (nodes == 2) shape.dcs["synchronous_node_count"] = 2;
    const bool failsafe = dice.chance(mode == "quorum" ? 0.6 : 0.4);
    if (failsafe) shape.dcs["failsafe_mode"] = true;
    if (dice.chance(0.2)) shape.dcs["primary_start_timeout"] = dice.chance(0.5) ? 0 : 10;
    if (dice.chance(0.2)) shape.dcs["maximum_lag_on_failover"] = 4096;
    if (dice.chance(0.2)) shape.dcs["check_timeline"] = true;
    if (dice.chance(0.15)) shape.dcs["postgresql"] = JsonObject{{"use_pg_rewind", false}};
    shape.tags = draw_tags(Dice(dice).fork(), shape.members, mode == "strict");
    shape.description =
        fmt::format("{} members, ttl {} s, synchronous mode {}{}{}{}", shape.members, ttl, mode,
                    nodes == 2 ? " with two nodes" : "", failsafe ? ", failsafe mode" : "",
                    shape.tags.empty() ? "" : ", with tags");
    return shape;
}

Shape shape_of(const Scenario& scenario) {
    Shape shape;
    shape.members = scenario.members;
    shape.dcs = scenario.dcs;
    if (const auto ttl = scalar_int(scenario.dcs.at("ttl"))) shape.ttl = seconds(*ttl);
    shape.description = fmt::format("scenario {}, {} members, {}", scenario.name, scenario.members,
                                    to_text(Json(scenario.dcs)));
    return shape;
}

class Run {
  public:
    explicit Run(const RunOptions& options);
    RunResult go();

  private:
    agent::Decide deciding(const std::string& without);
    bool going() const { return !judge_.found(); }
    void run_until(Instant until);
    void wait_for_cluster();
    void live_on();
    const char* restless() const;
    RunResult result();

    RunOptions options_;
    Dice dice_;
    Shape shape_;
    VirtualClock clock_;
    Trace trace_;
    Network network_;
    Judge judge_;
    World world_;
    StoreServer store_server_;
    Dice store_dice_;
    SimStore store_;
    StoreHealth health_;
    RunResult result_;
    Member::Settings settings_;
    std::vector<std::unique_ptr<Member>> members_;
    Clients clients_;
    Faults faults_;
    std::optional<Director> director_;
};

Run::Run(const RunOptions& options)
    : options_(options),
      dice_(options.scenario ? options.scenario->seed : options.seed),
      shape_(options.scenario ? shape_of(*options.scenario) : draw_shape(dice_, options.members)),
      trace_(clock_, options.reading),
      network_(shape_.members, dice_.fork()),
      judge_(clock_, trace_, shape_.members),
      world_{clock_, network_, trace_, judge_, dice_.fork()},
      store_server_(clock_),
      store_dice_(dice_.fork()),
      store_(store_server_, clock_, store_dice_),
      settings_{shape_.members, shape_.dcs, shape_.tags, deciding(options.without)},
      clients_(world_, judge_, shape_.members, milliseconds(90)),
      faults_({world_, judge_, health_, members_, shape_.ttl, shape_.dcs.contains("failsafe_mode")},
              dice_.fork()) {
    const Rest rest = [this](int member, HttpRequest request,
                             std::move_only_function<void(HttpResponse)> reply) {
        return members_[static_cast<std::size_t>(member)]->handle(std::move(request), std::move(reply));
    };
    for (const auto& name : split(options.without, ','))
        if (name == "guard") world_.guard_fences = false;
    if (options.scenario) {
        world_.pre_promote = options.scenario->pre_promote;
        world_.slow_checkpoint = options.scenario->slow_checkpoint;
        director_.emplace(Cluster{world_, judge_, health_, members_, shape_.ttl}, faults_, store_server_,
                          *options.scenario);
    }
    judge_.could_stop = [this](int member) {
        return members_[static_cast<std::size_t>(member)]->thinking_for() > shape_.ttl + seconds(2);
    };
    world_.stream_timeout = dice_.between(seconds(3), seconds(12));
    for (int i = 0; i < shape_.members; ++i) {
        members_.push_back(std::make_unique<Member>(world_, judge_, store_, health_, settings_, i, rest));
        world_.servers.push_back(&members_.back()->server());
    }
    network_.on_change([this] {
        for (const auto& member : members_) member->server().network_changed();
    });
    judge_.watch(store_, world_.servers);
    for (std::size_t i = 0; i < shape_.tags.size(); ++i)
        if (!parse_tags(shape_.tags[i]).may_lead()) judge_.never_leads(static_cast<int>(i));
}

agent::Decide Run::deciding(const std::string& without) {
    return [this, without](const ha::Observation& seen, const ha::Memory& memory) {
        auto decision =
            without.empty() ? ha::decide(seen, memory) : ha::decide_without(without, seen, memory);
        const auto it = result_.rules.find(decision.rule);
        if (it == result_.rules.end())
            result_.rules.emplace(decision.rule, 1);
        else
            ++it->second;
        for (const auto duty : decision.duties) ++result_.rules[std::string(duty)];
        return decision;
    };
}

void Run::run_until(Instant until) {
    while (going() && clock_.now() < until) clock_.run_until(std::min(until, clock_.now() + milliseconds(5)));
}

void Run::wait_for_cluster() {
    for (const auto& member : members_)
        clock_.after(dice_.between(Duration{}, milliseconds(500)), [&member] { member->start_brain(); });
    clients_.start();
    if (!director_ && dice_.chance(0.25)) return;  // faults may strike while the cluster is being made, too
    const auto limit = clock_.now() + seconds(60);
    while (going() && clock_.now() < limit && restless() != nullptr) run_until(clock_.now() + seconds(1));
}

// Why the cluster is not at rest; null: it is.
const char* Run::restless() const {
    const auto leader = judge_.leader();
    if (!leader) return "nobody leads";
    const Server& primary = members_[static_cast<std::size_t>(*leader)]->server();
    if (!primary.primary() || !primary.writable()) return "the leader takes no writes";
    if (clock_.now() - judge_.last_acknowledged(*leader) > seconds(2)) return "no write is acknowledged";
    for (const auto& member : members_) {
        const Server& server = member->server();
        if (&server == &primary) continue;
        if (!server.standby()) return "a member is no running standby";
        if (!server.streaming()) return "a standby does not stream";
        if (server.disk().wal.timeline() != primary.disk().wal.timeline())
            return "a standby is on another timeline";
    }
    return nullptr;
}

void Run::live_on() {
    faults_.heal();
    if (judge_.paused()) faults_.request(0, "PATCH", "/config", {{"pause", nullptr}});
    const auto begin = clock_.now();
    const auto limit = begin + seconds(120) + 2 * shape_.ttl;
    int quiet = 0;
    const char* why = "";
    while (going() && quiet < 3) {
        run_until(clock_.now() + seconds(1));
        why = restless();
        quiet = why == nullptr ? quiet + 1 : 0;
        result_.to_rest = clock_.now() - begin;
        if (clock_.now() > limit) {
            std::string state;
            for (const auto& member : members_)
                state += fmt::format("\n    {}: {}", member->server().name(), member->server().describe());
            return judge_.violation(kRest, fmt::format("{} after {}{}", why == nullptr ? "still moving" : why,
                                                       to_text(clock_.now() - begin), state));
        }
        if (judge_.paused() && (clock_.now() - begin) / seconds(1) % 10 == 9)
            faults_.request(static_cast<int>(dice_.below(members_.size())), "PATCH", "/config",
                            {{"pause", nullptr}});
    }
    if (going()) judge_.check_at_rest(members_[static_cast<std::size_t>(*judge_.leader())]->server());
}

RunResult Run::go() {
    const auto begin = clock_.now();
    trace_.note(Trace::kNobody, "cluster", 0, [&] { return shape_.description; });
    wait_for_cluster();
    if (going()) {
        const auto until = clock_.now() + (director_ ? options_.scenario->until : options_.faults);
        if (director_)
            director_->start();
        else
            faults_.start(until);
        run_until(until);
    }
    if (going()) live_on();
    result_.violation = judge_.found();
    result_.hash = trace_.hash();
    result_.events = clock_.calls();
    result_.simulated = clock_.now() - begin;
    result_.acknowledged = judge_.acknowledged_count();
    result_.lost = judge_.lost_count();
    result_.members = shape_.members;
    result_.description = shape_.description;
    result_.tail.assign(trace_.tail().begin(), trace_.tail().end());
    for (const auto& member : members_) result_.elections += member->server().promotions();
    return std::move(result_);
}

}  // namespace

RunResult run(const RunOptions& options) {
    return Run(options).go();
}

}  // namespace pgherd::sim
