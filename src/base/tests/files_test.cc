// Whole files: what is read, what is left when writing fails, and who may read it meanwhile.
#include "base/files.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing/small_disk.h"
#include "base/testing/temp_dir.h"

namespace pgherd {
namespace {

namespace fs = std::filesystem;

struct stat status_of(const std::string& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status;
}

std::size_t files_in(const std::string& directory) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), {}));
}

TEST(Files, AreReadInWhole) {
    TempDir dir;
    const std::string long_text = std::string(100'000, 'x') + '\0' + "\r\nend";
    for (const std::string& text : {std::string(), std::string("one line\n"), long_text}) {
        ASSERT_TRUE(write_file_atomically(dir.file("a"), text));
        EXPECT_EQ(read_file(dir.file("a")).value(), text);
    }
    EXPECT_EQ(read_file("/proc/self/comm").value().back(), '\n');  // whose size is said to be 0
}

TEST(Files, ThatCannotBeReadSayWhichAndWhy) {
    TempDir dir;
    const auto missing = read_file(dir.file("a"), "password file");
    EXPECT_EQ(missing.error().code, ErrorCode::not_found);
    EXPECT_EQ(missing.error().message,
              "cannot read password file " + dir.file("a") + ": No such file or directory");
    const auto directory = read_file(dir.path());
    EXPECT_EQ(directory.error().code, ErrorCode::invalid);
    EXPECT_EQ(directory.error().message, "cannot read " + dir.path() + ": Is a directory");
}

TEST(Files, AreReadUpToALimit) {
    TempDir dir;
    ASSERT_TRUE(write_file_atomically(dir.file("a"), "12345"));
    EXPECT_EQ(read_file(dir.file("a"), {}, 5).value(), "12345");
    const auto large = read_file(dir.file("a"), {}, 4);
    EXPECT_EQ(large.error().code, ErrorCode::invalid);
    EXPECT_EQ(large.error().message, "cannot read " + dir.file("a") + ": it has more than 4 bytes");
}

TEST(Files, AreReplacedWithTheirModeAndLeaveNothingBeside) {
    TempDir dir;
    const mode_t before = ::umask(077);
    ASSERT_TRUE(write_file_atomically(dir.file("secret"), "old"));
    const auto inode = status_of(dir.file("secret")).st_ino;
    ASSERT_TRUE(write_file_atomically(dir.file("secret"), "new"));
    ASSERT_TRUE(write_file_atomically(dir.file("open"), "text", 0644));
    ::umask(before);
    EXPECT_EQ(read_file(dir.file("secret")).value(), "new");
    EXPECT_NE(status_of(dir.file("secret")).st_ino, inode);
    EXPECT_EQ(status_of(dir.file("secret")).st_mode & 07777, 0600u);
    EXPECT_EQ(status_of(dir.file("open")).st_mode & 07777, 0644u);
    EXPECT_EQ(files_in(dir.path()), 2u);
}

TEST(Files, AreGivenToTheirOwner) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
    TempDir dir;
    ASSERT_TRUE(write_file_atomically(dir.file("a"), "x", 0640, Ownership{.user = 4711, .group = 4712}));
    EXPECT_EQ(status_of(dir.file("a")).st_uid, 4711u);
    EXPECT_EQ(status_of(dir.file("a")).st_gid, 4712u);
    EXPECT_EQ(status_of(dir.file("a")).st_mode & 07777, 0640u);
}

TEST(Files, AreNotWrittenIntoWhatACrashOrAStrangerHasLeftBeside) {
    TempDir dir;
    const std::string leftover = dir.file("a") + std::string(kUnfinished);
    std::ofstream(dir.file("elsewhere")) << "mine";
    fs::create_symlink(dir.file("elsewhere"), leftover);
    ASSERT_TRUE(write_file_atomically(dir.file("a"), "secret"));
    EXPECT_EQ(read_file(dir.file("elsewhere")).value(), "mine");
    EXPECT_FALSE(fs::is_symlink(dir.file("a")));

    std::ofstream(leftover) << "half of it, and far too long";
    fs::permissions(leftover, fs::perms::all);
    ASSERT_TRUE(write_file_atomically(dir.file("a"), "whole"));
    EXPECT_EQ(read_file(dir.file("a")).value(), "whole");
    EXPECT_EQ(status_of(dir.file("a")).st_mode & 07777, 0600u);
}

TEST(Files, StayAsTheyWereWhenTheDiskIsFull) {
    TempDir dir;
    ASSERT_TRUE(write_file_atomically(dir.file("a"), "old"));
    Status written;
    {
        SmallDisk small(1000);
        written = write_file_atomically(dir.file("a"), std::string(5000, 'x'));
    }
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().message, "cannot write " + dir.file("a") + ": File too large");
    EXPECT_EQ(read_file(dir.file("a")).value(), "old");
    EXPECT_EQ(files_in(dir.path()), 1u);
}

TEST(Files, ThatCannotBeReplacedLeaveNothingBeside) {
    TempDir dir;
    fs::create_directories(dir.file("a/full"));
    const auto written = write_file_atomically(dir.file("a"), "x");
    ASSERT_FALSE(written);
    EXPECT_TRUE(written.error().message.starts_with("cannot write " + dir.file("a") + ": "))
        << written.error().message;
    EXPECT_EQ(files_in(dir.path()), 1u);
    const auto nowhere = write_file_atomically(dir.file("b/c"), "x");
    EXPECT_EQ(nowhere.error().code, ErrorCode::not_found);
}

TEST(Files, HaveADirectoryToSyncWhereTheirPathNamesNone) {
    EXPECT_TRUE(sync_parent("relative"));
    EXPECT_TRUE(sync_parent("/tmp"));
    EXPECT_EQ(sync_parent("/nonexistent/a").error().message,
              "cannot open /nonexistent: No such file or directory");
}

}  // namespace
}  // namespace pgherd
