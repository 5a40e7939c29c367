// Performs a scenario: its events, on the members of a run, at their times.
//
//     cut A B, heal A B         both ways; A or B may be `store`
//     isolate A                 from everybody
//     power-off A, power-on A, kill-postmaster A, kill-brain A, kill-guard A, stop-brain A, continue-brain A
//     pause A, resume A         an operator, at the REST API of A
//     synchronous A on|off      an operator, too
//     switchover A              the same: some other member shall lead
//     restart A, reinitialize A the same: the PostgreSQL of A shall be restarted, or be copied anew
//     shut-down A               A's agent is told to end, with its PostgreSQL; `ended A`: it has, or it is a
//                               violation
//     delete KEY                somebody removes a record from the store by hand
//     lose-disk A               A's disk is empty
//     other-system A            the disk of another cluster is put into A
//     foreign-directory A       A's data directory has become something that is no instance
//     blind A                   A's agent cannot look at its data directory (no descriptors left, say), until
//                               `sighted A`
//     watchdog-missing A        A's guard refuses to take deadlines, until `watchdog-back A`
//     stall-watch A             A's watch of the store shows nothing new, and no error
//     read-only A, writable A   the store lets A read only; no more
//     take-address A B          who asks the agent of A comes to B
//     fail-next A               the next operation of A's PostgreSQL fails
#pragma once

#include "sim/faults.h"
#include "sim/scenario.h"
#include "sim/store/sim_store.h"

namespace pgherd::sim {

class Director {
  public:
    Director(Cluster cluster, Faults& faults, StoreServer& store, const Scenario& scenario)
        : cluster_(cluster), faults_(faults), store_(store), scenario_(scenario) {}
    void start();

    using Names = std::vector<std::string>;
    // What the verbs do.
    void cut(const Names& names);
    void heal(const Names& names);
    void isolate(const Names& names);
    void config(const std::string& member, JsonObject patch);
    void remove(const std::string& key);
    void switchover(const std::string& at);
    void restart(const std::string& at);
    void reinitialize(const std::string& at);
    void check_ended(const std::string& member);
    // An operator's failover to this member.
    void failover(const std::string& candidate);
    // A write was acknowledged here not long ago, or it is a violation.
    void check_writes(const std::string& member);
    void stall_watch(const std::string& name);
    void let_write(const std::string& name, bool may);
    void take_address(const std::string& of, const std::string& by);
    Member& member(const std::string& name) { return *cluster_.members[index(name)]; }

  private:
    // `store` comes after the members; `synchronous`, `asynchronous`: one that was (not) in the set at the
    // first event
    std::size_t index(const std::string& name) const;
    void perform(const ScenarioEvent& event);

    Cluster cluster_;
    Faults& faults_;
    StoreServer& store_;
    const Scenario& scenario_;
    std::vector<std::size_t> cast_;  // first, second, …
    std::size_t new_leader_ = 0;
    SyncRecord synchronous_;
};

// Whether there is such a verb, with that many names.
Status check_event(const ScenarioEvent& event);

}  // namespace pgherd::sim
