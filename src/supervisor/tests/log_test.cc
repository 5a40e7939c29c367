// Lines from a process to those who read them: cut, kept, merged, followed, lost and told so.
#include <csignal>
#include <future>
#include <random>
#include <thread>

#include <boost/json.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/testing/small_disk.h"
#include "io_testing.h"
#include "supervisor/log_format.h"
#include "supervisor/log_hub.h"
#include "supervisor/log_lines.h"
#include "supervisor/log_sink.h"

namespace pgherd::supervisor {
namespace {

std::vector<std::string> all_lines(const LogRing& ring) {
    std::vector<std::string> lines;
    std::string scratch;
    for (LogRing::Cursor at = ring.oldest(); at.number < ring.newest().number; ring.advance(at))
        lines.emplace_back(ring.read(at, scratch).text);
    return lines;
}

TEST(LogRing, KeepsTheLastLinesThatFit) {
    LogRing ring(100'000);
    std::vector<std::string> written;
    std::mt19937 random(3);
    std::size_t used = 0;
    for (std::uint64_t i = 0; i < 50'000; ++i) {
        written.push_back(std::string(random() % 200, static_cast<char>('a' + i % 26)));
        ring.append({WallTime(std::chrono::microseconds(i)), i, written.back()});
    }
    const std::vector<std::string> kept = all_lines(ring);
    ASSERT_EQ(kept.size(), ring.size());
    EXPECT_TRUE(std::equal(kept.rbegin(), kept.rend(), written.rbegin()));
    for (const std::string& line : kept) used += line.size() + 20;
    EXPECT_LE(used, 100'000u);
    EXPECT_GT(used, 99'000u);
    std::string scratch;
    const LogLine last = ring.read(ring.last(1), scratch);
    EXPECT_EQ(last.sequence, 49'999u);
    EXPECT_EQ(last.time, WallTime(std::chrono::microseconds(49'999)));
}

TEST(LogRing, KeepsEveryLineUntilItIsFull) {
    LogRing ring(1 << 20);
    std::vector<std::string> written;
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        written.push_back(fmt::format("line {}", i));
        ring.append({{}, i, written.back()});
        if (i % 997 == 0) ASSERT_EQ(all_lines(ring), written);
    }
    EXPECT_EQ(all_lines(ring), written);
}

TEST(LogRing, TellsHowManyLinesAReaderMissed) {
    LogRing ring(4096);
    LogRing::Cursor cursor = ring.newest();
    for (std::uint64_t i = 0; i < 1000; ++i) ring.append({{}, i, "0123456789"});
    const std::uint64_t kept = ring.size();
    EXPECT_EQ(ring.catch_up(cursor), 1000 - kept);
    EXPECT_EQ(ring.catch_up(cursor), 0u);
    EXPECT_EQ(ring.sequence_at(cursor), 1000 - kept);
}

std::vector<std::string> cut(std::string_view text, std::size_t piece) {
    LineSplitter splitter;
    std::vector<std::string> lines;
    const auto take = [&](std::string_view line) { lines.emplace_back(line); };
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
        splitter.feed(text.substr(0, piece), take);
    splitter.finish(take);
    return lines;
}

TEST(LogLines, AreTheSameHoweverTheWritesWereCut) {
    const std::string text = "one\n\ntwo\r\n" + std::string(3 * kMaxLogLine, 'x') + "y\nlast";
    const std::vector<std::string> expected = {"one",
                                               "",
                                               "two\r",
                                               std::string(kMaxLogLine, 'x'),
                                               std::string(kMaxLogLine, 'x'),
                                               std::string(kMaxLogLine, 'x'),
                                               "y",
                                               "last"};
    for (const std::size_t piece : {1u, 2u, 3u, 7u, 4095u, 4096u, 4097u, 100'000u})
        EXPECT_EQ(cut(text, piece), expected) << piece;
}

TEST(LogLines, AreCutBetweenCharacters) {
    std::string text = "x";
    for (int i = 0; i < 3000; ++i) text += "\xc3\xbc";
    const auto lines = cut(text, 100'000);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].size(), kMaxLogLine - 1);
    EXPECT_EQ(lines[0] + lines[1], text);
    EXPECT_EQ(cut(std::string(5000, '\x80'), 100'000)[0].size(), kMaxLogLine) << "no UTF-8 at all";
}

std::string as_json(std::string_view service, std::string_view text) {
    LogFormatter formatter;
    std::string target;
    formatter.append_json(target, service,
                          {WallTime(std::chrono::microseconds(1'795'246'000'228'999)), 0, text});
    return target;
}

TEST(LogFormat, WritesJsonOfAnyBytes) {
    EXPECT_EQ(as_json("my service",
                      "a <b> \"c\" \\ \t\x01\x7f \xc3\xbc \xff\xe2\x82 \xed\xa0\x80 \xf0\x9f\x98\x80"),
              "{\"time\":\"2026-11-21T07:26:40.228Z\",\"service\":\"my service\",\"message\":\"a <b> "
              "\\\"c\\\" \\\\ \\t\\u0001\x7f "
              "\xc3\xbc \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
              "\xf0\x9f\x98\x80\"}\n");
    EXPECT_EQ(as_json("a", ""),
              "{\"time\":\"2026-11-21T07:26:40.228Z\",\"service\":\"a\",\"message\":\"\"}\n");
}

TEST(LogFormat, KeepsEveryLineOfJsonBelowFiveKilobytes) {
    const std::string zeros(4096, '\0');
    std::string joined;
    std::istringstream lines(as_json("a", zeros));
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LT(line.size(), 5000u);
        joined += boost::json::parse(line).at("message").as_string();
    }
    EXPECT_EQ(joined, zeros);
}

TEST(LogFormat, WritesText) {
    LogFormatter formatter;
    std::string target;
    formatter.append_text(target, "a",
                          {WallTime(std::chrono::microseconds(1'795'246'000'007'000)), 0, "hello"});
    EXPECT_EQ(target, "2026-11-21T07:26:40.007Z [a] hello\n");
}

struct KeptLog final : Log {
    void write(const LogEvent& event) override { texts.push_back(event.text); }
    std::vector<std::string> texts;
};

class LogHubTest : public LoopTest {
  protected:
    LogHubTest() { std::signal(SIGPIPE, SIG_IGN); }
    static void put(int descriptor, std::string_view text) {
        ASSERT_EQ(::write(descriptor, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    std::vector<std::string> read(LogReader& reader) {
        std::vector<std::string> lines;
        reader.read(1 << 20, [&](std::string_view service, const LogLine& line) {
            lines.push_back(fmt::format("{}:{}", service, line.text));
        });
        return lines;
    }
    using Lines = std::vector<std::string>;
    KeptLog log_;
    LogHub hub_{loop_};
};

TEST_F(LogHubTest, TakesWhatAProcessWritesAlsoItsLastWords) {
    const auto end = hub_.open_writer("my service", kLimit);
    ASSERT_TRUE(end);
    LogReader reader(hub_, {});
    put(*end, "one\ntwo\nlast");
    ::close(*end);
    EXPECT_TRUE(wait_for([&] { return hub_.last_lines("my service", 9) == "one\ntwo\nlast\n"; }));
    EXPECT_EQ(read(reader), (Lines{"my service:one", "my service:two", "my service:last"}));
    EXPECT_EQ(hub_.last_lines("my service", 2), "(...)\ntwo\nlast\n");
    EXPECT_EQ(hub_.last_lines("unknown", 2), "");
}

TEST_F(LogHubTest, StopsReadingWhenChildrenHoldThePipeForTooLong) {
    const auto end = hub_.open_writer("a", std::chrono::milliseconds(50));
    put(*end, "said");
    EXPECT_FALSE(
        wait_for([&] { return hub_.last_lines("a", 1) == "said\n"; }, std::chrono::milliseconds(100)));
    hub_.process_ended("a");
    EXPECT_TRUE(wait_for([&] { return hub_.last_lines("a", 1) == "said\n"; }));
    EXPECT_EQ(::write(*end, "x", 1), -1) << "nobody reads";
    ::close(*end);
}

TEST_F(LogHubTest, MergesServicesInTheOrderOfArrival) {
    for (int i = 0; i < 100; ++i) hub_.append(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", std::to_string(i));
    LogReader last(hub_, {.last = 5, .follow = false});
    EXPECT_EQ(read(last), (Lines{"c:95", "a:96", "b:97", "c:98", "a:99"}));
    LogReader some(hub_, {.services = {"a", "c", "unknown"}, .last = 3, .follow = false});
    EXPECT_EQ(read(some), (Lines{"a:96", "c:98", "a:99"}));
    LogReader all(hub_, {.last = -1, .follow = false});
    EXPECT_EQ(read(all).size(), 100u);
    LogReader none(hub_, {.last = 0, .follow = false});
    EXPECT_FALSE(none.behind());
}

TEST_F(LogHubTest, EndsAReadThatDoesNotFollowThoughTheServiceWritesOn) {
    hub_.append("a", "before");
    LogReader reader(hub_, {.last = -1, .follow = false});
    hub_.append("a", "after");
    hub_.append("b", "after");
    EXPECT_EQ(read(reader), Lines{"a:before"});
    EXPECT_FALSE(reader.behind());
}

TEST_F(LogHubTest, FollowsServicesThatStartLater) {
    LogReader reader(hub_, {});
    LogReader selective(hub_, {.services = {"late"}});
    int told = 0;
    reader.when_readable([&] { ++told; });
    hub_.append("late", "first words");
    hub_.append("late", "more");
    EXPECT_TRUE(wait_for([&] { return told == 1; }));
    EXPECT_EQ(read(reader), (Lines{"late:first words", "late:more"}));
    EXPECT_EQ(read(selective), (Lines{"late:first words", "late:more"}));
    reader.when_readable([&] { ++told; });
    loop_.run_until([] { return false; }, std::chrono::milliseconds(20));
    EXPECT_EQ(told, 1) << "nothing new";
}

TEST_F(LogHubTest, TellsASlowReaderWhatItLost) {
    LogReader reader(hub_, {});
    std::uint64_t written = 0;
    for (; written < 10'000; ++written) hub_.append("a", fmt::format("{:040}", written));
    const Lines lines = read(reader);
    const std::size_t kept = lines.size() - 1;
    EXPECT_EQ(lines.front(), fmt::format("a:(... {} lines lost: read too slowly ...)", written - kept));
    EXPECT_EQ(lines[1], fmt::format("a:{:040}", written - kept));
    EXPECT_EQ(lines.back(), fmt::format("a:{:040}", written - 1));
}

TEST_F(LogHubTest, SharesTheLoopBetweenAHundredFollowersAWriterAndOthers) {
    const auto end = hub_.open_writer("loud", kLimit);
    std::vector<std::unique_ptr<LogReader>> readers;
    std::vector<std::size_t> counts(100);
    LogFormatter formatter;
    std::function<void(std::size_t)> follow = [&](std::size_t i) {
        readers[i]->when_readable([&, i] {
            std::string batch;
            counts[i] += readers[i]->read(32 * 1024, [&](std::string_view service, const LogLine& line) {
                formatter.append_json(batch, service, line);
            });
            follow(i);
        });
    };
    for (std::size_t i = 0; i < 100; ++i) {
        readers.push_back(std::make_unique<LogReader>(hub_, LogSelection{}));
        follow(i);
    }
    ::fcntl(*end, F_SETFL, O_NONBLOCK);
    std::string block;
    while (block.size() < 32 * 1024) block += fmt::format("{:079}\n", block.size());
    std::vector<Duration> waits;
    Instant asked = loop_.clock().now();
    std::function<void()> ask = [&] {
        waits.push_back(loop_.clock().now() - asked);
        asked = loop_.clock().now();
        loop_.post(ask);
    };
    loop_.post(ask);
    const Instant stop = loop_.clock().now() + std::chrono::seconds(1);
    loop_.run_until(
        [&] {
            (void)!::write(*end, block.data(), block.size());
            return loop_.clock().now() > stop;
        },
        kLimit);
    ::close(*end);
    std::ranges::sort(waits);
    ASSERT_GT(waits.size(), 100u);
    // Not the slowest of all: on a busy machine those are the kernel's.
    EXPECT_LT(waits[waits.size() * 9 / 10], std::chrono::milliseconds(10));
    const auto [least, most] = std::ranges::minmax(counts);
    EXPECT_GT(least, 0u);
    EXPECT_LT(most, 3 * least + 5000) << "all have their turns";
}

TEST_F(LogHubTest, RotatesFilesBySizeAndKeepsSome) {
    const TempDir dir;
    LogHub hub(loop_);
    hub.add_output(std::make_shared<RotatedLogFiles>(loop_, LogFileOptions{dir.path(), 1000, 2}, log_));
    for (int i = 0; i < 100; ++i) {
        hub.append("my/service", fmt::format("{:04}", i));
        hub.append("other", "x");
    }
    const std::string base = dir.file("my%2fservice.log");
    EXPECT_TRUE(wait_for([&] { return content_of(base).ends_with("0099\n"); }));
    EXPECT_LE(content_of(base).size(), 1000u);
    EXPECT_GT(content_of(base + ".1").size(), 900u);
    EXPECT_LE(content_of(base + ".2").size(), 1000u);
    EXPECT_FALSE(std::filesystem::exists(base + ".3"));
    const std::string text = content_of(base + ".2") + content_of(base + ".1") + content_of(base);
    const int first = std::stoi(text.substr(text.find("] ") + 2, 4));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 100 - first)
        << "no line is cut or lost between files";
}

TEST_F(LogHubTest, CountsTheLinesThatAFullDiskCosts) {
    const TempDir dir;
    const std::string path = dir.file("a.log");
    LogHub hub(loop_);
    hub.add_output(std::make_shared<RotatedLogFiles>(loop_, LogFileOptions{dir.path(), 100'000, 2}, log_));
    const auto lines = [&] {
        const std::string text = content_of(path);
        return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
    };
    {
        SmallDisk small(1000);
        for (int i = 0; i < 100; ++i) hub.append("a", fmt::format("{:04}", i));
        EXPECT_TRUE(wait_for([&] { return hub.lost_lines()["a"] + lines() == 100; }));
        EXPECT_GT(hub.lost_lines()["a"], 50u);
    }
    const std::uint64_t lost = hub.lost_lines()["a"];
    hub.append("a", "again");
    EXPECT_TRUE(wait_for([&] { return content_of(path).ends_with("[a] again\n"); }));
    EXPECT_NE(content_of(path).find(fmt::format("[a] (... {} lines lost: ", lost)), std::string::npos);
    EXPECT_TRUE(wait_for([&] { return log_.texts.size() == 2; })) << "that it fails, and that it does not";
    EXPECT_EQ(hub.lost_lines()["a"], lost);
}

TEST_F(LogHubTest, WritesTheLastLinesWhenItEnds) {
    for (int again = 0; again < 20; ++again) {
        const TempDir dir;
        int ends[2];
        ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        {
            LogHub hub(loop_);
            hub.add_output(
                std::make_shared<RotatedLogFiles>(loop_, LogFileOptions{dir.path(), 1000, 2}, log_));
            hub.add_output(std::make_shared<StandardOutputLog>(loop_, ends[1]));
            hub.append("a", "first");
            hub.append("a", "last");
        }
        ::close(ends[1]);
        std::string piped(4096, '\0');
        const ssize_t size = ::read(ends[0], piped.data(), piped.size());
        ::close(ends[0]);
        piped.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        EXPECT_EQ(piped, content_of(dir.file("a.log")));
        EXPECT_NE(piped.find("first\n"), std::string::npos);
        EXPECT_TRUE(piped.ends_with("last\n"));
    }
}

TEST_F(LogHubTest, EndsAlthoughNobodyReadsItsStandardOutput) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    // So that a failure is one, and no test that hangs.
    std::promise<void> ended;
    std::thread relief([&, over = ended.get_future()] {
        std::string buffer(65536, '\0');
        if (over.wait_for(std::chrono::seconds(5)) == std::future_status::ready) return;
        while (::read(ends[0], buffer.data(), buffer.size()) > 0) {
        }
    });
    const auto begin = std::chrono::steady_clock::now();
    {
        LogHub hub(loop_);
        hub.add_output(std::make_shared<StandardOutputLog>(loop_, ends[1]));
        for (int i = 0; i < 10'000; ++i) hub.append("a", fmt::format("{:0100}", i));
        int size = 0;
        EXPECT_TRUE(wait_for([&] { return ::ioctl(ends[0], FIONREAD, &size) == 0 && size > 60'000; }));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
    ended.set_value();
    ::close(ends[1]);
    relief.join();
    ::close(ends[0]);
}

TEST_F(LogHubTest, CopiesWholeLinesToADescriptorThatMayBlock) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    hub_.add_output(std::make_shared<StandardOutputLog>(loop_, ends[1]));
    for (int i = 0; i < 100'000; ++i) hub_.append("a", fmt::format("{:0100}", i));
    std::string got;
    EXPECT_TRUE(wait_for([&] {
        char buffer[65536];
        for (ssize_t size = 0; (size = ::read(ends[0], buffer, sizeof buffer)) > 0;)
            got.append(buffer, static_cast<std::size_t>(size));
        if (got.find("lines lost") == std::string::npos) hub_.append("a", "again");
        return got.find("lines lost") != std::string::npos && got.ends_with('\n');
    }));
    std::istringstream lines(got);
    for (std::string line; std::getline(lines, line);) ASSERT_EQ(line.substr(24, 5), " [a] ") << line;
    EXPECT_GT(hub_.lost_lines()["a"], 0u);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
}  // namespace pgherd::supervisor
