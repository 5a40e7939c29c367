#include "sim/faults.h"

#include <algorithm>

#include <fmt/format.h>

#include "codec/json.h"

namespace pgherd::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<Faults::Kind>& Faults::kinds() {
    static const std::vector<Kind> kAll{
        {"kill postmaster", &Faults::kill_postmaster},
        {"kill brain", &Faults::kill_brain},
        {"stop brain", &Faults::stop_brain},
        {"kill guard", &Faults::kill_guard},
        {"power off", &Faults::power_off},
        {"isolate", &Faults::isolate},
        {"cut from peers", &Faults::cut_from_peers},
        {"cut from store", &Faults::cut_from_store},
        {"cut one way", &Faults::cut_one_way},
        {"split", &Faults::split},
        {"store down", &Faults::store_down},
        {"store refuses", &Faults::store_refuses},
        {"store late", &Faults::store_late},
        {"store loses answers", &Faults::store_loses_answers},
        {"watch stalls", &Faults::watch_stalls},
        {"lose disk", &Faults::lose_disk},
        {"operation fails", &Faults::operation_fails},
        {"step wall clock", &Faults::step_wall_clock},
        {"switchover", &Faults::switchover},
        {"failover", &Faults::failover},
        {"restart", &Faults::restart},
        {"reinitialize", &Faults::reinitialize},
        {"pause", &Faults::pause},
        {"change sync mode", &Faults::change_sync_mode},
    };
    return kAll;
}

const std::vector<Faults::Kind>& Faults::failsafe_kinds() {
    static const std::vector<Kind> kAll{{"store and replicas", &Faults::store_and_replicas}};
    return kAll;
}

// Drawn apart: the seeds without them stay what they were.
const std::vector<Faults::Kind>& Faults::later_kinds() {
    static const std::vector<Kind> kAll{
        {"take address", &Faults::take_address},
        {"store read only", &Faults::store_read_only},
        {"blind", &Faults::blind},
        {"disk hangs", &Faults::disk_hangs},
        {"watchdog missing", &Faults::watchdog_missing},
        {"foreign directory", &Faults::foreign_directory},
        {"disk of another system", &Faults::other_system},
        {"schedule switchover", &Faults::schedule_switchover},
    };
    return kAll;
}

Faults::Faults(Cluster cluster, Dice dice) : cluster_(cluster), dice_(dice) {
    const double share = dice_.chance(0.5) ? 0.15 : 0.45;
    for (const auto& kind : kinds())
        if (dice_.chance(share)) enabled_.push_back(kind);
    if (cluster_.failsafe)
        for (const auto& kind : failsafe_kinds())
            if (dice_.chance(0.5)) enabled_.push_back(kind);
    if (enabled_.empty()) enabled_.push_back(kinds()[dice_.below(kinds().size())]);
    Dice apart = Dice(dice_).fork();
    for (const auto& kind : later_kinds())
        if (apart.chance(0.15)) enabled_.push_back(kind);
    pace_ = dice_.between(milliseconds(800), seconds(8));
}

void Faults::start(Instant until) {
    until_ = until;
    next();
}

void Faults::next() {
    cluster_.world.clock.after(dice_.between(Duration{}, pace_ * 2), [this] {
        if (cluster_.world.clock.now() >= until_) return;
        const Kind& kind = enabled_[dice_.below(enabled_.size())];
        const int target = somebody();
        cluster_.world.trace.note(target, "FAULT", kind.name.size(), [&] { return std::string(kind.name); });
        (this->*kind.strike)(target);
        next();
    });
}

int Faults::somebody() {
    const auto leader = cluster_.judge.leader();
    return leader && dice_.chance(0.6) ? *leader : anybody();
}

void Faults::for_a_while(Duration longest, std::initializer_list<int> disturbed, std::function<void()> end) {
    const std::vector<int> members(disturbed);
    for (const int i : members) cluster_.judge.disturbed(i);
    cluster_.world.clock.after(dice_.between(milliseconds(100), longest),
                               [this, era = era_, members, end = std::move(end)] {
                                   if (era != era_) return;
                                   end();
                                   for (const int i : members) cluster_.judge.calm(i);
                               });
}

void Faults::heal() {
    ++era_;
    until_ = cluster_.world.clock.now();
    cluster_.world.trace.note(Trace::kNobody, "everything heals");
    cluster_.health = StoreHealth{};
    cluster_.world.network.heal_everything();
    cluster_.judge.all_calm();
    for (const auto& machine : cluster_.members) {
        machine->power_on();
        machine->continue_brain();
        machine->set_wall_error({});
        machine->server().refuse_deadlines(false);
        machine->server().blind(false);
        machine->server().hang(Server::Hang::no);
        // The last of the wrong disks may be on their way.
        cluster_.world.clock.after(milliseconds(200), [machine = machine.get()] {
            if (machine->server().needs_an_operator())
                machine->change_disk([](Server& server) { server.repair_disk(); });
        });
    }
}

// --- processes
// ---------------------------------------------------------------------------------------------------------

void Faults::kill_postmaster(int i) {
    for_a_while(seconds(1), {i}, [] {});
    member(i).server().kill_postmaster();
}

void Faults::kill_brain(int i) {
    for_a_while(seconds(2), {i}, [] {});
    member(i).kill_brain();
}

void Faults::stop_brain(int i) {
    member(i).stop_brain();
    for_a_while(cluster_.ttl * 5 / 2, {i}, [this, i] { member(i).continue_brain(); });
}

void Faults::kill_guard(int i) {
    for_a_while(seconds(4), {i}, [] {});
    member(i).kill_guard();
}

void Faults::power_off(int i) {
    if (!member(i).on()) return;
    std::vector<std::pair<int, int>> cuts;
    for (int other = 0; other <= static_cast<int>(cluster_.members.size()); ++other) {
        if (other == i) continue;
        cut(i, other, cuts);
        cut(other, i, cuts);
    }
    member(i).power_off();
    for_a_while(seconds(20), {i}, [this, i, cuts] {
        for (const auto& [from, to] : cuts) cluster_.world.network.heal(from, to);
        member(i).power_on();
    });
}

// Only a replica's, while the leader is well: more is not survivable by any rule.
bool Faults::may_lose_disk(int i) {
    const auto leader = cluster_.judge.leader();
    return leader && *leader != i && member(*leader).server().primary() && member(*leader).on() &&
           member(i).on() && !member(i).server().writable();
}

void Faults::lose_disk(int i) {
    if (!may_lose_disk(i)) return;
    for_a_while(seconds(4), {i}, [] {});
    member(i).kill_guard();
    cluster_.world.clock.after(milliseconds(100), [this, i] {
        if (member(i).server().process() == Server::Process::stopped) member(i).server().lose_disk();
    });
}

// Until an operator has put its own disk back.
void Faults::spoil_disk(int i, void (Server::*how)()) {
    if (!may_lose_disk(i)) return;
    member(i).change_disk([how](Server& server) { (server.*how)(); });
    for_a_while(seconds(20), {i}, [this, i] {
        if (member(i).server().needs_an_operator())
            member(i).change_disk([](Server& server) { server.repair_disk(); });
    });
}

void Faults::foreign_directory(int i) {
    spoil_disk(i, &Server::put_foreign_directory);
}

void Faults::other_system(int i) {
    spoil_disk(i, &Server::put_disk_of_another_system);
}

void Faults::disk_hangs(int i) {
    member(i).server().hang(dice_.chance(0.5) ? Server::Hang::mute : Server::Hang::stuck);
    for_a_while(seconds(40), {i}, [this, i] { member(i).server().hang(Server::Hang::no); });
}

void Faults::watchdog_missing(int i) {
    member(i).server().refuse_deadlines(true);
    for_a_while(seconds(20), {i}, [this, i] { member(i).server().refuse_deadlines(false); });
}

void Faults::operation_fails(int i) {
    member(i).server().fail_next_operation();
}

// Its agent cannot look at the data directory. That disturbs nothing that runs.
void Faults::blind(int i) {
    member(i).server().blind(true);
    for_a_while(cluster_.ttl * 4, {}, [this, i] { member(i).server().blind(false); });
}

void Faults::step_wall_clock(int i) {
    const auto by = dice_.between(seconds(0), seconds(7200)) - seconds(3600);
    member(i).set_wall_error(by);
    for_a_while(seconds(20), {}, [this, i] { member(i).set_wall_error({}); });
}

// --- the network
// -------------------------------------------------------------------------------------------------------

void Faults::cut(int from, int to, std::vector<std::pair<int, int>>& cuts) {
    cluster_.world.network.cut(from, to);
    cuts.emplace_back(from, to);
}

void Faults::heal_later(std::vector<std::pair<int, int>> cuts, Duration longest) {
    for_a_while(longest, {}, [this, cuts] {
        for (const auto& [from, to] : cuts) cluster_.world.network.heal(from, to);
        for (int i = 0; i < static_cast<int>(cluster_.members.size()); ++i) cluster_.judge.calm(i);
    });
    // A cut may concern anybody.
    for (int i = 0; i < static_cast<int>(cluster_.members.size()); ++i) cluster_.judge.disturbed(i);
}

void Faults::isolate(int i) {
    std::vector<std::pair<int, int>> cuts;
    for (int other = 0; other <= cluster_.world.network.store(); ++other) {
        if (other == i) continue;
        cut(i, other, cuts);
        cut(other, i, cuts);
    }
    heal_later(std::move(cuts), cluster_.ttl * 3);
}

void Faults::cut_from_peers(int i) {
    std::vector<std::pair<int, int>> cuts;
    for (int other = 0; other < cluster_.world.network.store(); ++other) {
        if (other == i) continue;
        cut(i, other, cuts);
        cut(other, i, cuts);
    }
    heal_later(std::move(cuts), cluster_.ttl * 3);
}

void Faults::cut_from_store(int i) {
    std::vector<std::pair<int, int>> cuts;
    cut(i, cluster_.world.network.store(), cuts);
    cut(cluster_.world.network.store(), i, cuts);
    heal_later(std::move(cuts), cluster_.ttl * 3);
}

void Faults::cut_one_way(int i) {
    std::vector<std::pair<int, int>> cuts;
    const bool towards = dice_.chance(0.5);
    const bool store = dice_.chance(0.5);
    for (int other = 0; other <= cluster_.world.network.store(); ++other) {
        if (other == i || (other == cluster_.world.network.store() && !store)) continue;
        if (dice_.chance(0.7)) cut(towards ? other : i, towards ? i : other, cuts);
    }
    heal_later(std::move(cuts), cluster_.ttl * 3);
}

// Two halves; the store is with one of them, or with both.
void Faults::split(int) {
    std::vector<std::pair<int, int>> cuts;
    const int machines = cluster_.world.network.store() + (dice_.chance(0.6) ? 1 : 0);
    std::vector<bool> side;
    for (int i = 0; i < machines; ++i) side.push_back(dice_.chance(0.5));
    for (int a = 0; a < machines; ++a)
        for (int b = 0; b < machines; ++b)
            if (side[static_cast<std::size_t>(a)] != side[static_cast<std::size_t>(b)]) cut(a, b, cuts);
    heal_later(std::move(cuts), cluster_.ttl * 3);
}

// Another member gets its address, or the two change places.
void Faults::take_address(int i) {
    const int by = anybody();
    if (by == i) return;
    Network& network = cluster_.world.network;
    network.give_address(i, by);
    if (dice_.chance(0.5)) network.give_address(by, i);
    for_a_while(cluster_.ttl * 3, {i, by}, [&network, i, by] {
        network.give_address(i, i);
        network.give_address(by, by);
    });
}

// --- the store
// ---------------------------------------------------------------------------------------------------------

void Faults::store_trouble(std::function<void()> end) {
    for (int i = 0; i < static_cast<int>(cluster_.members.size()); ++i) cluster_.judge.disturbed(i);
    for_a_while(cluster_.ttl * 2, {}, [this, end = std::move(end)] {
        end();
        for (int i = 0; i < static_cast<int>(cluster_.members.size()); ++i) cluster_.judge.calm(i);
    });
}

void Faults::store_down(int) {
    cluster_.health.down = true;
    store_trouble([this] { cluster_.health.down = false; });
}

void Faults::store_refuses(int) {
    cluster_.health.refusing = true;
    store_trouble([this] { cluster_.health.refusing = false; });
}

// The leader loses the store, for longer than its lease; some of the others do, too, and some of those are
// dead, cut off from the leader, or have their agents killed meanwhile.
void Faults::store_and_replicas(int) {
    const auto leader = cluster_.judge.leader();
    if (!leader) return;
    const int store = cluster_.world.network.store();
    const auto soon = [this](auto what) {
        cluster_.world.clock.after(dice_.between(Duration{}, cluster_.ttl * 2), [this, era = era_, what] {
            if (era == era_) what();
        });
    };
    std::vector<std::pair<int, int>> cuts;
    const auto part = [&](int a, int b) {
        cut(a, b, cuts);
        cut(b, a, cuts);
    };
    part(*leader, store);
    for (int i = 0; i < store; ++i) {
        if (i == *leader) continue;
        if (dice_.chance(0.4)) part(i, store);
        if (dice_.chance(0.2)) part(i, *leader);
        const auto fate = dice_.unit();
        if (fate < 0.25) soon([this, i] { power_off(i); });
        if (fate > 0.75) soon([this, i] { kill_brain(i); });
        if (fate > 0.9) soon([this, i] { failover(i); });
    }
    heal_later(std::move(cuts), cluster_.ttl * 5);
}

void Faults::store_late(int) {
    cluster_.health.late = dice_.chance(0.3) ? 0.9 : 0.3;
    store_trouble([this] { cluster_.health.late = 0; });
}

void Faults::store_loses_answers(int) {
    cluster_.health.lost_answer = 0.4;
    store_trouble([this] { cluster_.health.lost_answer = 0; });
}

void Faults::watch_stalls(int i) {
    auto& until = cluster_.health.watch_stalled_until;
    until.resize(cluster_.members.size());
    until[static_cast<std::size_t>(i)] =
        cluster_.world.clock.now() + dice_.between(seconds(1), cluster_.ttl * 3);
    for_a_while(cluster_.ttl * 4, {i}, [] {});
}

void Faults::store_read_only(int i) {
    cluster_.health.readers.insert(i);
    for_a_while(cluster_.ttl * 4, {i}, [this, i] { cluster_.health.readers.erase(i); });
}

// --- the operator
// ------------------------------------------------------------------------------------------------------

void Faults::request(int target, std::string method, std::string path, const JsonObject& body) {
    HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.body = to_text(Json(body));
    request.headers["content-length"] = std::to_string(request.body.size());
    request.headers["content-type"] = "application/json";
    request.peer_address = "127.0.0.1";
    cluster_.world.trace.note(target, "operator", request.body.size(), [&] {
        return fmt::format("{} {} {}", request.method, request.path, request.body);
    });
    member(target).handle(std::move(request), [this, target](HttpResponse response) {
        cluster_.world.trace.note(target, "operator hears", static_cast<std::uint64_t>(response.status), [&] {
            return fmt::format("{} {}", response.status, response.body.substr(0, 100));
        });
    });
}

void Faults::switchover(int) {
    const auto leader = cluster_.judge.leader();
    if (!leader) return;
    JsonObject body{{"leader", member(*leader).server().name()}};
    if (dice_.chance(0.5)) body["candidate"] = member(anybody()).server().name();
    request(anybody(), "POST", "/switchover", body);
}

void Faults::schedule_switchover(int i) {
    const auto leader = cluster_.judge.leader();
    if (!leader) return;
    const WallTime at = cluster_.world.clock.wall() + seconds(1 + dice_.below(20));
    request(i, "POST", "/switchover",
            {{"leader", member(*leader).server().name()}, {"scheduled_at", to_iso(at)}});
}

void Faults::failover(int) {
    request(anybody(), "POST", "/failover", {{"candidate", member(anybody()).server().name()}});
}

void Faults::restart(int i) {
    request(i, "POST", "/restart", {});
}

void Faults::reinitialize(int i) {
    request(i, "POST", "/reinitialize", {{"force", dice_.chance(0.5)}});
}

void Faults::pause(int i) {
    request(i, "PATCH", "/config", {{"pause", true}});
    for_a_while(seconds(20), {}, [this] { request(anybody(), "PATCH", "/config", {{"pause", nullptr}}); });
}

void Faults::change_sync_mode(int i) {
    const bool on = dice_.chance(0.6);
    request(i, "PATCH", "/config", {{"synchronous_mode", on}});
}

}  // namespace pgherd::sim
