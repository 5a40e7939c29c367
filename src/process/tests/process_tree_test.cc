// Descendants that hide: the children of a process that is to end with everything it started.
#include "process/process_tree.h"

#include "process_testing.h"

namespace pgherd {
namespace {

class ProcessTreeTest : public ProcessTest {
  protected:
    // Starts it in a session of its own, and waits for `lines` lines of output.
    void start(const std::string& script, std::size_t lines) {
        auto pipe = make_pipe(OurEnd::reads);
        const auto pid = processes_.spawn({.command = {"/bin/sh", "-c", script},
                                           .environment = {{"PATH", "/usr/bin:/bin"}, {"MARK", "7"}},
                                           .standard_output = pipe->childs.get(),
                                           .new_session = true},
                                          [this](int code) { code_ = code; });
        ASSERT_TRUE(pid);
        pid_ = *pid;
        pipe->childs.reset();
        std::string said;
        ASSERT_TRUE(loop_.run_until(
            [&] {
                return drain(pipe->ours.get(), said) ||
                       static_cast<std::size_t>(std::count(said.begin(), said.end(), '\n')) >= lines;
            },
            kLimit));
        ours_ = std::move(pipe->ours);
    }
    // All that held the output are gone.
    bool all_gone() {
        std::string said;
        return loop_.run_until([&] { return drain(ours_.get(), said); }, kLimit);
    }
    Descriptor ours_;
};

TEST_F(ProcessTreeTest, EndsChildrenThatIgnoreSignalsAndHaveTheirOwnGroups) {
    start(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo a; sleep 1000' & setsid sh -c 'echo b; sleep 1000' & echo "
        "c; wait",
        3);
    EXPECT_GE(kill_tree({.leader = pid_}), 3u);
    EXPECT_TRUE(all_gone());
    EXPECT_TRUE(wait_for([&] { return code_ == 137; }));
}

TEST_F(ProcessTreeTest, EndsDaemonsThatLeftTheSessionAndTheirParents) {
    start(
        "(setsid sh -c 'echo a; sleep 1000' &) ; (setsid sh -c 'setsid sh -c \"echo b; sleep 1000\" & sleep "
        "0.01' &); echo c; sleep 1000",
        3);
    EXPECT_GE(kill_tree({.leader = pid_, .mark = "MARK=7"}), 5u);
    EXPECT_TRUE(all_gone());
}

TEST_F(ProcessTreeTest, FindsWhatIsLeftOfALeaderThatHasEnded) {
    start("sleep 1000 & (setsid sleep 1000 &) ; echo a", 1);
    EXPECT_TRUE(wait_for([&] { return code_.has_value(); }));
    EXPECT_EQ(kill_tree({.leader = pid_, .leader_reaped = true, .mark = "MARK=7"}), 2u);
    EXPECT_TRUE(all_gone());
}

TEST_F(ProcessTreeTest, EndsABranchThatGrowsMeanwhile) {
    start(
        "grow() { sleep 0.001; grow & sleep 1000; }; i=0; while [ $i -lt 20 ]; do grow & i=$((i+1)); done; "
        "echo a; wait",
        1);
    kill_tree({.leader = pid_, .mark = "MARK=7"});
    EXPECT_TRUE(all_gone());
}

TEST_F(ProcessTreeTest, LeavesStrangersAlone) {
    auto pipe = make_pipe(OurEnd::reads);
    bool ended = false;
    const auto stranger = processes_.spawn(
        {.command = {"/bin/sleep", "1000"}, .environment = {{"MARK", "71"}}}, [&](int) { ended = true; });
    ASSERT_TRUE(stranger);
    start("echo a; sleep 1000", 1);
    EXPECT_EQ(kill_tree({.leader = pid_, .mark = "MARK=7"}), 2u);
    EXPECT_TRUE(all_gone());
    EXPECT_FALSE(ended);
    // Nor does a number belong to a leader for ever.
    EXPECT_EQ(kill_tree({.leader = *stranger, .leader_reaped = true, .mark = "MARK=7"}), 0u);
    processes_.signal(*stranger, SIGKILL);
    EXPECT_TRUE(wait_for([&] { return ended; }));
}

}  // namespace
}  // namespace pgherd
