// Verbs against a cluster in memory: what they ask, send, write and print.
#include <gtest/gtest.h>

#include "sample.h"

namespace pgherd::ctl {
namespace {

Result<HttpResponse> answer(int status, const std::string& body) {
    return HttpResponse{.status = status, .body = body};
}

class Verbs : public testing::Test {
  protected:
    Verbs() { fill(remote, {}); }

    int run(std::vector<std::string> words) {
        CommandLine line;
        if (auto over = line.parse(std::move(words))) return *over;
        Context context{remote, terminal, "demo"};
        auto done = line.chosen()(context);
        if (!done) terminal.complain(done.error().message);
        return done ? 0 : exit_code(done.error().code);
    }
    bool printed(const std::string& text) const { return terminal.printed.find(text) != std::string::npos; }
    std::string record(const std::string& key) {
        return remote.records.contains(key) ? remote.records[key].value : "(absent)";
    }

    FakeRemote remote;
    FakeTerminal terminal;
};

TEST_F(Verbs, SwitchoverAsksTheLeaderAndShowsTheListAfterwards) {
    remote.answer = [&](const Member&, const RestCall&) {
        remote.put("leader", "b");
        return answer(200, R"(Successfully switched over to "b")");
    };
    EXPECT_EQ(run({"switchover", "--force", "--candidate", "b"}), 0) << terminal.complaints;
    EXPECT_EQ(remote.calls,
              (std::vector<std::string>{R"(a: POST switchover {"candidate":"b","leader":"a"})"}));
    EXPECT_TRUE(printed(R"(Successfully switched over to "b")"));
    EXPECT_TRUE(printed("| b      | 10.0.0.2:5432 | Leader ")) << terminal.printed;
}

TEST_F(Verbs, SwitchoverTellsFailureByItsExitCode) {
    remote.answer = [](const Member&, const RestCall&) {
        return answer(412, "switchover is not possible: no good candidates have been found");
    };
    EXPECT_EQ(run({"switchover", "--force"}), 1);
    EXPECT_NE(terminal.complaints.find("no good candidates"), std::string::npos);
}

TEST_F(Verbs, SwitchoverRefusesToAskWhenNobodyCanAnswer) {
    EXPECT_EQ(run({"switchover"}), 2);
    EXPECT_NE(terminal.complaints.find("--force"), std::string::npos);
    EXPECT_TRUE(remote.calls.empty());
}

TEST_F(Verbs, SwitchoverAsksWhatIsMissing) {
    terminal.somebody = true;
    terminal.answers = {"", "b", "", "y"};
    remote.answer = [](const Member&, const RestCall&) { return answer(200, "ok"); };
    EXPECT_EQ(run({"switchover"}), 0) << terminal.complaints;
    EXPECT_EQ(remote.calls,
              (std::vector<std::string>{R"(a: POST switchover {"candidate":"b","leader":"a"})"}));
    EXPECT_NE(terminal.asked.find("demoting current leader a?"), std::string::npos) << terminal.asked;
}

TEST_F(Verbs, SwitchoverIsAbortedByANo) {
    terminal.somebody = true;
    terminal.answers = {"", "b", "", "n"};
    EXPECT_EQ(run({"switchover"}), 1);
    EXPECT_TRUE(remote.calls.empty());
}

TEST_F(Verbs, SwitchoverGoesThroughTheStoreWhenTheLeaderDoesNotAnswer) {
    remote.answer = [](const Member&, const RestCall&) -> Result<HttpResponse> {
        return fail("connection refused");
    };
    EXPECT_EQ(run({"switchover", "--force", "--candidate", "b"}), 0) << terminal.complaints;
    EXPECT_EQ(record("failover"), R"({"leader":"a","member":"b"})");
}

TEST_F(Verbs, SwitchoverIsNotRepeatedWhenTheLeaderMayHaveHeardOfIt) {
    remote.answer = [](const Member&, const RestCall&) -> Result<HttpResponse> {
        return fail(ErrorCode::failed, "no answer within 30 s", Certainty::maybe_done);
    };
    EXPECT_EQ(run({"switchover", "--force"}), 1);
    EXPECT_EQ(record("failover"), "(absent)");
    EXPECT_NE(terminal.complaints.find("unknown"), std::string::npos);
}

TEST_F(Verbs, SwitchoverSchedulesWithAZoneOnly) {
    remote.answer = [](const Member&, const RestCall&) { return answer(202, "Switchover scheduled"); };
    EXPECT_EQ(run({"switchover", "--force", "--scheduled", "2030-01-01T04:00"}), 2);
    EXPECT_EQ(run({"switchover", "--force", "--scheduled", "2030-01-01T04:00+01:00"}), 0);
    EXPECT_EQ(remote.calls,
              (std::vector<std::string>{
                  R"(a: POST switchover {"leader":"a","scheduled_at":"2030-01-01T03:00:00+00:00"})"}));
}

TEST_F(Verbs, FailoverNeedsACandidateThatMayLead) {
    EXPECT_EQ(run({"failover", "--force"}), 2);
    EXPECT_EQ(run({"failover", "--force", "--candidate", "nobody"}), 1);
    EXPECT_EQ(run({"failover", "--force", "--candidate", "a"}), 1);
    EXPECT_TRUE(remote.calls.empty());
}

TEST_F(Verbs, FailoverWithoutALeaderAsksTheCandidate) {
    remote.records.erase("leader");
    remote.answer = [](const Member&, const RestCall&) { return answer(200, "ok"); };
    EXPECT_EQ(run({"failover", "--force", "--candidate", "b"}), 0) << terminal.complaints;
    EXPECT_EQ(remote.calls, (std::vector<std::string>{R"(b: POST failover {"candidate":"b"})"}));
}

TEST_F(Verbs, RestartSaysForEachMemberHowItWentAndFailsIfOneDid) {
    remote.answer = [](const Member& member, const RestCall&) {
        return member.name.text() == "b" ? answer(503, "postgres is still starting") : answer(200, "");
    };
    EXPECT_EQ(run({"restart", "demo", "a", "b", "--force"}), 1);
    EXPECT_TRUE(printed("Success: restart on member a\n"));
    EXPECT_NE(terminal.complaints.find(
                  "Failed: restart for member b, status code=503, (postgres is still starting)"),
              std::string::npos);
}

TEST_F(Verbs, RestartPendingLeavesTheOthersAlone) {
    EXPECT_EQ(run({"restart", "--pending", "--force"}), 0);
    EXPECT_TRUE(remote.calls.empty());
}

TEST_F(Verbs, RestartRefusesAStranger) {
    EXPECT_EQ(run({"restart", "nobody", "--force"}), 2);
}

TEST_F(Verbs, ReinitNeverGuessesWhom) {
    EXPECT_EQ(run({"reinit", "--force"}), 2);
    EXPECT_EQ(run({"reinit", "a", "--force"}), 2);
    EXPECT_TRUE(remote.calls.empty());
    EXPECT_EQ(run({"reinit", "c", "--force", "--from-leader"}), 0);
    EXPECT_EQ(remote.calls,
              (std::vector<std::string>{R"(c: POST reinitialize {"force":true,"from_leader":true})"}));
}

TEST_F(Verbs, ReinitWaitsUntilTheMemberIsNoLongerBeingCopied) {
    int looks = 0;
    remote.answer = [&](const Member&, const RestCall& call) {
        if (call.method == "POST") return answer(200, "reinitialize started");
        return answer(200, ++looks < 3 ? R"({"state":"creating replica"})" : R"({"state":"running"})");
    };
    EXPECT_EQ(run({"reinit", "c", "--force", "--wait"}), 0);
    EXPECT_EQ(looks, 3);
    EXPECT_TRUE(printed("Reinitialize is completed on: c"));
}

TEST_F(Verbs, PauseAsksTheNextMemberWhenTheLeaderDoesNotAnswer) {
    remote.answer = [](const Member& member, const RestCall&) -> Result<HttpResponse> {
        if (member.name.text() == "a") return fail("connection refused");
        return HttpResponse{};
    };
    EXPECT_EQ(run({"pause"}), 0);
    EXPECT_EQ(remote.calls, (std::vector<std::string>{R"(a: PATCH config {"pause":true})",
                                                      R"(b: PATCH config {"pause":true})"}));
    EXPECT_EQ(run({"resume"}), 1);  // it is not paused
}

TEST_F(Verbs, PauseWithWaitFailsWhenAMemberDoesNotFollow) {
    EXPECT_EQ(run({"pause", "--wait"}), 1);
    EXPECT_NE(terminal.complaints.find("a, b, c, d did not follow"), std::string::npos)
        << terminal.complaints;
}

TEST_F(Verbs, EditConfigSwapsTheRecordAndShowsWhatChanges) {
    EXPECT_EQ(run({"edit-config", "-s", "ttl=25", "-p", "work_mem=8MB", "--force"}), 0)
        << terminal.complaints;
    EXPECT_EQ(record("config"),
              R"({"ttl":25,"loop_wait":10,"postgresql":{"parameters":{"work_mem":"8MB"}}})");
    EXPECT_TRUE(printed("\n-ttl: 30\n") && printed("\n+ttl: 25\n")) << terminal.printed;
    EXPECT_EQ(run({"edit-config", "-s", "ttl=25", "--force"}), 0);
    EXPECT_TRUE(printed("Not changed"));
}

TEST_F(Verbs, EditConfigRefusesWhatMembersWouldNotUnderstand) {
    EXPECT_EQ(run({"edit-config", "-s", "ttl=[1, 2]", "--force"}), 2);
    EXPECT_EQ(record("config"), R"({"ttl":30,"loop_wait":10})");
}

TEST_F(Verbs, EditConfigLosesAgainstAConcurrentChange) {
    terminal.somebody = true;
    struct Meddler : Terminal {
        FakeTerminal& inner;
        FakeRemote& remote;
        Meddler(FakeTerminal& terminal, FakeRemote& cluster) : inner(terminal), remote(cluster) {}
        void print(std::string_view text) override { inner.print(text); }
        void complain(std::string_view text) override { inner.complain(text); }
        bool interactive() const override { return true; }
        std::string read_line(std::string_view, bool) override {
            remote.put("config", R"({"ttl":99})");
            return "y";
        }
        void clear() override {}
    } meddler(terminal, remote);
    CommandLine line;
    ASSERT_FALSE(line.parse({"edit-config", "-s", "ttl=25"}));
    Context context{remote, meddler, "demo"};
    auto done = line.chosen()(context);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find("somebody else"), std::string::npos) << done.error().message;
    EXPECT_EQ(record("config"), R"({"ttl":99})");
}

TEST_F(Verbs, ShowConfigAndHistoryAndDsnReadTheStoreOnly) {
    EXPECT_EQ(run({"show-config"}), 0);
    EXPECT_EQ(terminal.printed, "loop_wait: 10\nttl: 30\n");
    terminal.printed.clear();
    remote.put(
        "history",
        R"([[1,25623960,"no recovery target specified","2026-01-02T03:04:05.678901+00:00","b"],[2,50623960,"no recovery target specified"]])");
    EXPECT_EQ(run({"history", "-f", "tsv"}), 0);
    EXPECT_EQ(terminal.printed,
              "TL\tLSN\tReason\tTimestamp\tNew Leader\n1\t25623960\tno recovery target "
              "specified\t2026-01-02T03:04:05.678901+00:00\tb\n"
              "2\t50623960\tno recovery target specified\t\t\n");
    terminal.printed.clear();
    EXPECT_EQ(run({"dsn"}), 0);
    EXPECT_EQ(run({"dsn", "-m", "c"}), 0);
    EXPECT_EQ(run({"dsn", "-r", "replica"}), 0);
    EXPECT_EQ(terminal.printed,
              "host=10.0.0.1 port=5432\nhost=10.0.0.3 port=5433\nhost=10.0.0.2 port=5432\n");
    EXPECT_EQ(run({"dsn", "-m", "c", "-r", "any"}), 2);
    EXPECT_TRUE(remote.calls.empty());
}

TEST_F(Verbs, FlushTakesBackAScheduledSwitchoverAnywhere) {
    EXPECT_EQ(run({"flush", "demo", "switchover"}), 0);
    EXPECT_TRUE(printed("No pending scheduled switchover"));
    fill(remote, {.scheduled = true});
    remote.answer = [](const Member&, const RestCall&) -> Result<HttpResponse> {
        return fail("connection refused");
    };
    EXPECT_EQ(run({"flush", "switchover"}), 0) << terminal.complaints;
    EXPECT_EQ(record("failover"), "{}");
    EXPECT_EQ(run({"flush"}), 2);
}

TEST_F(Verbs, RemoveNeedsThreeAnswers) {
    EXPECT_EQ(run({"remove"}), 2);
    terminal.somebody = true;
    terminal.answers = {"demo", "Yes I am aware", "b"};
    EXPECT_EQ(run({"remove"}), 1);
    EXPECT_FALSE(remote.records.empty());
    terminal.answers = {"demo", "Yes I am aware", "a"};
    EXPECT_EQ(run({"remove"}), 0) << terminal.complaints;
    EXPECT_TRUE(remote.records.empty());
}

TEST_F(Verbs, VersionAsksEveryMember) {
    remote.answer = [](const Member&, const RestCall&) {
        return answer(503,
                      R"({"server_version":150020,"patroni":{"version":"4.1.0","scope":"demo","name":"a"}})");
    };
    EXPECT_EQ(run({"version", "a"}), 0);
    EXPECT_EQ(terminal.printed, "a: Patroni 4.1.0 PostgreSQL 15.20\n");
}

}  // namespace
}  // namespace pgherd::ctl
