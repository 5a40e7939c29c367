// Log files that are rotated by size, and what a full disk costs them.
#include "supervisor/log_files.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/testing/small_disk.h"
#include "io_testing.h"

namespace pgherd::supervisor {
namespace {

namespace fs = std::filesystem;

// "line 0007\n": ten bytes each.
std::string lines(int first, int count) {
    std::string text;
    for (int i = first; i < first + count; ++i) text += fmt::format("line {:04}\n", i);
    return text;
}

class LogFilesTest : public ::testing::Test {
  protected:
    LogFiles::Outcome write(const std::string& text, std::uint64_t lost = 0) {
        return files_.write("a", {text, lost}, WallTime(std::chrono::seconds(0)));
    }
    static std::string note(int lost, std::string_view why) {
        return fmt::format("1970-01-01T00:00:00.000Z [a] (... {} lines lost: {} ...)\n", lost, why);
    }
    TempDir dir_;
    LogFiles files_{{dir_.path(), 2000, 1}};
    std::string path_ = dir_.file("a.log");
};

TEST_F(LogFilesTest, RotateBetweenLines) {
    EXPECT_EQ(write(lines(0, 250)).lost, 0u);
    EXPECT_EQ(content_of(path_ + ".1"), lines(0, 200));
    EXPECT_EQ(content_of(path_), lines(200, 50));
    EXPECT_EQ(write(std::string(3000, 'x') + "\n").lost, 0u);
    EXPECT_EQ(content_of(path_).size(), 3001u) << "a line that is longer than a file";
}

TEST_F(LogFilesTest, KeepWholeLinesWhenTheDiskIsFullAndCountTheOthers) {
    {
        SmallDisk small(95);
        const auto outcome = write(lines(0, 20));
        EXPECT_EQ(outcome.lost, 11u);
        EXPECT_TRUE(outcome.failing);
        EXPECT_EQ(outcome.news,
                  fmt::format("cannot write log file {}: File too large; lines are lost", path_));
        EXPECT_EQ(content_of(path_), lines(0, 9));
        const auto again = write(lines(20, 5));
        EXPECT_EQ(again.lost, 5u);
        EXPECT_EQ(again.news, "") << "once is enough";
        EXPECT_EQ(content_of(path_), lines(0, 9));
    }
    const auto outcome = write(lines(30, 1));
    EXPECT_EQ(outcome.lost, 0u);
    EXPECT_FALSE(outcome.failing);
    EXPECT_EQ(outcome.news, fmt::format("log file {} can be written again", path_));
    EXPECT_EQ(content_of(path_), lines(0, 9) + note(16, "File too large") + lines(30, 1));
    EXPECT_EQ(write(lines(31, 1)).news, "");
    EXPECT_TRUE(content_of(path_).ends_with(lines(30, 2))) << "told once";
}

TEST_F(LogFilesTest, TellAtOnceWhatWasLostWhereThereIsRoomForThat) {
    write(lines(0, 1), 7);
    EXPECT_EQ(content_of(path_), lines(0, 1) + note(7, "the disk is too slow"));
}

TEST_F(LogFilesTest, LoseLinesRatherThanGrowWhenTheyCannotBeRotated) {
    fs::create_directories(path_ + ".1/in the way");
    const auto outcome = write(lines(0, 250));
    EXPECT_EQ(outcome.lost, 50u);
    EXPECT_NE(outcome.news.find("cannot rotate it"), std::string::npos) << outcome.news;
    EXPECT_EQ(content_of(path_), lines(0, 200));
    fs::remove_all(path_ + ".1");
    EXPECT_EQ(write(lines(250, 1)).lost, 0u);
    EXPECT_EQ(content_of(path_ + ".1"), lines(0, 200));
    EXPECT_TRUE(content_of(path_).ends_with(lines(250, 1)));
    EXPECT_NE(content_of(path_).find("50 lines lost"), std::string::npos);
}

TEST_F(LogFilesTest, CountEverythingWhileTheirDirectoryIsGone) {
    fs::remove_all(dir_.path());
    EXPECT_EQ(write(lines(0, 3)).lost, 3u);
    fs::create_directory(dir_.path());
    EXPECT_EQ(write(lines(3, 1)).lost, 0u);
    EXPECT_EQ(content_of(path_), note(3, "No such file or directory") + lines(3, 1));
}

}  // namespace
}  // namespace pgherd::supervisor
