// The adapter against a real PostgreSQL, under a real guard. One file, because every test is about what one
// member or two go through.
#include <sstream>

#include <boost/asio/detached.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "postgres/binaries.h"
#include "postgres/connection.h"
#include "postgres/datadir.h"
#include "postgres/tests/member.h"
#include "postgres/tests/scarcity.h"

namespace pgherd::postgres {
namespace {

using guard::testing::eventually;
using testing::alive;
using testing::Directory;
using testing::Member;
using namespace std::chrono_literals;

#define ASSERT_DONE(...)                                             \
    do {                                                             \
        const auto outcome = (__VA_ARGS__);                          \
        ASSERT_TRUE(outcome.has_value()) << outcome.error().message; \
    } while (false)

std::string content(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// `words` as PostgreSQL's user.
std::vector<std::string> as_server_user(std::vector<std::string> words) {
    const auto identity = find_identity("");
    if (identity && identity->change)
        words.insert(words.begin(), {"/usr/bin/setpriv", "--reuid=" + identity->user, "--clear-groups"});
    return words;
}

class LocalPostgresTest : public ::testing::Test {
  protected:
    Directory root_;
    EventLoop loop_;
};

TEST_F(LocalPostgresTest, BootstrapsAPrimaryAndObservesIt) {
    Member one(loop_, root_.path(), "one");
    EXPECT_EQ(one.observe().data, DataDirectory::absent);
    ASSERT_DONE(one.bootstrap());
    const PostgresState state = one.observe();
    EXPECT_TRUE(state.primary());
    EXPECT_TRUE(state.ours);
    EXPECT_EQ(state.data, DataDirectory::valid);
    EXPECT_EQ(state.timeline.value, 1u);
    EXPECT_TRUE(state.position.valid());
    EXPECT_TRUE(state.system_id && state.system_id->value() != 0);
    EXPECT_GE(state.server_version, 140000);
    EXPECT_TRUE(state.postmaster_start_time);
    EXPECT_TRUE(state.pending_restart.empty()) << state.pending_restart.begin()->first;
    EXPECT_EQ(one.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'replicator' AND rolreplication OR "
                      "rolname = 'rewinder' AND NOT rolsuper"),
              "2");
    EXPECT_EQ(one.sql("SHOW data_checksums"), "on");
    EXPECT_FALSE(one.postgres().create(loop_, AgentConfig{.postgres = {.bin_dir = "/nonexistent"}},
                                       guard::Client(-1), *std::make_unique<LogWriter>("x")));

    // No password in an argument, a file or the log.
    for (const pid_t pid : {one.postmaster(), one.server_processes().front()})
        EXPECT_EQ(content("/proc/" + std::to_string(pid) + "/cmdline").find("s3cret"), std::string::npos);
    for (const char* file :
         {"postgresql.conf", "postgresql.base.conf", "postgresql.auto.conf", "pg_hba.conf"})
        EXPECT_EQ(content(one.data_dir() + "/" + file).find("s3cret"), std::string::npos) << file;
    EXPECT_EQ(content(root_.path() + "/postgresql-one.log").find("s3cret"), std::string::npos);
    struct stat info{};
    ASSERT_EQ(::stat((root_.path() + "/.pgpass_one").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);

    // A change that needs a restart shows, and the restart takes it over.
    one.instance().dynamic.parameters = {
        {"max_connections", "50"}, {"shared_buffers", "16MB"}, {"work_mem", "5MB"}};
    one.config().postgres.parameters["shared_buffers"] = "24MB";
    one.postgres().reconfigure(one.config());
    one.postgres().configure(one.instance());
    ASSERT_DONE(one.act([&](Done<void> done) { one.postgres().reload(std::move(done)); }));
    EXPECT_TRUE(one.becomes([](const PostgresState& now) {
        return now.pending_restart.contains("max_connections") &&
               now.pending_restart.contains("shared_buffers");
    }));
    EXPECT_EQ(one.observe().pending_restart.at("shared_buffers").new_value, "24MB");
    EXPECT_EQ(one.sql("SHOW work_mem"), "5MB");
    ASSERT_DONE(one.act([&](Done<void> done) { one.postgres().restart(20s, std::move(done)); }));
    EXPECT_TRUE(one.observe().pending_restart.empty());
    EXPECT_EQ(one.sql("SHOW max_connections"), "50");
    EXPECT_TRUE(one.events().empty());

    // The synchronous set is in force when the answer comes.
    const auto lsn = one.get<Lsn>([&](Done<Lsn> done) {
        one.postgres().set_synchronous_standby_names("ANY 1 (two)", std::move(done));
    });
    ASSERT_DONE(lsn);
    EXPECT_TRUE(lsn->valid());
    EXPECT_EQ(one.observe().synchronous_standby_names, "ANY 1 (two)");
    ASSERT_DONE(one.get<Lsn>(
        [&](Done<Lsn> done) { one.postgres().set_synchronous_standby_names("", std::move(done)); }));

    // Slots: exactly the wanted ones, and strangers stay.
    one.sql("SELECT pg_create_physical_replication_slot('stranger')");
    const auto slots = [&](std::map<std::string, Lsn> wanted) {
        return one.act([&](Done<void> done) { one.postgres().sync_slots(wanted, std::move(done)); });
    };
    ASSERT_DONE(slots({{"two", {}}, {"three", {}}}));
    EXPECT_EQ(one.observe().slots.size(), 3u);
    ASSERT_DONE(slots({{"three", {}}}));
    EXPECT_EQ(one.sql("SELECT string_agg(slot_name, ',' ORDER BY slot_name) FROM pg_replication_slots"),
              "stranger,three");

    // A new brain finds everything as it is.
    const pid_t pid = one.postmaster();
    one.restart_brain();
    EXPECT_TRUE(one.becomes([](const PostgresState& now) { return now.primary() && now.ours; }));
    EXPECT_EQ(one.postmaster(), pid);

    bool safe = false;
    ASSERT_DONE(one.stop(StopMode::fast, [&] { safe = true; }));
    EXPECT_TRUE(safe);
    const PostgresState stopped = one.observe();
    EXPECT_EQ(stopped.postmaster, Postmaster::stopped);
    EXPECT_FALSE(stopped.crashed);
    ASSERT_TRUE(stopped.control);
    EXPECT_TRUE(stopped.control->clean_shutdown());
    EXPECT_FALSE(alive(pid));
}

TEST_F(LocalPostgresTest, TellsTheDeathOfAPostmasterOnlyWhenEveryProcessIsGone) {
    Member one(loop_, root_.path(), "one");
    ASSERT_DONE(one.bootstrap());
    const auto processes = one.server_processes();
    ASSERT_GT(processes.size(), 3u);
    ::kill(one.postmaster(), SIGKILL);
    ASSERT_TRUE(loop_.run_until([&] { return one.seen(PostgresEvent::postmaster_died); }, 10s));
    for (const pid_t pid : processes) EXPECT_FALSE(alive(pid));
    PostgresState state = one.observe();
    EXPECT_TRUE(state.crashed);
    EXPECT_EQ(state.postmaster, Postmaster::stopped);
    ASSERT_DONE(one.start_primary());
    EXPECT_TRUE(one.observe().primary());

    // Immediate: not clean, but wanted.
    one.events().clear();
    ASSERT_DONE(one.stop(StopMode::immediate));
    state = one.observe();
    EXPECT_FALSE(state.crashed);
    EXPECT_FALSE(state.control->clean_shutdown());
    EXPECT_TRUE(one.events().empty());

    // The guard's deadline.
    ASSERT_DONE(one.arm(3s));
    ASSERT_DONE(one.start_primary());
    ASSERT_DONE(one.arm(300ms));
    ASSERT_TRUE(loop_.run_until([&] { return one.seen(PostgresEvent::postmaster_died); }, 10s));
    EXPECT_TRUE(one.seen(PostgresEvent::guard_fenced));
    EXPECT_FALSE(one.start_primary()) << "a primary was started without a deadline";

    // One that has passed: at once.
    ASSERT_DONE(one.arm());
    ASSERT_DONE(one.start_primary());
    one.events().clear();
    ASSERT_DONE(one.arm(-1ms));
    ASSERT_TRUE(loop_.run_until([&] { return one.seen(PostgresEvent::postmaster_died); }, 10s));
    EXPECT_TRUE(one.seen(PostgresEvent::guard_fenced));
}

TEST_F(LocalPostgresTest, ClonesFollowsPromotesAndRewinds) {
    Member one(loop_, root_.path(), "one"), two(loop_, root_.path(), "two");
    ASSERT_DONE(one.bootstrap());
    one.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
    ASSERT_DONE(two.clone(one.upstream("two")));  // the slot does not exist yet
    ASSERT_DONE(one.act([&](Done<void> done) { one.postgres().sync_slots({{"two", {}}}, std::move(done)); }));
    ASSERT_DONE(two.start_standby(one.upstream("two")));
    ASSERT_TRUE(two.becomes([](const PostgresState& now) { return now.standby() && now.streaming(); }));
    EXPECT_EQ(two.observe().timeline.value, 1u);
    ASSERT_DONE(two.arm(100ms));
    loop_.run_until([] { return false; }, 300ms);
    EXPECT_TRUE(two.observe().standby())
        << "a standby was ended at the deadline of a lock that it does not need";
    EXPECT_TRUE(one.becomes([](const PostgresState& now) {
        return now.replication.size() == 1 && now.replication[0].application_name == "two" &&
               now.slots[0].active;
    }));
    EXPECT_EQ(content(two.data_dir() + "/postgresql.conf").find("s3cret"), std::string::npos);

    // Synchronous: confirmed in the walsender as well.
    ASSERT_DONE(one.get<Lsn>(
        [&](Done<Lsn> done) { one.postgres().set_synchronous_standby_names("1 (two)", std::move(done)); }));
    EXPECT_EQ(one.observe().replication.at(0).sync_state, "sync");
    // Nor is a change of the number alone a guess: with two wanted and one there, a commit waits from the
    // first on.
    ASSERT_DONE(one.get<Lsn>([&](Done<Lsn> done) {
        one.postgres().set_synchronous_standby_names("ANY 1 (two, three)", std::move(done));
    }));
    one.sql("INSERT INTO t VALUES (0); DELETE FROM t WHERE n = 0");
    ASSERT_DONE(one.get<Lsn>([&](Done<Lsn> done) {
        one.postgres().set_synchronous_standby_names("ANY 2 (two, three)", std::move(done));
    }));
    EXPECT_EQ(one.observe().replication.at(0).sync_state, "quorum");
    // A standby takes it over for the time after its promotion.
    const auto replayed = two.get<Lsn>([&](Done<Lsn> done) {
        two.postgres().set_synchronous_standby_names("ANY 1 (one)", std::move(done));
    });
    ASSERT_DONE(replayed);
    EXPECT_TRUE(replayed->valid());
    EXPECT_EQ(two.sql("SHOW synchronous_standby_names"), "ANY 1 (one)");
    ASSERT_DONE(two.get<Lsn>(
        [&](Done<Lsn> done) { two.postgres().set_synchronous_standby_names("", std::move(done)); }));
    ASSERT_DONE(one.get<Lsn>(
        [&](Done<Lsn> done) { one.postgres().set_synchronous_standby_names("", std::move(done)); }));

    // A restarted brain of a standby keeps the upstream when it reloads.
    two.restart_brain();
    ASSERT_DONE(two.act([&](Done<void> done) { two.postgres().reload(std::move(done)); }));
    EXPECT_NE(content(two.data_dir() + "/postgresql.conf").find(std::to_string(one.config().postgres.port)),
              std::string::npos);

    // A standby is not promoted without a deadline.
    EXPECT_FALSE(two.act([&](Done<void> done) { two.postgres().promote({}, std::move(done)); }));

    // The primary crashes with WAL that the standby does not have.
    ASSERT_DONE(two.act([&](Done<void> done) { two.postgres().follow({}, std::move(done)); }));
    ASSERT_TRUE(two.becomes([](const PostgresState& now) { return !now.streaming(); }));
    one.sql("INSERT INTO t VALUES (2)");
    ::kill(one.postmaster(), SIGKILL);
    ASSERT_TRUE(loop_.run_until([&] { return one.seen(PostgresEvent::postmaster_died); }, 10s));
    EXPECT_EQ(two.observe().timeline.value, 1u);
    const Instant begin = boottime_now();
    ASSERT_DONE(two.promote());
    RecordProperty("promotion_ms", static_cast<int>((boottime_now() - begin) / 1ms));
    EXPECT_EQ(two.sql("INSERT INTO t VALUES (3) RETURNING n"), "3");
    EXPECT_TRUE(two.becomes([](const PostgresState& now) {
        return now.primary() && now.timeline.value == 2 && now.timeline_history.size() == 1;
    }));

    const auto history = one.get<UpstreamHistory>([&](Done<UpstreamHistory> done) {
        one.postgres().upstream_history(two.upstream(), boottime_now() + 5s, std::move(done));
    });
    ASSERT_DONE(history);
    EXPECT_EQ(history->timeline.value, 2u);
    Upstream by_name = two.upstream();
    by_name.host = "127.0.0.77,localhost";  // nobody is at the first
    EXPECT_TRUE(one.get<UpstreamHistory>([&](Done<UpstreamHistory> done) {
        one.postgres().upstream_history(by_name, boottime_now() + 5s, std::move(done));
    }));
    EXPECT_FALSE(history->in_recovery);
    ASSERT_EQ(history->switchpoints.size(), 1u);

    // Nobody answers there: nothing is changed, and the directory is as good as before.
    Upstream nobody{MemberName("x"), "127.0.0.1", free_port(), ""};
    const auto unreached =
        one.act([&](Done<void> done) { one.postgres().rewind(nobody, nullptr, std::move(done)); });
    ASSERT_FALSE(unreached);
    EXPECT_EQ(unreached.error().code, ErrorCode::unavailable) << unreached.error().message;
    EXPECT_EQ(one.observe().data, DataDirectory::valid);

    // The crashed one's lock file names a process that is something else by now.
    const Program other(as_server_user({"/usr/bin/sleep", "infinity"}), root_.path() + "/sleep.log");
    std::ofstream(one.data_dir() + "/postmaster.pid") << fmt::format("{}\n{}\n", other.pid(), one.data_dir());
    // pg_rewind trusts pg_control of the source, which names the new timeline only after a checkpoint.
    ASSERT_DONE(two.act([&](Done<void> done) { two.postgres().checkpoint(std::move(done)); }));
    ASSERT_DONE(
        one.act([&](Done<void> done) { one.postgres().rewind(two.upstream(), nullptr, std::move(done)); }));
    ASSERT_DONE(two.act([&](Done<void> done) { two.postgres().sync_slots({{"one", {}}}, std::move(done)); }));
    ASSERT_DONE(one.start_standby(two.upstream("one")));
    ASSERT_TRUE(
        one.becomes([](const PostgresState& now) { return now.streaming() && now.timeline.value == 2; }));
    EXPECT_TRUE(one.becomes([&](const PostgresState&) {
        return one.sql("SELECT string_agg(n::text, ',' ORDER BY n) FROM t") == "1,3";
    }));

    // A planned change of roles, to a timeline number above some that others have claimed.
    ASSERT_DONE(two.stop(StopMode::fast));
    ASSERT_DONE(one.promote(Timeline{5}));
    EXPECT_TRUE(one.becomes([](const PostgresState& now) {
        return now.primary() && now.timeline.value == 5 && now.newest_timeline.value == 5;
    }));
    ASSERT_DONE(two.start_standby(one.upstream()));
    EXPECT_TRUE(
        two.becomes([](const PostgresState& now) { return now.streaming() && now.timeline.value == 5; }));

    // What a promotion that never happened leaves behind is no obstacle for the next start.
    ASSERT_DONE(two.stop(StopMode::fast));
    std::ofstream(two.data_dir() + "/pg_wal/00000006.history") << "# pgherd passed over this number\n";
    ASSERT_DONE(two.start_standby(one.upstream()));
    EXPECT_TRUE(two.becomes([](const PostgresState& now) {
        return now.streaming() && now.timeline.value == 5 && now.newest_timeline.value == 5;
    }));
    // Nor are they where a standby that runs finds them.
    std::ofstream(two.data_dir() + "/pg_wal/00000006.history") << "# pgherd passed over this number\n";
    ASSERT_DONE(one.stop(StopMode::fast));
    ASSERT_DONE(one.arm());
    ASSERT_DONE(one.start_primary());
    EXPECT_TRUE(
        two.becomes([](const PostgresState& now) { return now.streaming() && now.timeline.value == 5; }));
    ASSERT_DONE(two.promote(Timeline{9}));
    EXPECT_TRUE(two.becomes([](const PostgresState& now) {
        return now.primary() && now.timeline.value == 9 && now.timeline_history.size() == 3;
    }));
}

TEST_F(LocalPostgresTest, TouchesNoForeignDirectory) {
    Member one(loop_, root_.path(), "one");
    std::filesystem::create_directory(one.data_dir());
    std::ofstream(one.data_dir() + "/letter.txt") << "dear";
    EXPECT_EQ(one.observe().data, DataDirectory::foreign);
    EXPECT_FALSE(one.bootstrap());
    EXPECT_FALSE(one.clone({MemberName("x"), "127.0.0.1", 1, ""}));
    EXPECT_FALSE(one.act([&](Done<void> done) { one.postgres().quarantine(std::move(done)); }));
    EXPECT_EQ(content(one.data_dir() + "/letter.txt"), "dear");
    EXPECT_FALSE(std::filesystem::exists(one.data_dir() + ".pgherd"));
}

TEST_F(LocalPostgresTest, LeavesAnIncompleteDirectoryWhenACloneFails) {
    Member one(loop_, root_.path(), "one");
    EXPECT_FALSE(one.clone({MemberName("x"), "127.0.0.1", free_port(), ""}));
    EXPECT_EQ(one.observe().data, DataDirectory::incomplete);
    EXPECT_FALSE(one.start_standby({}));

    // Its remains do not take the place of what was moved aside before.
    std::filesystem::create_directory(one.data_dir() + ".failed");
    std::ofstream(one.data_dir() + ".failed/letter.txt") << "dear";
    ASSERT_DONE(one.act([&](Done<void> done) { one.postgres().quarantine(std::move(done)); }));
    EXPECT_EQ(one.observe().data, DataDirectory::absent);
    EXPECT_EQ(content(one.data_dir() + ".failed/letter.txt"), "dear");
}

// Of a brain that was killed: pg_basebackup ends with it, and the part of it that receives WAL does not. It
// keeps the slot, for which the standby would wait for ever.
TEST_F(LocalPostgresTest, EndsWhatAnInterruptedCloneHasLeftRunning) {
    Member one(loop_, root_.path(), "one"), two(loop_, root_.path(), "two");
    ASSERT_DONE(one.bootstrap());
    ASSERT_DONE(one.act([&](Done<void> done) { one.postgres().sync_slots({{"two", {}}}, std::move(done)); }));
    const auto binaries = find_binaries(one.config().postgres, std::nullopt);
    ASSERT_DONE(binaries);
    Program copy(
        as_server_user({"/usr/bin/env", "PGHERD_FILLS=" + two.data_dir(), binaries->path("pg_basebackup"),
                        "--pgdata=" + two.data_dir(), "--wal-method=stream", "--slot=two",
                        "--checkpoint=fast", "--max-rate=32k",
                        fmt::format("--dbname=host=127.0.0.1 port={} user=replicator password=repl-s3cret",
                                    one.config().postgres.port)}),
        root_.path() + "/copy.log");
    const auto receives = [&] {
        return one.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'two'") == "t";
    };
    ASSERT_TRUE(eventually(receives)) << content(root_.path() + "/copy.log");
    copy.stop();
    std::ofstream(two.data_dir() + ".pgherd") << "clone under way: the data directory is incomplete\n";

    ASSERT_DONE(two.act([&](Done<void> done) { two.postgres().quarantine(std::move(done)); }));
    EXPECT_TRUE(eventually([&] { return !receives(); }));
    ASSERT_DONE(two.clone(one.upstream("two")));
    ASSERT_DONE(two.start_standby(one.upstream("two")));
    EXPECT_TRUE(two.becomes([](const PostgresState& now) { return now.standby() && now.streaming(); }));
}

// Paths as in the examples of Patroni, relative to where the agent was started.
TEST_F(LocalPostgresTest, UnderstandsRelativePathsAndKnowsHowFarARewindCame) {
    Member one(loop_, root_.path(), "one"), two(loop_, root_.path(), "two");
    ASSERT_DONE(two.bootstrap());
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(root_.path());
    one.config().postgres.data_dir = "data/one";
    one.config().postgres.socket_dir = "..";
    one.config().postgres.parameters["unix_socket_directories"] = "..";
    one.config().log.dir = ".";
    one.restart_brain();
    std::filesystem::current_path(before);
    ASSERT_DONE(one.bootstrap());
    EXPECT_TRUE(one.observe().primary());
    EXPECT_TRUE(std::filesystem::exists(root_.path() + "/data/one/PG_VERSION"));
    ASSERT_DONE(one.stop(StopMode::fast));

    const std::string tool = root_.path() + "/pg_rewind";
    one.config().postgres.bin_name["pg_rewind"] = "../../../../.." + tool;
    one.postgres().reconfigure(one.config());
    const auto rewinds = [&](const std::string& script) {
        std::ofstream(tool) << "#!/bin/sh\n" << script << "\nexit 1\n";
        ::chmod(tool.c_str(), 0755);
        const auto done =
            one.act([&](Done<void> end) { one.postgres().rewind(two.upstream(), nullptr, std::move(end)); });
        EXPECT_FALSE(done);
        return done ? ErrorCode::cancelled : done.error().code;
    };
    EXPECT_EQ(rewinds("echo 'pg_rewind: error: could not find common ancestor'"), ErrorCode::invalid);
    EXPECT_EQ(one.observe().data, DataDirectory::valid);
    EXPECT_EQ(rewinds("echo 'pg_rewind: fatal: server closed the connection unexpectedly'"),
              ErrorCode::unavailable);
    EXPECT_EQ(one.observe().data, DataDirectory::valid);
    // It says more after its announcement than is kept: it took long, or was told to be talkative.
    EXPECT_EQ(rewinds("echo 'pg_rewind: need to copy 51 MB (total source directory size is 63 MB)'\n"
                      "yes '1024/52224 kB (1%) copied' | head -n 9999"),
              ErrorCode::failed);
    const PostgresState state = one.observe();
    EXPECT_EQ(state.data, DataDirectory::incomplete);
    EXPECT_TRUE(state.half_rewound);
}

TEST_F(LocalPostgresTest, IsCopiedAnewWithATablespaceElsewhere) {
    Member one(loop_, root_.path(), "one"), two(loop_, root_.path(), "two");
    const std::string first = root_.path() + "/space-one", second = root_.path() + "/space-two";
    const auto identity = find_identity("");
    ASSERT_DONE(identity);
    ASSERT_DONE(make_directory(*identity, first));
    two.config().postgres.basebackup = {"--tablespace-mapping=" + first + "=" + second};
    two.postgres().reconfigure(two.config());
    ASSERT_DONE(one.bootstrap());
    one.sql("CREATE TABLESPACE elsewhere LOCATION '" + first + "'");
    ASSERT_EQ(one.sql("CREATE TABLE t (n int) TABLESPACE elsewhere; INSERT INTO t VALUES (7)"), "");
    const auto follows = [&] {
        ASSERT_DONE(two.clone(one.upstream()));
        ASSERT_DONE(two.start_standby(one.upstream()));
        EXPECT_TRUE(two.becomes([&](const PostgresState&) { return two.sql("SELECT n FROM t") == "7"; }));
        EXPECT_FALSE(std::filesystem::is_empty(second));
        ASSERT_DONE(two.stop(StopMode::fast));
    };
    follows();
    ASSERT_DONE(two.act([&](Done<void> done) { two.postgres().quarantine(std::move(done)); }));
    EXPECT_TRUE(std::filesystem::is_empty(second));
    EXPECT_FALSE(std::filesystem::is_empty(second + ".failed"));
    follows();

    // Killed in the middle: there is no link yet that would tell what it has filled.
    ASSERT_DONE(two.act([&](Done<void> done) { two.postgres().quarantine(std::move(done)); }));
    ASSERT_DONE(write_journal(*identity, two.data_dir(), "clone", {second}));
    std::filesystem::create_directories(second + "/PG_15_202209061/5");
    follows();
    EXPECT_EQ(one.sql("SELECT n FROM t"), "7");
}

TEST_F(LocalPostgresTest, LeavesAloneWhatItCannotLookAt) {
    Member one(loop_, root_.path(), "one");
    ASSERT_DONE(one.bootstrap());
    ASSERT_TRUE(one.observe().primary());
    {
        const testing::NoDescriptorsLeft none;
        const PostgresState state = one.observe();
        EXPECT_EQ(state.data, DataDirectory::unreadable);
        EXPECT_EQ(state.postmaster, Postmaster::running);
        EXPECT_TRUE(state.primary()) << "its session is still there";
        EXPECT_FALSE(one.act([&](Done<void> done) { one.postgres().reload(std::move(done)); }));
    }
    EXPECT_EQ(one.observe().data, DataDirectory::valid);
    EXPECT_TRUE(one.observe().primary());
    ASSERT_DONE(one.act([&](Done<void> done) { one.postgres().reload(std::move(done)); }));
    ASSERT_DONE(one.stop(StopMode::fast));
    {
        const testing::NoDescriptorsLeft none;
        EXPECT_EQ(one.observe().data, DataDirectory::unreadable);
        EXPECT_FALSE(one.bootstrap());
        EXPECT_FALSE(one.clone({MemberName("x"), "127.0.0.1", 1, ""}));
        EXPECT_FALSE(one.act([&](Done<void> done) { one.postgres().quarantine(std::move(done)); }));
        const auto rewound = one.act(
            [&](Done<void> done) { one.postgres().rewind(one.upstream(), nullptr, std::move(done)); });
        ASSERT_FALSE(rewound);
        EXPECT_NE(rewound.error().code, ErrorCode::invalid) << "another time it may be possible";
        EXPECT_FALSE(one.start_primary());
    }
    EXPECT_EQ(one.observe().data, DataDirectory::valid);
    ASSERT_DONE(one.arm());
    ASSERT_DONE(one.start_primary());
    EXPECT_TRUE(one.observe().primary());
}

// C.UTF-8 has messages in any language; "C" itself has none.
TEST_F(LocalPostgresTest, KnowsARefusedPasswordInAnyLanguage) {
    Member one(loop_, root_.path(), "one");
    one.config().postgres.parameters["lc_messages"] = "C.UTF-8";
    one.postgres().reconfigure(one.config());
    ::setenv("LANGUAGE", "de", 1);
    const Status made = one.bootstrap();
    ::unsetenv("LANGUAGE");
    ASSERT_DONE(made);
    const auto log_in = [&](const std::string& password, std::uint16_t port) {
        std::optional<Error> answer;
        const auto ask = [&]() -> asio::awaitable<void> {
            const auto session = co_await Connection::open({{"host", "127.0.0.1"},
                                                            {"port", std::to_string(port)},
                                                            {"user", "postgres"},
                                                            {"password", password},
                                                            {"dbname", "postgres"}},
                                                           after(10s));
            answer = session ? Error{ErrorCode::cancelled, "it was let in"} : session.error();
        };
        asio::co_spawn(loop_.context(), ask, asio::detached);
        loop_.run_until([&] { return answer.has_value(); }, 15s);
        return answer.value_or(Error{});
    };
    const auto port = one.config().postgres.port;
    const Error refused = log_in("wrong", port);
    EXPECT_EQ(refused.code, ErrorCode::denied) << refused.message;
    if (std::filesystem::exists("/usr/share/locale/de/LC_MESSAGES/postgres-15.mo"))
        EXPECT_EQ(refused.message.find("authentication failed"), std::string::npos) << refused.message;
    EXPECT_EQ(refused.message.find("auth.c"), std::string::npos) << refused.message;
    EXPECT_EQ(log_in("super-s3cret", port).code, ErrorCode::cancelled);
    EXPECT_EQ(log_in("super-s3cret", free_port()).code, ErrorCode::unavailable);
}

// A promotion that is under way takes its number when it ends, so what stands for the numbers before it has
// to stay.
TEST_F(LocalPostgresTest, DoesNotKnowTheOutcomeOfAPromotionThatFallsSilent) {
    Member one(loop_, root_.path(), "one"), two(loop_, root_.path(), "two");
    two.config().postgres.pg_ctl_timeout = 2s;
    two.postgres().reconfigure(two.config());
    ASSERT_DONE(one.bootstrap());
    ASSERT_DONE(two.clone(one.upstream()));
    ASSERT_DONE(two.start_standby(one.upstream()));
    ASSERT_TRUE(two.becomes([](const PostgresState& now) { return now.standby() && now.streaming(); }));
    const auto processes = [&](const std::string& kind) {
        std::vector<pid_t> found;
        for (const pid_t pid : two.server_processes())
            if (content(fmt::format("/proc/{}/cmdline", pid)).find(kind) != std::string::npos)
                found.push_back(pid);
        return found;
    };
    ASSERT_EQ(processes("startup").size(), 1u);
    ::kill(processes("startup").front(), SIGSTOP);
    ASSERT_DONE(two.arm());
    std::optional<Status> promoted;
    two.postgres().promote(Timeline{5}, [&](Status done) { promoted = std::move(done); });
    const std::string stand_in = two.data_dir() + "/pg_wal/00000004.history";
    ASSERT_TRUE(loop_.run_until([&] { return std::filesystem::exists(stand_in); }, 5s));
    for (const pid_t pid : processes("postgres postgres")) ::kill(pid, SIGSTOP);
    ASSERT_TRUE(loop_.run_until([&] { return promoted.has_value(); }, 10s));
    ASSERT_FALSE(*promoted);
    EXPECT_TRUE(promoted->error().maybe_done()) << promoted->error().message;
    EXPECT_TRUE(std::filesystem::exists(stand_in));

    for (const pid_t pid : two.server_processes()) ::kill(pid, SIGCONT);
    EXPECT_TRUE(
        two.becomes([](const PostgresState& now) { return now.primary() && now.timeline.value == 5; }));
}

// A reboot or a new container on old volumes: the number in the file belongs to another process, which is of
// PostgreSQL's user here as it is in a container.
TEST_F(LocalPostgresTest, StartsBesideLockFilesWhoseProcessIsSomethingElseNow) {
    Member one(loop_, root_.path(), "one");
    ASSERT_DONE(one.bootstrap());
    ASSERT_DONE(one.stop(StopMode::fast));
    const Program other(as_server_user({"/usr/bin/sleep", "infinity"}), root_.path() + "/sleep.log");
    const auto port = one.config().postgres.port;
    const std::string socket_lock = fmt::format("{}/.s.PGSQL.{}.lock", root_.path(), port);
    const auto leave_behind = [&](const std::string& path, const std::string& data_dir) {
        std::ofstream(path) << fmt::format("{}\n{}\n1\n{}\n{}\n", other.pid(), data_dir, port, root_.path());
    };
    leave_behind(one.data_dir() + "/postmaster.pid", one.data_dir());
    leave_behind(socket_lock, one.data_dir());
    ASSERT_DONE(one.arm());
    ASSERT_DONE(one.start_primary());
    ASSERT_DONE(one.stop(StopMode::fast));

    // It was killed before it had written its number.
    std::ofstream(one.data_dir() + "/postmaster.pid") << "";
    ASSERT_DONE(one.start_primary());
    ASSERT_DONE(one.stop(StopMode::fast));

    leave_behind(socket_lock, "/var/lib/of-another-instance");
    EXPECT_FALSE(one.start_primary());
    EXPECT_TRUE(std::filesystem::exists(socket_lock));
    std::filesystem::remove(socket_lock);

    // `postgres --single`, which works where its data is.
    const Program single(
        as_server_user({"/usr/bin/env", "--chdir=" + one.data_dir(), "/usr/bin/sleep", "infinity"}),
        root_.path() + "/sleep.log");
    std::error_code ignored;
    ASSERT_TRUE(eventually([&] {
        return std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", single.pid()), ignored) ==
               one.data_dir();
    }));
    std::ofstream(one.data_dir() + "/postmaster.pid")
        << fmt::format("-{}\n{}\n", single.pid(), one.data_dir());
    EXPECT_FALSE(one.start_primary());
    EXPECT_FALSE(one.act([&](Done<void> done) { one.postgres().quarantine(std::move(done)); }));
    EXPECT_TRUE(std::filesystem::exists(one.data_dir() + "/postmaster.pid"));
}

TEST_F(LocalPostgresTest, MovesAFailedBootstrapAside) {
    Member one(loop_, root_.path(), "one");
    one.config().bootstrap.post_bootstrap = "false";
    one.postgres().reconfigure(one.config());
    EXPECT_FALSE(one.bootstrap());
    EXPECT_EQ(one.observe().data, DataDirectory::absent);
    EXPECT_EQ(one.observe().postmaster, Postmaster::stopped);
    EXPECT_TRUE(std::filesystem::exists(one.data_dir() + ".failed/PG_VERSION"));
}

TEST_F(LocalPostgresTest, RunsOneCallbackAtATimeAndAsksBeforeAPromotion) {
    Member one(loop_, root_.path(), "one");
    const std::string file = root_.path() + "/called";
    one.config().postgres.callbacks = {{"on_start", "sleep 100; echo never > " + file + " #"},
                                       {"on_role_change", "echo $* > " + file + "; true"}};
    one.config().postgres.callbacks["on_role_change"] = "sh -c 'echo $0 $1 $2 > " + file + "'";
    one.config().postgres.pre_promote = "exit 3 #";
    one.postgres().reconfigure(one.config());
    one.postgres().callback("on_start", Role::replica);
    loop_.run_until([] { return false; }, 50ms);
    one.postgres().callback("on_role_change", Role::primary);
    EXPECT_TRUE(loop_.run_until([&] { return content(file) == "on_role_change primary test\n"; }, 5s));
    EXPECT_FALSE(one.act([&](Done<void> done) { one.postgres().pre_promote(std::move(done)); }));
}

}  // namespace
}  // namespace pgherd::postgres

int main(int argc, char** argv) {
    pgherd::guard::testing::lend_guard_if_asked(argc, argv);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
