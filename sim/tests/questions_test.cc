// Questions whose answers come from whoever has the address by now.
#include "agent/questions.h"

#include <gtest/gtest.h>

#include "sim/clock.h"
#include "sim/tests/agent_testing.h"

namespace pgherd::sim {
namespace {

using namespace std::chrono_literals;

const MemberName kAsked("c2");

// One address, and who answers there.
class OneAddress final : public Peers {
  public:
    explicit OneAddress(Clock& clock) : clock_(clock) {}
    PeerIdentity answering;
    bool refuses = false;
    std::optional<Error> asked_in_vain;
    FailsafeMessage heard;

    void ask(const std::string&, Instant, Done<PeerStatus> done) override {
        if (asked_in_vain)
            return clock_.post([error = *asked_in_vain, done = std::move(done)]() mutable {
                done(std::unexpected(std::move(error)));
            });
        PeerStatus status;
        status.from = answering;
        status.position = {Timeline{1}, Lsn{100}};
        clock_.post([status, done = std::move(done)]() mutable { done(status); });
    }
    void failsafe(const std::string&, FailsafeMessage message, Instant, Done<FailsafeAnswer> done) override {
        heard = std::move(message);
        FailsafeAnswer answer;
        answer.from = answering;
        clock_.post([answer, refused = refuses, done = std::move(done)]() mutable {
            if (refused) return done(fail(ErrorCode::conflict, "Running as a leader"));
            done(answer);
        });
    }

  private:
    Clock& clock_;
};

class QuestionsTest : public ::testing::Test {
  protected:
    QuestionsTest() {
        Member member;
        member.name = kAsked;
        member.api_url = "http://10.0.0.2:8008/patroni";
        view_.members[kAsked] = member;
        view_.failsafe[kAsked] = member.api_url;
        view_.initialize = SystemId(7);
    }
    bool reachable(PeerIdentity answering) {
        peers_.answering = std::move(answering);
        questions_.ask_peers(view_, {kAsked}, 1s, true);
        clock_.run_for(1s);
        EXPECT_TRUE(questions_.peers().complete);
        return questions_.peers().answers.at(kAsked).reachable;
    }
    const ha::Confirmation* confirmation(PeerIdentity answering) {
        peers_.answering = std::move(answering);
        questions_.forget_failsafe();
        FailsafeMessage message{.name = MemberName("c1"), .conn_url = "x", .api_url = "y", .ttl = 10s};
        questions_.ask_failsafe(view_, {kAsked}, message, 1s);
        clock_.run_for(1s);
        auto found = questions_.confirmations().find(kAsked);
        return found == questions_.confirmations().end() ? nullptr : &found->second;
    }

    const PeerIdentity asked_{kAsked, "demo", SystemId(7)};
    const PeerIdentity other_member_{MemberName("c3"), "demo", SystemId(7)};
    const PeerIdentity other_cluster_{kAsked, "prod", SystemId(8)};
    const PeerIdentity namesake_{kAsked, "demo", SystemId(8)};
    ClusterView view_;
    VirtualClock clock_;
    OneAddress peers_{clock_};
    SilentPostgres postgres_{clock_};
    NotedLog log_;
    agent::Questions questions_{"demo", peers_, postgres_, clock_, log_, [] {}};
};

TEST_F(QuestionsTest, ACandidateHearsOnlyTheMemberThatItAsked) {
    EXPECT_TRUE(reachable(asked_));
    EXPECT_TRUE(log_.lines.empty());
    EXPECT_FALSE(reachable(other_member_));
    EXPECT_EQ(
        log_.lines.at(0),
        "peer-silent: c2 does not answer: its address belongs to \"c3\" of the cluster \"demo\" (system "
        "id 7) now");
    EXPECT_FALSE(reachable(other_cluster_));
    EXPECT_FALSE(reachable(namesake_)) << "a cluster of the same name, in another namespace, say";
}

TEST_F(QuestionsTest, ALeaderCountsTheConfirmationOfTheMemberThatItAsked) {
    const ha::Confirmation* given = confirmation(asked_);
    ASSERT_TRUE(given);
    EXPECT_TRUE(given->counts);
    EXPECT_EQ(peers_.heard.to, asked_);
    for (const PeerIdentity& other : {other_member_, other_cluster_, namesake_})
        EXPECT_FALSE(confirmation(other)) << to_string(other);
    EXPECT_FALSE(questions_.failsafe_vetoed());
}

TEST_F(QuestionsTest, WhoDoesNotTellItsNameIsNoVoter) {
    EXPECT_TRUE(reachable({{}, "demo", SystemId(7)})) << "an old Patroni";
    const ha::Confirmation* given = confirmation({});
    ASSERT_TRUE(given) << "any Patroni";
    EXPECT_FALSE(given->counts);
}

TEST_F(QuestionsTest, AClusterThatIsNotInitializedIsKnownByItsName) {
    view_.initialize.reset();
    EXPECT_TRUE(reachable(namesake_));
    EXPECT_FALSE(reachable(other_member_));
    EXPECT_FALSE(reachable(other_cluster_));
}

// Its answer would not be heard either, and it would be bound for nothing.
TEST_F(QuestionsTest, NobodyIsAskedToConfirmWhoIsNotHeard) {
    peers_.asked_in_vain = Error{ErrorCode::timeout, "no answer"};
    EXPECT_FALSE(confirmation(asked_));
    EXPECT_TRUE(peers_.heard.to.name.empty());
    peers_.asked_in_vain = Error{ErrorCode::invalid, "its PostgreSQL starts"};
    EXPECT_TRUE(confirmation(asked_)) << "it has been heard";
}

TEST_F(QuestionsTest, ARefusalIsAVeto) {
    peers_.refuses = true;
    EXPECT_FALSE(confirmation(asked_));
    EXPECT_TRUE(questions_.failsafe_vetoed());
}

}  // namespace
}  // namespace pgherd::sim
