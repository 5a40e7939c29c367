// The guard with real processes: a shell in place of the postmaster, the test in place of the brain.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "guard/brain.h"
#include "guard/tests/harness.h"

namespace pgherd::guard {
namespace {

using testing::alive;
using testing::eventually;
using testing::GuardProcess;
using testing::LentBrain;
using namespace std::chrono_literals;

std::int64_t in(Duration duration) {
    return (boottime_now() + duration).time_since_epoch().count();
}

StartOrder shell(const std::string& script) {
    return {
        .argv = {"/bin/sh", "-c", script}, .environment = {"PATH=/usr/bin:/bin"}, .working_directory = "/"};
}
const StartOrder kSleeper{.argv = {"/bin/sleep", "1000"}, .environment = {}, .working_directory = "/"};

class GuardTest : public ::testing::Test {
  protected:
    void SetUp() override { connect(); }

    void connect() {
        const auto lent = guard_.brain();
        ASSERT_GT(lent.pid, 0) << "the guard has started no brain";
        brain_ = lent.pid;
        client_.emplace(lent.fd);
    }
    Report ask(Result<std::uint32_t> sequence) {
        auto report = client_->wait(sequence.value(), 5s);
        return report ? *report : Report{.error = -1};
    }
    GuardStatus status() { return ask(client_->status()).status; }
    pid_t start(const StartOrder& order) {
        const Report report = ask(client_->start(order));
        EXPECT_EQ(report.error, 0) << report.text;
        return report.status.postmaster_pid;
    }
    std::optional<Report> event(ReportType type, Duration patience = 10s) {
        std::optional<Report> found;
        eventually(
            [&] {
                auto report = client_->receive();
                if (!report) return true;
                if (*report && (*report)->type == type) found = **report;
                return found.has_value();
            },
            patience);
        return found;
    }
    std::string path(const char* name) { return guard_.directory() + "/" + name; }
    static std::vector<pid_t> pids_in(const std::string& file) {
        std::ifstream stream(file);
        std::vector<pid_t> pids;
        for (pid_t pid; stream >> pid;) pids.push_back(pid);
        return pids;
    }

    GuardProcess guard_;
    pid_t brain_ = 0;
    std::optional<Client> client_;
};

TEST_F(GuardTest, StartsThePostmasterAndTellsItsEnd) {
    const pid_t pid = start(shell("exit 3"));
    EXPECT_GT(pid, 0);
    const auto report = event(ReportType::exited);
    ASSERT_TRUE(report);
    EXPECT_EQ(WEXITSTATUS(report->status.last_exit), 3);
    EXPECT_EQ(report->status.phase, PostmasterPhase::none);
    EXPECT_EQ(report->status.exits, 1u);
}

TEST_F(GuardTest, SaysWhyAProgramCannotBeExecuted) {
    start({.argv = {"/nonexistent/postgres"}, .environment = {}, .working_directory = "/"});
    const auto report = event(ReportType::exited);
    ASSERT_TRUE(report);
    EXPECT_NE(std::string(report->text).find("/nonexistent/postgres: No such file"), std::string::npos)
        << report->text;
}

TEST_F(GuardTest, RunsThePostmasterAsTheUserThatWasAskedFor) {
    if (::getuid() != 0) GTEST_SKIP() << "needs root";
    StartOrder order = shell("id -u; id -g; id -G");
    ::chmod(guard_.directory().c_str(), 0777);
    order.log_file = path("log");
    order.change_user = true;
    order.uid = order.gid = 65534;
    order.groups = {65534, 12345};
    start(order);
    ASSERT_TRUE(event(ReportType::exited));
    std::stringstream log;
    log << std::ifstream(order.log_file).rdbuf();
    ::unlink(order.log_file.c_str());
    EXPECT_EQ(log.str(), "65534\n65534\n65534 12345\n");
}

TEST_F(GuardTest, RefusesASecondPostmaster) {
    start(kSleeper);
    EXPECT_NE(ask(client_->start(kSleeper)).error, 0);
}

TEST_F(GuardTest, RefusesAPrimaryWithoutADeadline) {
    StartOrder primary = kSleeper;
    primary.as_primary = true;
    EXPECT_NE(ask(client_->start(primary)).error, 0);
    EXPECT_EQ(ask(client_->arm(in(60s), true)).error, 0);
    EXPECT_EQ(ask(client_->start(primary)).error, 0);
}

TEST_F(GuardTest, AllowsAPrimaryWithoutADeadlineWhenToldSo) {
    StartOrder primary = kSleeper;
    primary.as_primary = true;
    EXPECT_EQ(ask(client_->arm(kNever, true)).error, 0);
    EXPECT_EQ(ask(client_->start(primary)).error, 0);
}

TEST_F(GuardTest, RefusesADeadlineThatHasPassed) {
    EXPECT_NE(ask(client_->arm(in(-1ms), true)).error, 0);
}

TEST_F(GuardTest, KillsThePrimaryAtTheDeadline) {
    const std::int64_t deadline = in(300ms);
    ask(client_->arm(deadline, true));
    StartOrder primary = shell("trap '' INT TERM QUIT HUP; while :; do sleep 1; done");
    primary.as_primary = true;
    const pid_t pid = start(primary);
    const auto fenced = event(ReportType::fenced);
    ASSERT_TRUE(fenced);
    EXPECT_GE(boottime_now().time_since_epoch().count(), deadline);
    EXPECT_LT(boottime_now().time_since_epoch().count(), deadline + Duration(1s).count());
    ASSERT_TRUE(event(ReportType::exited));
    EXPECT_FALSE(alive(pid));
    EXPECT_TRUE(status().fenced);
}

TEST_F(GuardTest, LeavesAStandbyAloneAtTheDeadline) {
    ask(client_->arm(in(200ms), false));
    const pid_t pid = start(kSleeper);
    EXPECT_TRUE(eventually([&] { return status().deadline == kDisarmed; }));
    EXPECT_TRUE(alive(pid));
}

TEST_F(GuardTest, LeavesAStandbyAloneThatIsArmedWhileItRuns) {
    const pid_t pid = start(kSleeper);
    EXPECT_EQ(ask(client_->arm(in(200ms), false)).error, 0);
    EXPECT_TRUE(eventually([&] { return status().deadline == kDisarmed; }));
    EXPECT_TRUE(alive(pid));
}

TEST_F(GuardTest, KillsAPrimaryAtOnceWhoseDeadlineHasPassed) {
    ask(client_->arm(in(60s), true));
    StartOrder primary = kSleeper;
    primary.as_primary = true;
    const pid_t pid = start(primary);
    EXPECT_EQ(ask(client_->arm(in(-1ms), true)).error, 0);
    ASSERT_TRUE(event(ReportType::exited, 3s));
    EXPECT_FALSE(alive(pid));
    EXPECT_TRUE(status().fenced);
    EXPECT_NE(ask(client_->start(primary)).error, 0) << "the old deadline is still in force";
}

TEST_F(GuardTest, LeavesAStandbyAloneWhoseDeadlineHasPassed) {
    const pid_t pid = start(kSleeper);
    EXPECT_NE(ask(client_->arm(in(-1ms), false)).error, 0);
    EXPECT_FALSE(event(ReportType::exited, 200ms));
    EXPECT_TRUE(alive(pid));
}

TEST_F(GuardTest, LeavesAPrimaryAloneWhoseDeadlineIsRenewed) {
    ask(client_->arm(in(300ms), true));
    StartOrder primary = kSleeper;
    primary.as_primary = true;
    const pid_t pid = start(primary);
    for (int i = 0; i < 12; ++i) {
        std::this_thread::sleep_for(100ms);
        ASSERT_EQ(ask(client_->arm(in(300ms), true)).error, 0);
    }
    EXPECT_TRUE(alive(pid));
    EXPECT_EQ(ask(client_->disarm()).error, 0);
    EXPECT_FALSE(event(ReportType::fenced, 500ms));
    EXPECT_TRUE(alive(pid));
}

TEST_F(GuardTest, KillsThePrimaryOfAStoppedBrain) {
    ask(client_->arm(in(300ms), true));
    StartOrder primary = kSleeper;
    primary.as_primary = true;
    const pid_t pid = start(primary);
    ::kill(brain_, SIGSTOP);
    EXPECT_TRUE(eventually([&] { return !alive(pid); }, 2s));
    ::kill(brain_, SIGCONT);
}

TEST_F(GuardTest, StartsADeadBrainAgainAndLeavesThePostmasterUntouched) {
    ask(client_->ready());
    const pid_t pid = start(kSleeper);
    const pid_t first = brain_;
    ::kill(brain_, SIGKILL);
    connect();
    EXPECT_NE(brain_, first);
    EXPECT_TRUE(alive(pid));
    EXPECT_EQ(status().postmaster_pid, pid);
    EXPECT_EQ(status().phase, PostmasterPhase::running);
}

TEST_F(GuardTest, KillsThePrimaryOfADeadBrainThatDoesNotRenew) {
    ask(client_->arm(in(500ms), true));
    StartOrder primary = kSleeper;
    primary.as_primary = true;
    const pid_t pid = start(primary);
    ::kill(brain_, SIGKILL);
    connect();
    EXPECT_TRUE(alive(pid));
    EXPECT_TRUE(event(ReportType::exited, 3s));
    EXPECT_FALSE(alive(pid));
}

TEST_F(GuardTest, PausesLongerWhenBrainsDieYoung) {
    const Instant begin = boottime_now();
    for (int i = 0; i < 4; ++i) {
        ::kill(brain_, SIGKILL);
        connect();
    }
    EXPECT_GE(boottime_now() - begin, 700ms);  // 0 + 100 + 200 + 400 ms
    EXPECT_LT(boottime_now() - begin, 5s);
}

TEST(BrainTest, IsNotStartedAgainAtOnceWhenItCannotBeStartedAtAll) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    const Instant now = boottime_now();
    Brain brain({"/bin/true"});
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 2; ++i) {
        EXPECT_FALSE(brain.start(now));
        brain.died(now);
    }
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_GE(brain.restart_at() - now, 100ms);
}

TEST_F(GuardTest, ReportsTheEndOnlyWhenEveryOrphanIsGone) {
    const std::string file = path("pids");
    // Three backends: sessions of their own, deaf to every signal, the last with a child.
    const pid_t pid = start(shell("F=" + file +
                                  "; for i in 1 2; do setsid sh -c 'trap \"\" INT TERM QUIT HUP; echo $$ >> "
                                  "'$F'; while :; do sleep 1; done' & done;"
                                  "setsid sh -c 'trap \"\" INT TERM QUIT; sleep 1000 & echo $! >> '$F'; echo "
                                  "$$ >> '$F'; wait; sleep 1000' & wait"));
    ASSERT_TRUE(eventually([&] { return pids_in(file).size() == 4; }));
    ::kill(pid, SIGKILL);
    const auto report = event(ReportType::exited);
    ASSERT_TRUE(report);
    for (const pid_t orphan : pids_in(file)) EXPECT_FALSE(alive(orphan)) << orphan;
    ::unlink(file.c_str());
}

TEST_F(GuardTest, KillsTheOrphansOfAFencedPrimaryToo) {
    const std::string file = path("pids");
    ask(client_->arm(in(1s), true));
    StartOrder primary = shell("setsid sh -c 'trap \"\" INT TERM QUIT; echo $$ >> " + file +
                               "; while :; do sleep 1; done' & wait");
    primary.as_primary = true;
    start(primary);
    ASSERT_TRUE(eventually([&] { return pids_in(file).size() == 1; }));
    ASSERT_TRUE(event(ReportType::exited));
    EXPECT_FALSE(alive(pids_in(file).front()));
    ::unlink(file.c_str());
}

TEST_F(GuardTest, SendsTheQuitSignalToThePostmasterWhenItIsKilledItself) {
    const std::string file = path("quit");
    const pid_t pid = start(shell("trap 'echo quit > " + file + "; exit 0' QUIT; echo up > " + file +
                                  "; while :; do sleep 0.05; done"));
    ASSERT_TRUE(eventually([&] { return std::ifstream(file).good(); }));
    guard_.kill(SIGKILL);
    EXPECT_TRUE(eventually([&] { return !alive(pid); }));
    EXPECT_TRUE(eventually([&] { return !alive(brain_); }));
    std::string word;
    std::ifstream(file) >> word;
    EXPECT_EQ(word, "quit");
    ::unlink(file.c_str());
}

TEST_F(GuardTest, ForwardsTheOrderToEndAndStopsWhatTheBrainLeftRunning) {
    ask(client_->ready());
    const pid_t pid = start(kSleeper);
    guard_.kill(SIGTERM);
    EXPECT_EQ(guard_.exit_code(), 0);
    EXPECT_FALSE(alive(pid));
    EXPECT_FALSE(alive(brain_));
}

TEST_F(GuardTest, AdoptsAPostmasterThatIsNotItsChild) {
    const std::string file = path("pids");
    char directory[] = "/tmp/pgherd-adopt-XXXXXX";
    ASSERT_TRUE(::mkdtemp(directory));
    const std::string script = "cd " + std::string(directory) + "; setsid sh -c 'echo $$ >> " + file +
                               "; while :; do read x < /dev/zero; done' & while :; do sleep 0.05; done";
    const pid_t foreign = ::fork();
    if (foreign == 0) {
        ::execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
        ::_exit(127);
    }
    ASSERT_TRUE(eventually([&] { return pids_in(file).size() == 1; }));
    const Report adopted = ask(client_->adopt(foreign));
    EXPECT_EQ(adopted.error, 0) << adopted.text;
    EXPECT_EQ(adopted.status.postmaster_pid, foreign);
    EXPECT_TRUE(adopted.status.adopted);
    ask(client_->arm(in(200ms), true));
    EXPECT_TRUE(event(ReportType::fenced));
    EXPECT_TRUE(event(ReportType::exited));
    EXPECT_FALSE(alive(pids_in(file).front())) << "a process of the adopted postmaster lives on";
    EXPECT_EQ(::waitpid(foreign, nullptr, 0), foreign);
    ::unlink(file.c_str());
    ::rmdir(directory);
}

TEST_F(GuardTest, SignalsThePostmaster) {
    const pid_t pid = start(kSleeper);
    EXPECT_EQ(ask(client_->signal(SIGTERM)).error, 0);
    const auto report = event(ReportType::exited);
    ASSERT_TRUE(report);
    EXPECT_EQ(WTERMSIG(report->status.last_exit), SIGTERM);
    EXPECT_FALSE(alive(pid));
    EXPECT_NE(ask(client_->signal(SIGTERM)).error, 0);
}

TEST(GuardProcessTest, EndsWithTheCodeOfABrainThatCannotComeUp) {
    GuardProcess guard({.brain = {"/bin/sh", "-c", "exit 1"}});
    EXPECT_EQ(guard.exit_code(), 1);
}

TEST(GuardProcessTest, EndsWhenTheBrainCannotBeExecuted) {
    GuardProcess guard({.brain = {"/nonexistent/brain"}});
    EXPECT_EQ(guard.exit_code(), 1);
}

// No memory for it, say: what ran well a moment ago is no reason to end PostgreSQL.
TEST(GuardProcessTest, KeepsPostgresWhenABrainThatHasBeenReadyCannotBeExecutedForAWhile) {
    char directory[] = "/tmp/pgherd-brain-XXXXXX";
    ASSERT_TRUE(::mkdtemp(directory));
    const std::string program = std::string(directory) + "/brain";
    std::filesystem::create_symlink(std::filesystem::read_symlink("/proc/self/exe"), program);
    GuardProcess guard({.brain = {program}});
    const LentBrain first = guard.brain();
    Client client(first.fd);
    ASSERT_TRUE(client.wait(client.ready().value(), 5s));
    const auto started = client.wait(client.start(kSleeper).value(), 5s);
    ASSERT_TRUE(started);
    std::filesystem::rename(program, program + ".away");
    ::kill(first.pid, SIGKILL);
    EXPECT_FALSE(guard.exit_code(500ms));
    EXPECT_TRUE(alive(started->status.postmaster_pid));
    std::filesystem::rename(program + ".away", program);
    Client second(guard.brain().fd);
    EXPECT_EQ(second.wait(second.status().value(), 5s)->status.postmaster_pid,
              started->status.postmaster_pid);
    std::filesystem::remove_all(directory);
}

TEST(GuardProcessTest, RefusesToArmWithoutARequiredWatchdogDevice) {
    GuardProcess guard({.watchdog = WatchdogMode::required, .watchdog_device = "/nonexistent/watchdog"});
    Client client(guard.brain().fd);
    const auto report = client.wait(client.arm(in(60s), true).value(), 5s);
    ASSERT_TRUE(report);
    EXPECT_NE(report->error, 0);
    EXPECT_EQ(report->status.deadline, kDisarmed);
}

TEST(GuardProcessTest, ArmsWithoutAnOptionalWatchdogDevice) {
    GuardProcess guard({.watchdog = WatchdogMode::automatic, .watchdog_device = "/nonexistent/watchdog"});
    Client client(guard.brain().fd);
    EXPECT_EQ(client.wait(client.arm(in(60s), true).value(), 5s).value().error, 0);
}

TEST(GuardProcessTest, AStoppedGuardIsNoticedByItsSilence) {
    GuardProcess guard;
    Client client(guard.brain().fd);
    guard.kill(SIGSTOP);
    EXPECT_EQ(client.wait(client.status().value(), 200ms).error().code, ErrorCode::timeout);
    guard.kill(SIGCONT);
}

}  // namespace
}  // namespace pgherd::guard

int main(int argc, char** argv) {
    pgherd::guard::testing::lend_guard_if_asked(argc, argv);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
