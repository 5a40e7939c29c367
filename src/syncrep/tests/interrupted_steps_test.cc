// Whatever happens between two steps, whoever the record allows to take over has every acknowledged commit.
//
// A model of a primary with three standbys: commits are acknowledged under whatever synchronous_standby_names
// is in force, standbys come, go and flush as they like, the configuration changes, and the leader's agent
// (or the leader itself) may die between any two steps. After each event the record is held against
// everything that was acknowledged so far.
#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "syncrep/syncrep.h"

namespace pgherd::syncrep {
namespace {

const std::vector<MemberName> kStandbys = {MemberName("b"), MemberName("c"), MemberName("d")};

struct Random {
    std::uint64_t state;
    std::uint64_t below(std::uint64_t bound) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        return (state >> 33) % bound;
    }
};

struct Model {
    DynamicConfig config;
    SyncRecord record;
    std::string names;  // in force
    std::optional<Lsn> noted;
    std::map<MemberName, Member> members;
    std::map<MemberName, Lsn> flushed;
    std::set<MemberName> connected;
    Lsn position{100};
    Lsn acknowledged;
    std::vector<std::string> trace;

    Model() {
        record.modified = Revision(1);
        for (const MemberName& name : kStandbys) {
            Member member;
            member.name = name;
            member.state = MemberState::running;
            members[name] = member;
            flushed[name] = Lsn{100};
        }
    }

    PostgresState postgres() const {
        PostgresState pg;
        pg.position = position;
        pg.synchronous_standby_names = names;
        for (const MemberName& name : connected)
            pg.replication.push_back({.application_name = name.text(),
                                      .state = "streaming",
                                      .sync_state = "async",
                                      .flush_lsn = flushed.at(name)});
        return pg;
    }

    Step next() const {
        PostgresState pg = postgres();
        return next_step({.self = MemberName("a"),
                          .config = &config,
                          .record = &record,
                          .members = &members,
                          .pg = &pg,
                          .noted_lsn = noted,
                          .user_names = ""});
    }

    void perform(const Step& step) {
        if (const auto* swap = std::get_if<SwapRecord>(&step)) {
            record = swap->record;
            record.modified = Revision(record.modified.value() + 1);
            std::vector<std::string> list;
            for (const MemberName& name : record.standbys) list.push_back(name.text());
            trace.push_back(fmt::format("record {} quorum {}", join(list, ","), record.quorum));
        } else if (const auto* set = std::get_if<SetNames>(&step)) {
            names = set->names;
            noted = position;
            trace.push_back("names " + names);
        }
    }

    // The newest commit that enough standbys have flushed. FIRST counts the connected ones, as any subset: a
    // real primary waits for some set of that size, and the worst one must do.
    void acknowledge() {
        SyncNames now = parse_names(names);
        if (now.method == SyncNames::Method::none) {
            acknowledged = position;
            return;
        }
        std::vector<Lsn> positions;
        for (const MemberName& name : now.names)
            if (auto found = flushed.find(name); found != flushed.end() && connected.contains(name))
                positions.push_back(found->second);
        std::ranges::sort(positions, std::greater());
        if (positions.size() >= std::size_t(now.count))
            acknowledged = std::max(acknowledged, positions[std::size_t(now.count) - 1]);
    }

    // Each group of voters that may take over has a member with every acknowledged commit.
    bool safe() const {
        std::size_t needed = std::size_t(record.quorum) + 1;
        std::size_t behind = 0;
        for (const MemberName& name : record.standbys)
            if (flushed.at(name) < acknowledged) ++behind;
        return behind < needed || record.standbys.size() < needed;
    }

    void happen(Random& random) {
        const MemberName& who = kStandbys[random.below(kStandbys.size())];
        switch (random.below(9)) {
            case 0:
                position.value += 10;
                trace.push_back("write");
                break;
            case 1:
                connected.insert(who);
                trace.push_back("connect " + who.text());
                break;
            case 2:
                connected.erase(who);
                trace.push_back("disconnect " + who.text());
                break;
            case 3:
            case 4:
                if (connected.contains(who)) flushed[who] = position;
                trace.push_back("flush " + who.text());
                break;
            case 5:
                config.synchronous_node_count = 1 + int(random.below(3));
                trace.push_back("count");
                break;
            case 6:
                noted.reset();
                trace.push_back("agent restarts");
                break;
            default: perform(next()); break;
        }
        acknowledge();
    }
};

void run(SynchronousMode mode, bool strict, bool switching) {
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        Random random{seed};
        Model model;
        model.config.synchronous_mode = mode;
        model.config.synchronous_mode_strict = strict;
        for (int i = 0; i < 120; ++i) {
            if (switching && random.below(20) == 0) {
                model.config.synchronous_mode = SynchronousMode(random.below(3));
                model.trace.push_back(fmt::format("mode {}", int(model.config.synchronous_mode)));
            }
            model.happen(random);
            ASSERT_TRUE(model.safe()) << "seed " << seed << "\n" << join(model.trace, "\n");
        }
        // Then all is quiet: the steps must come to an end.
        for (const MemberName& name : kStandbys) model.connected.insert(name);
        bool done = false;
        for (int i = 0; i < 10 && !done; ++i) {
            for (const MemberName& name : kStandbys) model.flushed[name] = model.position;
            Step step = model.next();
            done = std::holds_alternative<Done>(step);
            model.perform(step);
            model.acknowledge();
            ASSERT_TRUE(model.safe()) << "seed " << seed << "\n" << join(model.trace, "\n");
        }
        ASSERT_TRUE(done) << "seed " << seed << "\n" << join(model.trace, "\n");
    }
}

TEST(InterruptedSteps, LoseNothingWithNamedStandbys) {
    run(SynchronousMode::on, false, false);
}
TEST(InterruptedSteps, LoseNothingWithNamedStandbysStrictly) {
    run(SynchronousMode::on, true, false);
}
TEST(InterruptedSteps, LoseNothingWithAQuorum) {
    run(SynchronousMode::quorum, false, false);
}
TEST(InterruptedSteps, LoseNothingWithAQuorumStrictly) {
    run(SynchronousMode::quorum, true, false);
}
TEST(InterruptedSteps, LoseNothingWhileTheModeChanges) {
    run(SynchronousMode::on, false, true);
}

}  // namespace
}  // namespace pgherd::syncrep
