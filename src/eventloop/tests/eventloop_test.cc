// The loop, its clock, the worker, signals and log lines.
#include <algorithm>
#include <csignal>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/scope.h"
#include "eventloop/log.h"
#include "eventloop/loop.h"
#include "eventloop/signals.h"
#include "eventloop/worker.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;

TEST(EventLoop, RunsPostedCallsInOrderAndNotAtOnce) {
    EventLoop loop;
    std::vector<int> seen;
    for (int i = 0; i < 100; ++i)
        loop.clock().post([&seen, i, &loop] {
            seen.push_back(i);
            if (i == 0) loop.clock().post([&seen] { seen.push_back(100); });
        });
    EXPECT_TRUE(seen.empty());
    ASSERT_TRUE(loop.run_until([&] { return seen.size() == 101; }, 5s));
    EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST(EventLoop, StopEndsRunAlsoWhenItCameFirst) {
    EventLoop loop;
    loop.stop();
    loop.run();
    loop.post([&] { loop.stop(); });
    loop.run();
}

TEST(BootTimers, CallsInOrderOfTimeAndNeverEarly) {
    EventLoop loop;
    Clock& clock = loop.clock();
    const Instant start = clock.now();
    std::vector<int> order;
    std::vector<Timer> timers;
    for (const int ms : {30, 10, 20, 10, 0, -5})
        timers.push_back(clock.call_at(start + std::chrono::milliseconds(ms), [&, ms] {
            EXPECT_GE(clock.now(), start + std::chrono::milliseconds(ms));
            order.push_back(ms);
        }));
    EXPECT_TRUE(order.empty());
    ASSERT_TRUE(loop.run_until([&] { return order.size() == 6; }, 5s));
    EXPECT_EQ(order, (std::vector{-5, 0, 10, 10, 20, 30}));
}

TEST(BootTimers, DestroyingATimerCancelsIt) {
    EventLoop loop;
    bool called = false;
    bool later = false;
    Timer gone = loop.clock().call_at(loop.clock().now() + 5ms, [&] { called = true; });
    Timer kept = loop.clock().call_at(loop.clock().now() + 10ms, [&] { later = true; });
    gone.reset();
    ASSERT_TRUE(loop.run_until([&] { return later; }, 5s));
    EXPECT_FALSE(called);
}

TEST(BootTimers, ACallMayCancelTheNextOneAndAskForMore) {
    EventLoop loop;
    Clock& clock = loop.clock();
    const Instant when = clock.now() + 2ms;
    int rounds = 0;
    bool cancelled_came = false;
    Timer victim;
    Timer again;
    Timer first = clock.call_at(when, [&] { victim.reset(); });
    victim = clock.call_at(when, [&] { cancelled_came = true; });
    std::function<void()> repeat = [&] {
        ++rounds;
        again = clock.call_at(clock.now(), [&] { repeat(); });
    };
    repeat();
    bool posted_ran = false;
    Timer other = clock.call_at(when, [&] { loop.post([&] { posted_ran = true; }); });
    ASSERT_TRUE(loop.run_until([&] { return posted_ran && rounds > 10; }, 5s));
    EXPECT_FALSE(cancelled_came);
}

TEST(BootTimers, AnAlarmThatIsTakenBackWhenItHasRungStopsNobody) {
    EventLoop loop;
    Clock& clock = loop.clock();
    const Instant start = clock.now();
    bool first = false;
    Timer rung = clock.call_at(start + 1ms, [] {});
    Timer later;
    loop.post([&] {
        while (clock.now() < start + 5ms) {
        }
        // The reactor has to see the ring before the alarm is set anew: so from a second step.
        loop.post([&] {
            rung.reset();
            later = clock.call_at(start + 1h, [] {});
            loop.post([&] { loop.post([&] { first = true; }); });
        });
    });
    EXPECT_TRUE(loop.run_until([&] { return first; }, 5s));
    EXPECT_LT(clock.now() - start, 4s);
}

TEST(BootTimers, TimersMayOutliveTheLoop) {
    Timer timer;
    {
        EventLoop loop;
        auto inner = std::make_shared<Timer>(loop.clock().call_at(Instant{} + 1h * 1000000, [] {}));
        timer = loop.clock().call_at(loop.clock().now() + 1h, [inner] {});
        loop.post([inner] {});
    }
}

TEST(Random, DoesNotRepeatItself) {
    EventLoop loop;
    EXPECT_NE(loop.random().next(), loop.random().next());
}

TEST(Worker, WorksElsewhereAndAnswersInTheLoop) {
    EventLoop loop;
    Worker worker(loop, "a-rather-long-thread-name");
    const auto here = std::this_thread::get_id();
    std::vector<int> results;
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(worker.run(
            [i, here] {
                EXPECT_NE(std::this_thread::get_id(), here);
                return std::make_unique<int>(i);
            },
            [&results, here](std::unique_ptr<int> result) {
                EXPECT_EQ(std::this_thread::get_id(), here);
                results.push_back(*result);
            }));
    bool last = false;
    ASSERT_TRUE(worker.run([] {}, [&last] { last = true; }));
    ASSERT_TRUE(loop.run_until([&] { return last; }, 5s));
    EXPECT_EQ(results, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Worker, RefusesWhenItsQueueIsFull) {
    EventLoop loop;
    std::latch started(1);  // outlive the worker, which may still be in its first call
    std::latch go_on(1);
    Worker worker(loop, "full", 2);
    ASSERT_TRUE(worker.run([&] { started.count_down(), go_on.wait(); }, [] {}));
    started.wait();
    EXPECT_TRUE(worker.run([] {}, [] {}));
    EXPECT_TRUE(worker.run([] {}, [] {}));
    EXPECT_FALSE(worker.run([] {}, [] {}));
    EXPECT_EQ(worker.waiting(), 2U);
    go_on.count_down();
}

TEST(Worker, GivesNoAnswerOnceItIsDestroyed) {
    EventLoop loop;
    bool answered = false;
    {
        std::latch done(1);
        Worker worker(loop, "gone");
        ASSERT_TRUE(worker.run([&] { done.count_down(); }, [&] { answered = true; }));
        done.wait();
    }
    bool last = false;
    loop.post([&] { last = true; });
    ASSERT_TRUE(loop.run_until([&] { return last; }, 5s));
    EXPECT_FALSE(answered);
}

TEST(Scope, SilencesWhatItsOwnerHandedOut) {
    int calls = 0;
    std::move_only_function<void(int)> handed_out;
    {
        const Scope scope;
        handed_out = scope.guard([&calls](int n) { calls += n; });
        handed_out(1);
    }
    handed_out(1);
    EXPECT_EQ(calls, 1);
}

TEST(Signals, ArriveInTheLoop) {
    EventLoop loop;
    std::vector<int> seen;
    {
        Signals signals(loop, {SIGUSR1, SIGUSR2}, [&](int number) { seen.push_back(number); });
        kill(getpid(), SIGUSR1);
        ASSERT_TRUE(loop.run_until([&] { return seen.size() == 1; }, 5s));
        kill(getpid(), SIGUSR2);
        ASSERT_TRUE(loop.run_until([&] { return seen.size() == 2; }, 5s));
    }
    EXPECT_EQ(seen, (std::vector{SIGUSR1, SIGUSR2}));
}

TEST(Log, WritesOneLinePerEvent) {
    const LogEvent event{LogLevel::warning, "decision", "two\nlines", {{"rule", "keep"}, {"why", "a \"b\""}}};
    EXPECT_EQ(format_log_line(event, "m1", LogFormat::plain, 1795255200123),
              "2026-11-21 10:00:00.123 UTC [m1] WARNING decision: two lines rule=keep why=\"a \\\"b\\\"\"\n");
    EXPECT_EQ(format_log_line(event, "m1", LogFormat::json, 1795255200123),
              R"({"time":"2026-11-21T10:00:00.123Z","level":"warning","name":"m1","event":"decision",)"
              R"("text":"two\nlines","rule":"keep","why":"a \"b\""})"
              "\n");
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    LogWriter log("m1", LogLevel::warning, LogFormat::plain, ends[1]);
    log.info("quiet", "not seen");
    log.error("loud", "seen");
    close(ends[1]);
    char text[256];
    const auto size = read(ends[0], text, sizeof text);
    close(ends[0]);
    ASSERT_GT(size, 0);
    const std::string_view line(text, static_cast<std::size_t>(size));
    EXPECT_EQ(line.substr(line.find('[')), "[m1] ERROR loud: seen\n");
}

TEST(Log, NeverWaitsForAReaderThatIsStopped) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    LogWriter log("m1", LogLevel::info, LogFormat::plain, ends[1]);
    const std::string text(1000, 'x');
    for (int i = 0; i < 200; ++i) log.info("flood", text);  // a pipe holds 64 kB
    std::string taken(1 << 20, ' ');
    ASSERT_GT(read(ends[0], taken.data(), taken.size()), 0);
    log.info("again", "after the flood");
    const auto size = read(ends[0], taken.data(), taken.size());
    close(ends[0]);
    close(ends[1]);
    ASSERT_GT(size, 0);
    taken.resize(static_cast<std::size_t>(size));
    EXPECT_NE(taken.find("lines-lost"), std::string::npos) << taken;
    EXPECT_NE(taken.find("again: after the flood"), std::string::npos) << taken;
}

TEST(Log, KnowsTheNamesOfLevels) {
    EXPECT_EQ(parse_log_level("WARN"), LogLevel::warning);
    EXPECT_EQ(parse_log_level("Critical"), LogLevel::error);
    EXPECT_FALSE(parse_log_level("verbose"));
}

}  // namespace
}  // namespace pgherd
