// The file behind the store: what may stand in its place, who may hold it, and what a bad disk makes of a
// write.
#include <fstream>
#include <iterator>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faulty_disk.h"
#include "store_sqlite_testing.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;

class SqliteFile : public ::testing::Test {
  protected:
    Error open_error() {
        EventLoop loop;
        const auto store = open_sqlite_store(loop, path_);
        EXPECT_FALSE(store);
        if (store) return {};
        EXPECT_TRUE(store.error().message.starts_with("cannot open SQLite file " + path_ + ": "))
            << store.error().message;
        return store.error();
    }
    void write_file(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
    std::string read_file() {
        std::ifstream file(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    FaultyDisk disk_;
    TemporaryDirectory directory_;
    std::string path_ = directory_.file("store.db");
};

TEST_F(SqliteFile, IsForItsUserAlone) {
    const mode_t before = umask(0);
    Client client(path_);
    EXPECT_TRUE(client.put("config", "x"));
    umask(before);
    for (const char* suffix : {"", "-wal", "-shm", "-lock"}) {
        struct stat file{};
        ASSERT_EQ(stat((path_ + suffix).c_str(), &file), 0) << suffix;
        EXPECT_EQ(file.st_mode & 0777U, 0600U) << suffix;
    }
}

TEST_F(SqliteFile, KeepsEverythingWhenItIsOpenedAgain) {
    Result<SnapshotPtr> before;
    {
        Client client(path_);
        ASSERT_TRUE(client.put("config", "x"));
        before = client.load();
    }
    Client client(path_);
    const auto after = client.load();
    ASSERT_TRUE(before && after);
    EXPECT_EQ((*after)->revision, (*before)->revision);
    EXPECT_EQ((*after)->records, (*before)->records);
}

TEST_F(SqliteFile, NeedsItsDirectory) {
    path_ = directory_.file("missing/store.db");
    EXPECT_EQ(open_error().code, ErrorCode::invalid);
}

TEST_F(SqliteFile, ADirectoryInItsPlaceIsRefused) {
    std::filesystem::create_directory(path_);
    EXPECT_EQ(open_error().code, ErrorCode::unavailable);
}

TEST_F(SqliteFile, AFileThatIsNoDatabaseIsRefusedAndLeftAlone) {
    const std::string text(5000, 'x');
    write_file(text);
    EXPECT_EQ(open_error().code, ErrorCode::invalid);
    EXPECT_EQ(read_file(), text);
}

TEST_F(SqliteFile, TheDatabaseOfAnotherProgramIsRefusedAndLeftAlone) {
    RawFile(path_).run("CREATE TABLE meta (revision)");
    const std::string before = read_file();
    EXPECT_EQ(open_error().code, ErrorCode::invalid);
    EXPECT_EQ(read_file(), before);
}

TEST_F(SqliteFile, TheFormatOfALaterVersionIsRefused) {
    Client{path_};
    RawFile(path_).run("PRAGMA user_version = 2");
    EXPECT_EQ(open_error().code, ErrorCode::invalid);
}

TEST_F(SqliteFile, AFileOfAnotherUserIsDenied) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    Client{path_};
    std::filesystem::permissions(std::filesystem::path(path_).parent_path(), std::filesystem::perms::all);
    const pid_t child = fork();
    if (child == 0) {
        if (setuid(65534) != 0) _exit(2);
        EventLoop loop;
        const auto store = open_sqlite_store(loop, path_);
        _exit(!store && store.error().code == ErrorCode::denied ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST_F(SqliteFile, ARebootEndsAllLeases) {
    Revision before;
    LeaseId lease;
    {
        Client client(path_);
        const auto granted = client.wait<LeaseId>(
            5s, [&](Instant d, auto done) { client.store->grant(1h, d, std::move(done)); });
        ASSERT_TRUE(granted);
        lease = *granted;
        ASSERT_TRUE(client.put("config", "x"));
        const auto written = client.swap({"leader", Always{}, "m1", lease});
        ASSERT_TRUE(written);
        before = *written;
    }
    RawFile(path_).run("UPDATE meta SET boot_id = 'another boot'");
    Client client(path_);
    const auto after = client.load();
    ASSERT_TRUE(after);
    EXPECT_GT((*after)->revision, before);
    EXPECT_TRUE((*after)->records.contains("config"));
    EXPECT_FALSE((*after)->records.contains("leader"));
    const auto kept = client.wait<Duration>(
        5s, [&](Instant d, auto done) { client.store->keep(lease, d, std::move(done)); });
    EXPECT_TRUE(!kept && kept.error().code == ErrorCode::not_found);
}

TEST_F(SqliteFile, AWriteWaitsForALockUntilItsDeadlineAndThenNeverHappens) {
    Client client(path_);
    ASSERT_TRUE(client.put("leader", "m1"));
    RawFile other(path_);
    other.run("BEGIN IMMEDIATE");
    const auto refused = client.put("leader", "m2", 200ms);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::timeout);
    EXPECT_FALSE(refused.error().maybe_done());
    EXPECT_EQ(client.value("leader"), "m1");  // readers do not wait
    other.run("ROLLBACK");
    const auto later = client.put("config", "x");
    EXPECT_TRUE(later);
    EXPECT_EQ(client.value("leader"), "m1");
}

TEST_F(SqliteFile, DoesNotWaitForALockOnceItIsDestroyed) {
    auto client = std::make_unique<Client>(path_);
    RawFile other(path_);
    other.run("BEGIN IMMEDIATE");
    const Instant start = boottime_now();
    client->store->swap({"leader", Always{}, "m1", {}}, start + 1h, [](auto) { FAIL(); });
    client.reset();
    EXPECT_LT(boottime_now() - start, 10s);
}

TEST_F(SqliteFile, AFullDiskIsAnErrorThatLeavesNothingBehind) {
    Client client(path_);
    ASSERT_TRUE(client.put("leader", "m1"));
    disk_.full(true);
    const auto refused = client.put("leader", "m2");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    EXPECT_FALSE(refused.error().maybe_done());
    EXPECT_NE(refused.error().message.find("the disk is full"), std::string::npos) << refused.error().message;
    EXPECT_EQ(client.value("leader"), "m1");
    disk_.full(false);
    EXPECT_TRUE(client.put("leader", "m3"));
    EXPECT_EQ(client.value("leader"), "m3");
}

TEST_F(SqliteFile, AWriteThatTheDiskDidNotConfirmIsMaybeDone) {
    Client client(path_);
    ASSERT_TRUE(client.put("leader", "m1"));
    disk_.sync_fails(true);
    const auto unsure = client.put("leader", "m2");
    ASSERT_FALSE(unsure);
    EXPECT_EQ(unsure.error().code, ErrorCode::unavailable);
    EXPECT_TRUE(unsure.error().maybe_done());
    disk_.sync_fails(false);
    EXPECT_TRUE(client.put("leader", "m3"));
    EXPECT_EQ(client.value("leader"), "m3");
}

TEST_F(SqliteFile, AWriteStillUnderWayAtItsDeadlineIsMaybeDoneAndMayHappenLater) {
    Client client(path_);
    ASSERT_TRUE(client.put("leader", "m1"));
    disk_.sync_takes(500ms);
    const Instant start = boottime_now();
    const auto unsure = client.put("leader", "m2", 200ms);
    EXPECT_LT(boottime_now() - start, 450ms);
    ASSERT_FALSE(unsure);
    EXPECT_EQ(unsure.error().code, ErrorCode::timeout);
    EXPECT_TRUE(unsure.error().maybe_done());
    disk_.sync_takes(0ms);
    EXPECT_EQ(client.value("leader"), "m2");
}

TEST_F(SqliteFile, TooManyCallsAtOnceAreRefusedNotQueuedForEver) {
    Client client(path_);
    int done = 0;
    int refused = 0;
    for (int i = 0; i < 1000; ++i)
        client.store->swap({"leader", Always{}, "m1", {}}, boottime_now() + 20s,
                           [&](Result<Revision> result) {
                               if (!result)
                                   EXPECT_TRUE(result.error().code == ErrorCode::unavailable &&
                                               !result.error().maybe_done());
                               ++(result ? done : refused);
                           });
    ASSERT_TRUE(client.loop.run_until([&] { return done + refused == 1000; }, 20s));
    EXPECT_GE(done, 256);
    EXPECT_GT(refused, 0);
}

TEST_F(SqliteFile, AFileThatIsRemovedOrReplacedIsServedNoMore) {
    Client client(path_);
    ASSERT_TRUE(client.put("leader", "m1"));
    int failures = 0;
    const auto watch = client.store->watch([&](Result<SnapshotPtr> result) { failures += result ? 0 : 1; });
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
    EXPECT_TRUE(client.loop.run_until([&] { return failures == 1; }, 900ms));
    Client new_one(path_);
    EXPECT_EQ(new_one.value("leader"), "(none)");
    const auto refused = client.put("leader", "m2");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    EXPECT_FALSE(client.load());
    EXPECT_EQ(new_one.value("leader"), "(none)");
}

TEST_F(SqliteFile, AChangeThatNobodyAnnouncedIsSeenWithinSeconds) {
    Client client(path_);
    SnapshotPtr seen;
    const auto watch =
        client.store->watch([&](Result<SnapshotPtr> result) { seen = result.value_or(nullptr); });
    ASSERT_TRUE(client.loop.run_until([&] { return seen != nullptr; }, 5s));
    RawFile(path_).run(
        "BEGIN; UPDATE meta SET revision = revision + 1;"
        "INSERT INTO record VALUES ('leader', 'm1', (SELECT revision FROM meta), (SELECT revision FROM "
        "meta), 0); COMMIT");
    EXPECT_TRUE(client.loop.run_until([&] { return seen->records.contains("leader"); }, 3s));
}

TEST_F(SqliteFile, ItsLogStaysSmall) {
    Client client(path_);
    Client other(path_);
    for (int i = 0; i < 600; ++i)
        ASSERT_TRUE((i % 2 == 0 ? client : other).put("status", std::string(5000, 'x')));
    EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), 4U << 20U);
    EXPECT_LT(std::filesystem::file_size(path_), 1U << 20U);
}

}  // namespace
}  // namespace pgherd
