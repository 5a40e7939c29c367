#include "supervise/service_machine.h"

#include <csignal>

#include <gtest/gtest.h>

#include "supervise/check_machine.h"
#include "supervise/go_text.h"

namespace pgherd::supervise {
namespace {

using namespace std::chrono_literals;
using namespace service_event;

// Drives a machine and writes down what it wants, without notes: "spawn arm+1000ms", "TERM arm+5000ms".
struct Driver {
    ServiceMachine machine{"a"};
    Instant now{};
    Service config;

    std::string operator()(const ServiceEvent& event) {
        std::string text;
        for (const ServiceEffect& effect : machine.handle(event, now)) {
            std::string part;
            if (std::get_if<service_effect::Spawn>(&effect)) part = "spawn";
            if (const auto* e = std::get_if<service_effect::Signal>(&effect))
                part = e->number == SIGTERM ? "TERM" : "KILL";
            if (const auto* e = std::get_if<service_effect::Arm>(&effect))
                part = e->when ? "arm+" + std::to_string((*e->when - now) / 1ms) : "disarm";
            if (const auto* e = std::get_if<service_effect::Finished>(&effect))
                part = std::string(e->start ? "started" : "stopped") +
                       (e->error.empty() ? "" : "!" + e->error) +
                       (e->info.empty() ? "" : "(" + e->info + ")");
            if (const auto* e = std::get_if<service_effect::Shutdown>(&effect))
                part = "exit" + std::to_string(e->code);
            if (!part.empty()) text += (text.empty() ? "" : " ") + part;
        }
        return text;
    }
    void run() {
        (*this)(Start{config});
        (*this)(Spawned{});
        now += 1s;
        (*this)(TimePassed{});
    }
};

TEST(Service, IsStartedWhenItHasLivedForASecond) {
    Driver drive;
    EXPECT_EQ(drive.machine.current(), "inactive");
    EXPECT_EQ(drive(Start{}), "disarm spawn");
    EXPECT_EQ(drive(Spawned{}), "arm+1000");
    EXPECT_EQ(drive.machine.current(), "active");
    drive.now += 1s;
    EXPECT_EQ(drive(TimePassed{}), "disarm started");
    EXPECT_EQ(drive.machine.state(), ServiceState::running);
    EXPECT_EQ(drive(Start{}), "started(Service \"a\" already started.)");
}

TEST(Service, ThatCannotBeExecutedFailsItsStart) {
    Driver drive;
    drive(Start{});
    EXPECT_EQ(drive(SpawnFailed{"no such file"}), "started!cannot start service: no such file");
    EXPECT_EQ(drive.machine.current(), "inactive");
}

TEST(Service, ThatExitsQuicklyFailsItsStartAndIsTriedAgain) {
    Driver drive;
    drive(Start{});
    drive(Spawned{});
    EXPECT_EQ(drive(Exited{3}),
              "started!service start attempt: exited quickly with code 3, will restart arm+500");
    EXPECT_EQ(drive.machine.current(), "backoff");
    EXPECT_EQ(drive(TimePassed{}), "spawn");
    EXPECT_EQ(drive(Spawned{}), "disarm") << "no okay window out of back-off";
    EXPECT_EQ(drive.machine.state(), ServiceState::running);
}

TEST(Service, WaitsLongerEachTimeUpToTheLimitAndForgetsAfterALongRun) {
    Driver drive;
    drive.config.backoff_limit = 1500ms;
    drive.run();
    for (const std::string expected : {"arm+500", "arm+1000", "arm+1500", "arm+1500"}) {
        EXPECT_EQ(drive(Exited{1}), expected);
        drive(TimePassed{});
        drive(Spawned{});
    }
    drive.now += 2s;
    EXPECT_EQ(drive(Exited{1}), "arm+500");
}

TEST(Service, WaitsNoLongerThanItsLimitHoweverLargeTheNumbersAre) {
    Driver drive;
    drive.config.backoff_delay = kLongestDuration;
    drive.config.backoff_limit = kLongestDuration;
    drive.config.backoff_factor = 1e300;
    drive.run();
    for (int again = 0; again < 3; ++again) {
        EXPECT_EQ(drive(Exited{1}), "arm+" + std::to_string(kLongestDuration / 1ms));
        drive(TimePassed{});
        drive(Spawned{});
    }
}

TEST(Service, ThatCannotBeExecutedInBackOffIsTriedAgain) {
    Driver drive;
    drive.run();
    drive(Exited{1});
    drive(TimePassed{});
    EXPECT_EQ(drive(SpawnFailed{"gone"}), "arm+1000");
    EXPECT_EQ(drive.machine.current(), "backoff");
}

TEST(Service, IsKilledWhenItDoesNotStopInTime) {
    Driver drive;
    drive.config.kill_delay = 2s;
    drive.run();
    EXPECT_EQ(drive(Stop{}), "TERM arm+2000");
    EXPECT_EQ(drive.machine.current(), "inactive");
    EXPECT_EQ(drive(TimePassed{}), "KILL arm+5000");
    EXPECT_EQ(drive(Exited{137}), "disarm stopped");
    EXPECT_EQ(drive(Stop{}), "stopped(Service \"a\" already stopped.)");
}

TEST(Service, ThatSurvivesEverySignalFailsItsStop) {
    Driver drive;
    drive.run();
    drive(Stop{});
    drive(TimePassed{});
    EXPECT_EQ(drive(TimePassed{}),
              "disarm stopped!cannot stop service: process still running after SIGTERM and SIGKILL");
}

TEST(Service, StoppedInTheOkayWindowFailsItsStart) {
    Driver drive;
    drive(Start{});
    drive(Spawned{});
    EXPECT_EQ(drive(Stop{}), "started!service start attempt: stopped before the 1s okay delay TERM arm+5000");
    EXPECT_EQ(drive(Exited{143}), "disarm stopped");
}

TEST(Service, StopsOutOfBackOffAtOnce) {
    Driver drive;
    drive.run();
    drive(Exited{1});
    EXPECT_EQ(drive(Stop{}), "disarm stopped");
    EXPECT_EQ(drive(Exited{1}), "") << "an old end means nothing";
}

TEST(Service, DoesWhatItsActionsSay) {
    struct Row {
        std::string on_success, on_failure;
        int code;
        std::string effects, current;
    };
    for (const Row& row : std::vector<Row>{{"ignore", "", 0, "disarm", "inactive"},
                                           {"", "ignore", 7, "disarm", "error"},
                                           {"shutdown", "", 0, "disarm exit0", "inactive"},
                                           {"failure-shutdown", "", 0, "disarm exit10", "inactive"},
                                           {"", "shutdown", 7, "disarm exit10", "error"},
                                           {"", "success-shutdown", 7, "disarm exit0", "error"},
                                           {"", "", 0, "arm+500", "backoff"}}) {
        Driver drive;
        drive.config.on_success = row.on_success;
        drive.config.on_failure = row.on_failure;
        drive.run();
        EXPECT_EQ(drive(Exited{row.code}), row.effects) << row.on_success << row.on_failure;
        EXPECT_EQ(drive.machine.current(), row.current);
    }
}

TEST(Service, IsRestartedWhenItsCheckFails) {
    Driver drive;
    drive.config.on_check_failure = {{"c", "restart"}, {"d", "shutdown"}, {"e", "ignore"}};
    drive.run();
    EXPECT_EQ(drive(CheckFailed{"e"}), "");
    EXPECT_EQ(drive(CheckFailed{"other"}), "");
    EXPECT_EQ(drive(CheckFailed{"c"}), "TERM arm+5000");
    EXPECT_EQ(drive(Exited{143}), "disarm arm+500");
    EXPECT_EQ(drive.machine.current(), "backoff");
    EXPECT_EQ(drive(CheckFailed{"d"}), "exit11");
}

TEST(Service, RemembersACheckThatFailedInTheOkayWindow) {
    Driver drive;
    drive.config.on_check_failure = {{"c", "restart"}};
    drive(Start{drive.config});
    drive(Spawned{});
    EXPECT_EQ(drive(CheckFailed{"c"}), "");
    drive.now += 1s;
    EXPECT_EQ(drive(TimePassed{}), "disarm started TERM arm+5000");
}

TEST(Service, ForgetsACheckThatRecoveredInTheOkayWindow) {
    Driver drive;
    drive.config.on_check_failure = {{"c", "restart"}};
    drive(Start{drive.config});
    drive(Spawned{});
    drive(CheckFailed{"c"});
    drive(CheckRecovered{"c"});
    drive.now += 1s;
    EXPECT_EQ(drive(TimePassed{}), "disarm started");
}

TEST(Service, ThatIsBeingRestartedStaysStoppedWhenSomebodyStopsIt) {
    Driver drive;
    drive.config.on_check_failure = {{"c", "restart"}};
    drive.run();
    drive(CheckFailed{"c"});
    EXPECT_EQ(drive(Stop{}), "");
    EXPECT_EQ(drive(Exited{143}), "disarm stopped");
    EXPECT_EQ(drive.machine.state(), ServiceState::stopped);
}

TEST(Service, IsKilledWhenItsStartIsAborted) {
    Driver drive;
    drive(Start{});
    drive(Spawned{});
    EXPECT_EQ(drive(AbortStart{}), "started!start aborted KILL arm+5000");
    EXPECT_EQ(drive(Exited{137}), "disarm");
    EXPECT_EQ(drive.machine.current(), "inactive");
}

// --- checks
// ------------------------------------------------------------------------------------------------------

std::string effects(CheckMachine& machine, std::optional<std::string> error) {
    std::string text;
    for (const CheckEffect& effect : machine.result(error)) {
        using namespace check_effect;
        std::string part = "act";
        if (const auto* e = std::get_if<LogError>(&effect)) part = "log:" + e->text;
        if (const auto* e = std::get_if<LogInfo>(&effect)) part = "info:" + e->text;
        if (const auto* e = std::get_if<WentDown>(&effect)) part = "down:" + e->error;
        if (std::get_if<Recovered>(&effect)) part = "up";
        text += (text.empty() ? "" : " ") + part;
    }
    return text;
}

CheckMachine machine_of(int threshold) {
    Check check;
    check.threshold = threshold;
    check.tcp.emplace();
    CheckMachine machine("c", check);
    machine.start();
    return machine;
}

TEST(CheckMachine, GoesDownAtItsThresholdAndActsAgainAtEveryMultiple) {
    CheckMachine machine = machine_of(2);
    EXPECT_EQ(effects(machine, "no"), "log:no");
    EXPECT_EQ(machine.status(), CheckStatus::up);
    EXPECT_EQ(effects(machine, "no"), "down:no act");
    EXPECT_EQ(machine.status(), CheckStatus::down);
    EXPECT_EQ(machine.summary(), "Recover TCP check \"c\"");
    EXPECT_EQ(effects(machine, "no"), "log:no");
    EXPECT_EQ(effects(machine, "no"), "log:no act");
    EXPECT_EQ(machine.failures(), 4u);
    EXPECT_EQ(effects(machine, std::nullopt), "up");
    EXPECT_EQ(machine.status(), CheckStatus::up);
    EXPECT_EQ(machine.failures(), 0u);
    EXPECT_EQ(machine.successes(), 1u);
}

TEST(CheckMachine, SaysWhenItSucceedsAfterAFewFailures) {
    CheckMachine machine = machine_of(3);
    effects(machine, "no");
    EXPECT_EQ(effects(machine, std::nullopt), "info:succeeded after 1 failure");
    EXPECT_EQ(effects(machine, std::nullopt), "");
}

TEST(CheckMachine, CountsNothingWhileItIsInactive) {
    CheckMachine machine = machine_of(1);
    machine.stop();
    EXPECT_EQ(effects(machine, "no"), "");
    EXPECT_EQ(machine.status(), CheckStatus::inactive);
    EXPECT_EQ(machine.failures(), 0u);
}

}  // namespace
}  // namespace pgherd::supervise
