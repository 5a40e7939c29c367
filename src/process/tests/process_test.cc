// Real children: what they are given, how they end, and who reaps them.
#include <set>

#include <sys/stat.h>

#include "process_testing.h"

namespace pgherd {
namespace {

TEST_F(ProcessTest, GivesExactlyTheEnvironmentDirectoryAndGroupAskedFor) {
    ::setenv("PGHERD_SECRET", "1", 1);
    const std::string said =
        shell("env | grep -v '^_=\\|^PWD=' | sort; pwd; ps -o pgid= -p $$ | tr -d ' '",
              {.environment = {{"PATH", "/usr/bin:/bin"}, {"A", "b c"}}, .working_dir = "/usr"});
    ::unsetenv("PGHERD_SECRET");
    EXPECT_EQ(said, fmt::format("A=b c\nPATH=/usr/bin:/bin\n/usr\n{}\n", pid_));
    EXPECT_EQ(code_, 0);
}

TEST_F(ProcessTest, HasNothingOnItsStandardInputAndNoOtherDescriptors) {
    const int leaked = ::open("/dev/null", O_RDONLY);
    EXPECT_EQ(shell("cat; ls /proc/$$/fd | wc -l"), "3\n");
    ::close(leaked);
}

TEST_F(ProcessTest, TellsExitCodesAndSignals) {
    shell("exit 7");
    EXPECT_EQ(code_, 7);
    shell("kill -TERM $$");
    EXPECT_EQ(code_, 143);
}

TEST_F(ProcessTest, StartsWithDefaultSignalsThoughWeIgnoreSome) {
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    // The shell itself blocks signals while it forks.
    const std::string said = shell("exec grep -E 'SigIgn|SigBlk' /proc/self/status");
    std::signal(SIGPIPE, before);
    EXPECT_EQ(said, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(ProcessTest, SaysWhyAProgramCannotStart) {
    const auto error_of = [&](std::vector<std::string> command, std::string directory = {}) {
        const auto pid = processes_.spawn(
            {.command = std::move(command), .working_dir = std::move(directory)}, [](int) {});
        return pid ? "started" : pid.error().message;
    };
    EXPECT_EQ(error_of({"no-such-program"}), "exec: \"no-such-program\": executable file not found in $PATH");
    EXPECT_EQ(error_of({"/no/such"}), "exec: \"/no/such\": stat /no/such: no such file or directory");
    EXPECT_EQ(error_of({"/etc/passwd"}), "exec: \"/etc/passwd\": permission denied");
    EXPECT_EQ(error_of({"/bin/true"}, "/no/such"), "chdir /no/such: no such file or directory");
    const auto script = std::filesystem::temp_directory_path() / fmt::format("pgherd-script-{}", ::getpid());
    std::fclose(std::fopen(script.c_str(), "w"));
    ::chmod(script.c_str(), 0755);
    EXPECT_EQ(error_of({script}), fmt::format("fork/exec {}: exec format error", script.string()));
    std::filesystem::remove(script);
}

TEST_F(ProcessTest, BecomesAnotherUserWithoutOurGroups) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const auto user = resolve_user({}, "nobody", {}, "");
    ASSERT_TRUE(user && *user) << user.error().message;
    EXPECT_EQ(shell("id -u; id -G", {.user = **user}), fmt::format("{}\n{}\n", (*user)->uid, (*user)->gid));
    const auto denied =
        processes_.spawn({.command = {"/bin/true"}, .working_dir = "/root", .user = **user}, [](int) {});
    struct stat root{};
    if (::stat("/root", &root) == 0 && (root.st_mode & 05) == 0) EXPECT_FALSE(denied);
}

TEST_F(ProcessTest, SignalsAWholeGroup) {
    auto pipe = make_pipe(OurEnd::reads);
    std::optional<int> code;
    const auto pid = processes_.spawn({.command = {"/bin/sh", "-c", "sleep 1000 & echo ready; wait"},
                                       .environment = {{"PATH", "/usr/bin:/bin"}},
                                       .standard_output = pipe->childs.get()},
                                      [&](int value) { code = value; });
    ASSERT_TRUE(pid);
    pipe->childs.reset();
    std::string said;
    ASSERT_TRUE(loop_.run_until([&] { return drain(pipe->ours.get(), said) || said == "ready\n"; }, kLimit));
    EXPECT_TRUE(processes_.alive(*pid));
    EXPECT_TRUE(processes_.signal_group(*pid, SIGKILL));
    EXPECT_TRUE(loop_.run_until([&] { return drain(pipe->ours.get(), said) && code; }, kLimit))
        << "sleep still holds the pipe";
    EXPECT_EQ(code, 137);
    EXPECT_FALSE(processes_.alive(*pid));
    EXPECT_EQ(processes_.signal(*pid, SIGKILL).error().code, ErrorCode::not_found);
}

TEST_F(ProcessTest, ReapsOrphans) {
    const std::string said = shell("(sleep 0.05 & echo $!)");
    const int orphan = std::stoi(said);
    EXPECT_TRUE(wait_for([&] { return ::kill(orphan, 0) != 0; }))
        << orphan << " is still there, perhaps as a zombie";
}

TEST_F(ProcessTest, StartsAThousandAndReapsEachOnce) {
    int ended = 0;
    std::set<int> pids;
    for (int i = 0; i < 1000; ++i) {
        const auto pid =
            processes_.spawn({.command = {"/bin/true"}}, [&](int code) { ended += code == 0 ? 1 : 1000; });
        ASSERT_TRUE(pid);
        pids.insert(*pid);
    }
    EXPECT_TRUE(loop_.run_until([&] { return ended >= 1000; }, kLimit));
    EXPECT_EQ(ended, 1000);
    for (const int pid : pids) EXPECT_FALSE(processes_.alive(pid));
}

TEST_F(ProcessTest, ForgetsAChildThatNobodyAsksFor) {
    bool told = false;
    const auto pid = processes_.spawn({.command = {"/bin/true"}}, [&](int) { told = true; });
    processes_.forget(*pid);
    EXPECT_TRUE(wait_for([&] { return !processes_.alive(*pid); }));
    EXPECT_FALSE(told);
}

TEST_F(ProcessTest, GivesASessionItsTerminal) {
    auto terminal = make_terminal(77, 33);
    ASSERT_TRUE(terminal) << terminal.error().message;
    std::optional<int> code;
    const int childs = terminal->childs.get();
    const auto pid =
        processes_.spawn({.command = {"/bin/sh", "-c", "stty size; ps -o tty= -p $$; test -t 0 && echo yes"},
                          .environment = {{"PATH", "/usr/bin:/bin"}},
                          .standard_input = childs,
                          .standard_output = childs,
                          .standard_error = childs,
                          .new_session = true,
                          .controlling_terminal = true},
                         [&](int value) { code = value; });
    ASSERT_TRUE(pid) << pid.error().message;
    terminal->childs.reset();
    std::string said;
    EXPECT_TRUE(loop_.run_until([&] { return drain(terminal->ours.get(), said) && code; }, kLimit));
    EXPECT_TRUE(said.starts_with("33 77\r\npts/")) << said;
    EXPECT_TRUE(said.ends_with("yes\r\n")) << said;
}

}  // namespace
}  // namespace pgherd
