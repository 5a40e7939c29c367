// Properties of every decision in small worlds: all combinations of two to four values per fact over three
// members.
#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "show.h"

namespace pgherd::ha {
namespace {

using namespace testing;

// Every combination of one line from each group; "" leaves the default.
using Groups = std::vector<std::vector<std::string>>;

std::string describe(const std::vector<std::string>& lines, const Decision& decision) {
    return join(lines, "\n") + fmt::format("\n----\n{}: {}", decision.rule, show(decision.actions));
}

template <class T>
const T* find(const Decision& decision) {
    for (const Action& action : decision.actions)
        if (const T* found = std::get_if<T>(&action)) return found;
    return nullptr;
}

int operations_in(const Decision& d) {
    return int(std::ranges::count_if(d.actions, [](const Action& a) {
        return std::visit(
            []<class T>(const T&) {
                return std::is_same_v<T, Bootstrap> || std::is_same_v<T, Clone> ||
                       std::is_same_v<T, StartPrimary> || std::is_same_v<T, StartStandby> ||
                       std::is_same_v<T, Stop> || std::is_same_v<T, Promote> || std::is_same_v<T, Follow> ||
                       std::is_same_v<T, Rewind> || std::is_same_v<T, Quarantine> ||
                       std::is_same_v<T, Checkpoint>;
            },
            a);
    }));
}

struct Judge {
    const std::vector<std::string>& lines;
    const World& world;
    Observation seen;
    Decision decision;

    bool lock_held() const {
        return world.view.led_by(seen.self.name) && !seen.lock_lost && seen.now < seen.lock_valid_until;
    }
    bool entitled() const {
        return lock_held() || (seen.config.failsafe_mode && seen.now < failsafe_until(seen));
    }
    bool round_ok() const {
        return seen.peers.complete && decision.memory.unlocked_since &&
               seen.peers.asked >= *decision.memory.unlocked_since;
    }
    bool forced() const {  // an operator has named this member
        return world.view.failover && world.view.failover->candidate == seen.self.name;
    }
    bool in_set() const {
        return world.view.sync.leader == seen.self.name || world.view.sync.contains(seen.self.name);
    }

    void check() const {
        needs_the_lock();
        takes_the_lock_rightly();
        stops_in_time();
        one_operation();
        respects_the_pause();
        leaves_alone_what_it_cannot_know();
        is_settled();
    }

    void needs_the_lock() const {
        if (find<Promote>(decision) || find<StartPrimary>(decision)) EXPECT_TRUE(lock_held()) << text();
        if (find<Rewind>(decision) || find<Follow>(decision)) EXPECT_FALSE(world.view.unlocked()) << text();
        if (find<WriteSync>(decision) || find<SetSynchronousStandbyNames>(decision))
            EXPECT_TRUE(lock_held()) << text();
        if (find<ReleaseLock>(decision)) EXPECT_FALSE(seen.pg.primary() || seen.running) << text();
    }

    void takes_the_lock_rightly() const {
        if (!find<AcquireLock>(decision) || world.memory.bootstrapping) return;
        EXPECT_TRUE(world.view.unlocked()) << text();
        EXPECT_TRUE(world.view.members.size() == 1 || round_ok()) << text();
        EXPECT_TRUE(seen.self.may_lead && seen.watchdog_usable) << text();
        bool sync = seen.config.synchronous_mode != SynchronousMode::off && !world.view.sync.empty();
        bool named = sync && seen.config.synchronous_mode == SynchronousMode::on;
        bool forced_failover = forced() && world.view.failover->leader.empty();
        if (named && !forced_failover) EXPECT_TRUE(in_set()) << text();
        for (const auto& [name, answer] : seen.peers.answers) {
            if (!answer.reachable) continue;
            EXPECT_TRUE(answer.in_recovery) << text();
            bool counts =
                !answer.nofailover && !answer.watchdog_failed && !(sync && !world.view.sync.contains(name));
            WalPosition mine{seen.pg.timeline, seen.pg.position};
            if (counts && !forced() && seen.pg.standby()) EXPECT_LE(answer.position, mine) << text();
        }
    }

    void stops_in_time() const {
        bool stopping = seen.running && seen.running->operation == Operation::stop;
        if (!seen.pg.primary() || seen.config.pause || stopping || world.never_read) return;
        bool bootstraps = seen.running && seen.running->operation == Operation::bootstrap;
        bool another = !world.view.unlocked() && !world.view.led_by(seen.self.name);
        if ((another && !bootstraps) || (world.memory.led && !entitled() && !bootstraps)) {
            ASSERT_TRUE(find<Stop>(decision)) << text();
            EXPECT_EQ(find<Stop>(decision)->kind, StopKind::immediate) << text();
        }
    }

    void one_operation() const {
        EXPECT_LE(operations_in(decision), 1) << text();
        const Stop* stop = find<Stop>(decision);
        bool preempts = stop && stop->kind == StopKind::immediate;
        if (seen.running && !preempts) EXPECT_EQ(operations_in(decision), 0) << text();
    }

    void respects_the_pause() const {
        if (!seen.config.pause || world.never_read || world.memory.bootstrapping ||
            decision.rule == "bootstrap-failed")
            return;
        bool wished = forced() || world.view.failover;
        EXPECT_FALSE(find<StartPrimary>(decision) || find<StartStandby>(decision) || find<Rewind>(decision) ||
                     find<Clone>(decision) || find<Bootstrap>(decision) || find<Exit>(decision))
            << text();
        if (!wished) EXPECT_FALSE(find<Stop>(decision) || find<Promote>(decision)) << text();
    }

    void leaves_alone_what_it_cannot_know() const {
        if (seen.pg.data != DataDirectory::foreign && seen.pg.data != DataDirectory::unreadable) return;
        EXPECT_FALSE(find<Bootstrap>(decision) || find<Clone>(decision) || find<Quarantine>(decision) ||
                     find<Rewind>(decision) || find<StartPrimary>(decision) || find<StartStandby>(decision))
            << text();
    }

    // Deciding again with nothing changed must give the same.
    void is_settled() const {
        Decision again = decide(seen, decision.memory);
        EXPECT_EQ(again.rule, decision.rule) << text();
        EXPECT_EQ(again.memory, decision.memory) << text();
        Decision same = decide(seen, world.memory);
        EXPECT_EQ(same.rule, decision.rule) << text();
        EXPECT_EQ(same.memory, decision.memory) << text();
    }

    std::string text() const { return describe(lines, decision); }
};

// Stops at the first broken world: the rest would say the same thousands of times.
void for_all(const Groups& groups, std::size_t expected_at_least) {
    std::vector<std::size_t> choice(groups.size());
    std::size_t count = 0;
    for (;;) {
        World world;
        std::vector<std::string> lines;
        for (std::size_t i = 0; i < groups.size(); ++i)
            for (const std::string& line : split(groups[i][choice[i]], ';'))
                if (!line.empty()) {
                    apply(world, line);
                    lines.push_back(line);
                }
        Observation seen = world.observation();
        Judge{lines, world, seen, decide(seen, world.memory)}.check();
        ++count;
        if (::testing::Test::HasFailure()) return;
        std::size_t i = 0;
        while (i < groups.size() && ++choice[i] == groups[i].size()) choice[i++] = 0;
        if (i == groups.size()) break;
    }
    EXPECT_GE(count, expected_at_least);
}

const std::vector<std::string> kLocks = {
    "", "store leader=b", "lock until=120", "lock until=101", "lock until=99", "lock until=120 lost"};
const std::vector<std::string> kServers = {"pg primary",
                                           "pg standby follows=b",
                                           "pg mute",
                                           "pg starting",
                                           "pg starting standby_signal",
                                           "pg stopping",
                                           "pg down=in_production",
                                           "pg down=shut_down",
                                           "pg down=shut_down_in_recovery",
                                           "pg data=absent",
                                           "pg data=incomplete",
                                           "pg data=unreadable",
                                           "pg primary data=unreadable system=1"};

TEST(SmallWorlds, KeepThePropertiesWhateverIsUnderWay) {
    for_all({{"", "store silent"},
             kLocks,
             kServers,
             {"", "running start", "running start primary", "running stop", "running promote primary",
              "running checkpoint", "running clone"},
             {"", "memory led", "memory led handing_over=b", "memory bootstrapping"},
             {"", "config pause", "config failsafe;failsafe members=a,b,c until=115",
              "config start_timeout=0", "config standby_cluster"},
             {"", "round asked=99;answer b;answer c unreachable"}},
            30000);
}

TEST(SmallWorlds, KeepThePropertiesInTheRace) {
    for_all({{"pg primary", "pg standby", "pg down=in_production"},
             {"", "self no_watchdog"},
             {"memory unlocked=98", "memory unlocked=99.5", "memory unlocked=98 promote_failed=99",
              "memory led unlocked=98"},
             {"", "round asked=99", "round asked=99 open"},
             {"", "answer b", "answer b at=1:0/2000", "answer b primary", "answer b unreachable",
              "answer b at=1:0/2000 nofailover"},
             {"", "answer c", "answer c at=1:0/2000", "answer c primary at=2:0/1000", "answer c unreachable",
              "answer c at=2:0/100 priority=2"},
             {"", "request candidate=a", "request leader=b candidate=a", "request leader=a",
              "request leader=c candidate=b"},
             {"", "config sync=on;sync leader=b standbys=a", "config sync=on;sync leader=b standbys=c",
              "config pause", "config sync=quorum;sync leader=b standbys=a,c quorum=1"}},
            20000);
}

TEST(SmallWorlds, KeepThePropertiesOfALeaderWithRequestsAndASynchronousSet) {
    for_all({{"lock until=120", "lock until=101", "lock until=99"},
             {"pg primary", "pg primary names=b streams_to=b,c", "pg standby", "pg down=shut_down",
              "pg down=in_production"},
             {"", "memory led", "memory led handing_over=b", "memory led request_seen=98"},
             {"", "request leader=a", "request leader=a candidate=b", "request candidate=c",
              "request leader=b", "request leader=a in=5"},
             {"", "round asked=99;answer b;answer c", "round asked=99;answer b unreachable"},
             {"", "config pause", "config sync=on;sync leader=a standbys=b",
              "config sync=on;sync leader=b standbys=a,c",
              "config sync=quorum;sync leader=a standbys=b,c quorum=1", "config start_timeout=0"},
             {"", "finished start failed at=99.5", "finished promote failed", "finished promote"}},
            10000);
}

TEST(SmallWorlds, KeepThePropertiesOfARejoiningMember) {
    for_all(
        {{"store leader=b"},
         {"pg primary", "pg standby follows=c", "pg standby follows=b streaming", "pg down=in_production",
          "pg down=shut_down", "pg down=shut_down_in_recovery", "pg data=absent", "pg data=incomplete"},
         {"", "config pause", "self cannot_rewind", "self keep_failed", "self cannot_rewind keep_diverged"},
         {"", "upstream b timeline=2 fork=1:0/2000", "upstream b timeline=2 fork=1:0/800",
          "upstream b recovering", "upstream b at=80", "upstream b failed", "upstream b system=2",
          "upstream c timeline=2"},
         {"", "member b no_checkpoint", "member b replica", "member b stopped", "member a replicatefrom=c",
          "member c clonefrom"},
         {"", "memory rewind=needed", "memory rewind=failed", "memory rewind=done", "memory led"},
         {"", "finished rewind", "finished rewind failed", "finished rewind failed may_retry",
          "finished clone", "finished clone failed", "finished start failed at=99.5"}},
        30000);
}

TEST(SmallWorlds, KeepThePropertiesOfANewCluster) {
    for_all({{"", "store new", "store new initialize=empty", "store new initialize=mine",
              "store initialize=2", "store never"},
             {"", "lock until=120", "store leader=b"},
             kServers,
             {"", "self nobootstrap", "self nofailover", "self no_leader_method"},
             {"", "memory bootstrapping", "memory initialized"},
             {"", "config pause", "config standby_cluster"},
             {"", "finished bootstrap", "finished bootstrap failed", "running bootstrap"}},
            5000);
}

}  // namespace
}  // namespace pgherd::ha
