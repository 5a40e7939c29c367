// Files as clients change them, on a real file system.
#include "supervisor/file_operations.h"

#include <latch>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_testing.h"
#include "supervisor/file_pattern.h"

namespace pgherd::supervisor {
namespace {

namespace fs = std::filesystem;

std::string text(const FileStatus& status) {
    return status ? "ok" : fmt::format("{}|{}", status.error().kind_name(), status.error().message);
}
template <class T>
std::string text(const FileResult<T>& result) {
    return result ? "ok" : fmt::format("{}|{}", result.error().kind_name(), result.error().message);
}
unsigned mode(const std::string& path) {
    struct stat there{};
    return ::stat(path.c_str(), &there) == 0 ? there.st_mode & 07777U : 0;
}

TEST(FilePattern, MatchesAsGoDoes) {
    struct Case {
        const char *pattern, *name;
        bool matches;
    };
    const Case cases[] = {
        {"abc", "abc", true},
        {"*", "abc", true},
        {"*c", "abc", true},
        {"a*", "a", true},
        {"a*", "ab/c", false},
        {"a*b*c*d*e*", "axbxcxdxe", true},
        {"a*b?c*x", "abxbbxdbxebxczzx", true},
        {"a*b?c*x", "abxbbxdbxebxczzy", false},
        {"ab[c]", "abc", true},
        {"ab[b-d]", "abc", true},
        {"ab[e-g]", "abc", false},
        {"ab[^c]", "abc", false},
        {"ab[^e-g]", "abc", true},
        {"a\\*b", "a*b", true},
        {"a\\*b", "ab", false},
        {"a?b", "a/b", false},
        {"[\\]a]", "]", true},
        {"[\\-x]", "-", true},
        {"*.t?t", "one.txt", true},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"[", "a", false},
        {"[]a]", "]", false},
        {"[-]", "-", false},
        {"a[", "ab", false},
    };
    for (const Case& one : cases)
        EXPECT_EQ(matches_pattern(one.pattern, one.name), one.matches) << one.pattern << " " << one.name;
    for (const char* bad : {"[", "[]a]", "[-]", "[x-]", "[a-b-c]", "a[", "[^", "\\", "[a"})
        EXPECT_FALSE(valid_pattern(bad)) << bad;
    for (const char* good : {"", "*", "a?[b-d]\\[", "**"}) EXPECT_TRUE(valid_pattern(good)) << good;
}

TEST(FileOperations, ListADirectoryInOrderAndSayWhatEachIs) {
    TempDir dir;
    write_file(dir.file("b.txt"), "four");
    ::chmod(dir.file("b.txt").c_str(), 0640);
    fs::create_directory(dir.file("a"));
    fs::create_symlink("b.txt", dir.file("c"));
    ::mkfifo(dir.file("d").c_str(), 0600);
    const auto all = list_files(dir.path() + "/", "", false);
    ASSERT_TRUE(all) << all.error().message;
    std::string described;
    for (const FileInfo& info : *all) described += fmt::format("{} {};", info.name, info.type);
    EXPECT_EQ(described, "a directory;b.txt file;c symlink;d named-pipe;");
    EXPECT_EQ((*all)[1].path, dir.file("b.txt"));
    EXPECT_EQ((*all)[1].size, 4u);
    EXPECT_EQ((*all)[1].permissions, 0640u);
    EXPECT_EQ((*all)[1].user_id, ::getuid());
    EXPECT_FALSE((*all)[0].size);
    EXPECT_EQ(list_files(dir.path(), "*.txt", false)->size(), 1u);
    EXPECT_EQ(list_files(dir.path(), "", true)->front().type, "directory");
    EXPECT_EQ(list_files(dir.file("c"), "", false)->front().type, "file") << "the path itself is followed";
    EXPECT_EQ(list_files("/", "", true)->front().name, "/");
    EXPECT_EQ(text(list_files(dir.file("no"), "", false)),
              fmt::format("not-found|stat {}: no such file or directory", dir.file("no")));
    EXPECT_EQ(text(list_files("x", "", false)), "generic-file-error|paths must be absolute, got \"x\"");
}

TEST(FileOperations, MakeDirectoriesWithTheModeAskedForWhateverTheUmask) {
    TempDir dir;
    const mode_t before = ::umask(077);
    EXPECT_EQ(text(make_directory({.path = dir.file("a/b/c"), .make_parents = true, .permissions = "775"})),
              "ok");
    ::umask(before);
    for (const char* path : {"a", "a/b", "a/b/c"}) EXPECT_EQ(mode(dir.file(path)), 0775u);
    EXPECT_EQ(text(make_directory({.path = dir.file("a/b"), .make_parents = true})), "ok");
    EXPECT_EQ(text(make_directory({.path = dir.file("a/b/")})),
              fmt::format("generic-file-error|mkdir {}: file exists", dir.file("a/b")));
    EXPECT_EQ(text(make_directory({.path = dir.file("x/y")})),
              fmt::format("not-found|mkdir {}: no such file or directory", dir.file("x/y")));
    EXPECT_EQ(text(make_directory({.path = dir.file("z"), .permissions = "0755"})),
              "generic-file-error|permissions must be a 3-digit octal string, got \"0755\"");
    EXPECT_EQ(text(make_directory({.path = dir.file("z"), .owner = {.user = "no-such-user"}})),
              "generic-file-error|user: unknown user no-such-user");
    write_file(dir.file("file"), "");
    EXPECT_TRUE(text(make_directory({.path = dir.file("file/z"), .make_parents = true}))
                    .ends_with(": not a directory"));
    EXPECT_EQ(fs::exists(dir.file("z")), false);
}

TEST(FileOperations, MakeTheSameDirectoriesForSeveralClientsAtOnce) {
    for (int again = 0; again < 50; ++again) {
        TempDir dir;
        std::latch begin(4);
        std::vector<std::string> results(4);
        {
            std::vector<std::jthread> clients;
            for (std::size_t i = 0; i < results.size(); ++i)
                clients.emplace_back([&, i] {
                    begin.arrive_and_wait();
                    const std::string path = dir.file("a/b/c");
                    const FileStatus made = make_directory({.path = path, .make_parents = true});
                    if (made) write_file(fmt::format("{}/{}", path, i), "x");
                    results[i] = text(made);
                });
        }
        EXPECT_EQ(results, std::vector<std::string>(4, "ok"));
        EXPECT_EQ(std::distance(fs::directory_iterator(dir.file("a/b/c")), {}), 4);
        EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1) << "nothing is left beside it";
    }
}

TEST(FileOperations, RemoveTreesWithoutFollowingSymlinks) {
    TempDir dir;
    fs::create_directories(dir.file("keep"));
    write_file(dir.file("keep/file"), "x");
    fs::create_directories(dir.file("tree/sub/deep"));
    write_file(dir.file("tree/sub/file"), "x");
    fs::create_symlink(dir.file("keep"), dir.file("tree/link"));
    EXPECT_EQ(text(remove_path(dir.file("tree"), false)),
              fmt::format("generic-file-error|remove {}: directory not empty", dir.file("tree")));
    EXPECT_EQ(text(remove_path(dir.file("tree"), true)), "ok");
    EXPECT_EQ(text(remove_path(dir.file("tree"), true)), "ok");
    EXPECT_EQ(text(remove_path(dir.file("tree"), false)),
              fmt::format("not-found|remove {}: no such file or directory", dir.file("tree")));
    EXPECT_TRUE(fs::exists(dir.file("keep/file")));
    EXPECT_EQ(text(remove_path(dir.file("keep/file"), false)), "ok");
    EXPECT_EQ(text(remove_path(dir.file("keep"), false)), "ok");
}

TEST(FileOperations, ReplaceAFileAtOnceOrNotAtAll) {
    TempDir dir;
    const std::string path = dir.file("file");
    write_file(dir.file("target"), "old");
    fs::create_symlink("target", path);
    {
        auto file = FileReplacement::open({.path = path});
        ASSERT_TRUE(file) << file.error().message;
        EXPECT_EQ(text(file->write("half")), "ok");
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 2) << "what was not committed is gone";
    auto file = FileReplacement::open({.path = path, .permissions = "600"});
    EXPECT_EQ(text(file->write("ne")), "ok");
    EXPECT_EQ(content_of(path), "old");
    EXPECT_EQ(text(file->write("w")), "ok");
    EXPECT_EQ(text(file->commit()), "ok");
    EXPECT_EQ(content_of(path), "new");
    EXPECT_EQ(content_of(dir.file("target")), "old") << "the symlink was replaced";
    EXPECT_EQ(mode(path), 0600u);
    EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 2);
    const std::string missing = text(FileReplacement::open({.path = dir.file("no/file")}));
    EXPECT_TRUE(missing.starts_with("not-found|open " + dir.file("no/file.")) &&
                missing.ends_with("~: no such file or directory"))
        << missing;
    EXPECT_EQ(text(FileReplacement::open({.path = dir.file("no/such/file"), .make_dirs = true})), "ok");
    EXPECT_EQ(mode(dir.file("no/such")), 0755u);
}

TEST(FileOperations, OpenFilesAndNothingElse) {
    TempDir dir;
    EXPECT_EQ(text(open_for_reading(dir.path())),
              fmt::format("generic-file-error|can only read a regular file: \"{}\"", dir.path()));
    EXPECT_EQ(text(open_for_reading(dir.file("no"))),
              fmt::format("not-found|open {}: no such file or directory", dir.file("no")));
    ::mkfifo(dir.file("pipe").c_str(), 0600);
    EXPECT_EQ(text(open_for_reading(dir.file("pipe"))), "ok") << "and does not wait for its writer";
}

}  // namespace
}  // namespace pgherd::supervisor
