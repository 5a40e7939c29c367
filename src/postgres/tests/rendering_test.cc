// Texts and files, without a server.
#include "postgres/rendering.h"

#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/testing/program.h"
#include "guard/tests/harness.h"
#include "postgres/controldata.h"
#include "postgres/datadir.h"
#include "postgres/tablespaces.h"
#include "postgres/tests/scarcity.h"

namespace pgherd::postgres {
namespace {

class Rendering : public ::testing::Test {
  protected:
    Rendering() {
        agent_.scope = "c1";
        agent_.name = MemberName("m1");
        agent_.postgres.data_dir = "/data/m1";
        agent_.postgres.superuser = {"postgres", "s3cret:\\", {}};
        agent_.postgres.replication = {"replicator", "repl pass", {}};
    }
    RenderInput input(bool standby = false) {
        return {.agent = agent_,
                .instance = instance_,
                .socket_dir = "/run/pg",
                .user = "postgres",
                .standby = standby,
                .upstream = {MemberName("m2"), "10.0.0.2", 5433, "m1"}};
    }
    AgentConfig agent_;
    InstanceConfig instance_;
};

TEST_F(Rendering, PutsSharedParametersOnTheCommandLineWithDefaultsAndMinima) {
    instance_.dynamic.parameters = {
        {"max_connections", "7"}, {"max_wal_senders", "20"}, {"wal_level", "minimal"}};
    agent_.postgres.parameters = {{"max_wal_senders", "99"}};
    const auto line = command_line(input());
    EXPECT_EQ(line.at("max_connections"), "25");
    EXPECT_EQ(line.at("max_wal_senders"), "20");
    EXPECT_EQ(line.at("wal_level"), "replica");
    EXPECT_EQ(line.at("wal_log_hints"), "on");
    EXPECT_EQ(line.at("cluster_name"), "c1");
    EXPECT_FALSE(file_parameters(input()).contains("max_wal_senders"));
}

TEST_F(Rendering, RaisesAStandbysLimitsToThoseOfItsControlFile) {
    auto standby = input(true);
    standby.control.emplace().limits = {{"max_connections", "200"}, {"max_worker_processes", "4"}};
    EXPECT_EQ(command_line(standby).at("max_connections"), "200");
    EXPECT_EQ(command_line(standby).at("max_worker_processes"), "8");
    EXPECT_EQ(wanted_command_line(standby).at("max_connections"), "100");
}

TEST_F(Rendering, WritesTheRecoveryOfACustomBootstrapAsTheServerReadsIt) {
    auto bootstrap = input();
    bootstrap.custom_recovery = {{"restore_command", R"(cp '/a\b/%f' "%p")"}};
    EXPECT_TRUE(postgresql_conf(bootstrap).ends_with(R"(restore_command = 'cp ''/a\\b/%f'' "%p"')"
                                                     "\n"));
}

TEST_F(Rendering, LetsLocalParametersWinOverDynamicOnes) {
    instance_.dynamic.parameters = {{"work_mem", "4MB"}, {"Shared_Buffers", "64MB"}};
    agent_.postgres.parameters = {{"work_mem", "8MB"}};
    const auto parameters = file_parameters(input());
    EXPECT_EQ(parameters.at("work_mem"), "8MB");
    EXPECT_EQ(parameters.at("shared_buffers"), "64MB");
}

TEST_F(Rendering, QuotesValuesForTheConfigurationFile) {
    agent_.postgres.parameters = {{"archive_command", "cp '%p' \\x"}};
    EXPECT_NE(postgresql_conf(input()).find("archive_command = 'cp ''%p'' \\\\x'\n"), std::string::npos);
}

TEST_F(Rendering, KeepsPasswordsOutOfEverythingButThePasswordFile) {
    for (const auto& text : {postgresql_conf(input(true)), hba_conf(input()), ident_conf(input())}) {
        EXPECT_EQ(text.find("s3cret"), std::string::npos);
        EXPECT_EQ(text.find("repl pass"), std::string::npos);
    }
    EXPECT_EQ(password_file(agent_), "*:*:*:replicator:repl pass\n*:*:*:postgres:s3cret\\:\\\\\n");
    EXPECT_EQ(password_file_path(agent_), "/data/.pgpass_m1");
}

TEST_F(Rendering, PointsAStandbyAtItsUpstream) {
    const auto parameters = recovery_parameters(input(true));
    EXPECT_EQ(parameters.at("primary_slot_name"), "m1");
    EXPECT_EQ(parameters.at("recovery_target_timeline"), "latest");
    const auto& conninfo = parameters.at("primary_conninfo");
    for (const char* part : {"host='10.0.0.2'", "port='5433'", "application_name='m1'",
                             "passfile='/data/.pgpass_m1'", "tcp_user_timeout='5000'"})
        EXPECT_NE(conninfo.find(part), std::string::npos) << part;
    EXPECT_FALSE(recovery_parameters(input(false)).contains("primary_conninfo"));
}

TEST_F(Rendering, UsesTheUsersHbaLinesWhenThereAreAny) {
    EXPECT_NE(hba_conf(input()).find("host replication \"replicator\" all scram-sha-256"), std::string::npos);
    instance_.dynamic.pg_hba = {"host all all all md5"};
    EXPECT_EQ(hba_conf(input()).find("replicator"), std::string::npos);
    agent_.postgres.pg_hba = {"local all all peer"};
    EXPECT_NE(hba_conf(input()).find("local all all peer\n"), std::string::npos);
}

TEST(AutoConf, LosesOnlyWhatPgherdDecides) {
    EXPECT_EQ(purge_auto_conf(
                  "# note\nwork_mem = '1MB'\nprimary_conninfo = 'host=x'\nsynchronous_standby_names = '*'\n"),
              "# note\nwork_mem = '1MB'\n");
}

TEST(ControlFile, IsUnderstood) {
    const auto data = parse_controldata(
        "Database system identifier:           7421234567890123456\nDatabase cluster state:               in "
        "production\n"
        "Latest checkpoint location:           0/3000060\nLatest checkpoint's TimeLineID:       2\n"
        "Minimum recovery ending location:     0/0\nMin recovery ending loc's timeline:   0\nwal_log_hints "
        "setting:                on\n"
        "max_connections setting:              100\nData page checksum version:           1\n");
    ASSERT_TRUE(data) << data.error().message;
    EXPECT_EQ(data->system_id.value(), 7421234567890123456u);
    EXPECT_EQ(data->state, ControlState::in_production);
    EXPECT_EQ(data->timeline.value, 2u);
    EXPECT_TRUE(data->checksums);
    EXPECT_FALSE(data->clean_shutdown());
    EXPECT_EQ(data->limits.at("max_connections"), "100");
    EXPECT_FALSE(parse_controldata("nonsense"));
}

class DataDirectoryTest : public ::testing::Test {
  protected:
    DataDirectoryTest() {
        char name[] = "/tmp/pgherd-datadir-XXXXXX";
        root_ = ::mkdtemp(name);
        data_ = root_ + "/data";
    }
    ~DataDirectoryTest() override { std::filesystem::remove_all(root_); }
    void put(const std::string& path, const std::string& text = "x") {
        std::filesystem::create_directories(std::filesystem::path(data_ + "/" + path).parent_path());
        std::ofstream(data_ + "/" + path) << text;
    }
    std::string root_;
    std::string data_;
};

TEST_F(DataDirectoryTest, IsAbsentWhenMissingOrEmpty) {
    EXPECT_EQ(inspect(data_), DataDirectory::absent);
    std::filesystem::create_directory(data_);
    EXPECT_EQ(inspect(data_), DataDirectory::absent);
}

TEST_F(DataDirectoryTest, IsForeignWhenItHoldsSomethingElse) {
    put("letter.txt");
    EXPECT_EQ(inspect(data_), DataDirectory::foreign);
    EXPECT_FALSE(clear_incomplete(data_));
    EXPECT_TRUE(std::filesystem::exists(data_ + "/letter.txt"));
}

TEST_F(DataDirectoryTest, IsValidWithVersionAndControlFile) {
    put("PG_VERSION", "15\n");
    put("global/pg_control");
    EXPECT_EQ(inspect(data_), DataDirectory::valid);
    EXPECT_EQ(data_version(data_).value(), 15);
}

TEST_F(DataDirectoryTest, IsUnreadableWhenItIsNoDirectory) {
    std::ofstream(data_) << "a file";
    EXPECT_EQ(inspect(data_), DataDirectory::unreadable);
}

// Neither empty nor foreign nor without a postmaster: not known.
TEST_F(DataDirectoryTest, IsUnreadableAndLeftAsItIsWithoutDescriptors) {
    std::filesystem::create_directory(data_);
    {
        const testing::NoDescriptorsLeft none;
        EXPECT_EQ(inspect(data_), DataDirectory::unreadable);
    }
    put("PG_VERSION", "15\n");
    put("global/pg_control");
    put("postmaster.pid", "");
    put("pg_wal/00000002.history");
    {
        const testing::NoDescriptorsLeft none;
        EXPECT_EQ(inspect(data_), DataDirectory::unreadable);
        EXPECT_FALSE(data_version(data_));
        EXPECT_FALSE(read_lock_file(data_));
        EXPECT_FALSE(running_postmaster(data_));
        EXPECT_FALSE(newest_timeline(data_));
        EXPECT_FALSE(read_history(data_, Timeline{2}));
        EXPECT_FALSE(interrupted_operation(data_));
        EXPECT_FALSE(remove_stale_locks(data_, {}, 5432));
        EXPECT_FALSE(clear_incomplete(data_));
        EXPECT_FALSE(move_aside(data_));
    }
    EXPECT_EQ(inspect(data_), DataDirectory::valid);
    EXPECT_EQ(newest_timeline(data_).value(), Timeline{2});
    EXPECT_TRUE(std::filesystem::exists(data_ + "/postmaster.pid"));
}

// The older one of that name may be the data that the interrupted clone was to replace.
TEST_F(DataDirectoryTest, IsNotMovedAsideWhileItsJournalCannotBeRead) {
    const Identity self{.uid = ::getuid(), .gid = ::getgid()};
    put("half");
    ASSERT_TRUE(write_journal(self, data_, "clone"));
    std::filesystem::create_directory(data_ + ".failed");
    {
        const testing::NoDescriptorsLeft none;
        EXPECT_FALSE(move_aside(data_));
    }
    EXPECT_EQ(inspect(data_), DataDirectory::incomplete);
    EXPECT_EQ(interrupted_operation(data_).value(), "clone");
    EXPECT_TRUE(std::filesystem::exists(data_ + "/half"));
    EXPECT_FALSE(std::filesystem::exists(data_ + ".failed/half"));
}

TEST_F(DataDirectoryTest, IsIncompleteWhileTheJournalIsThere) {
    put("PG_VERSION", "15\n");
    put("global/pg_control");
    const Identity self{.uid = ::getuid(), .gid = ::getgid()};
    ASSERT_TRUE(write_journal(self, data_, "clone"));
    EXPECT_EQ(inspect(data_), DataDirectory::incomplete);
    ASSERT_TRUE(clear_incomplete(data_));
    ASSERT_TRUE(clear_journal(data_));
    EXPECT_EQ(inspect(data_), DataDirectory::absent);
}

TEST_F(DataDirectoryTest, KeepsOneGenerationWhenMovedAside) {
    put("first");
    ASSERT_TRUE(move_aside(data_));
    put("second");
    ASSERT_TRUE(move_aside(data_));
    EXPECT_FALSE(std::filesystem::exists(data_));
    EXPECT_TRUE(std::filesystem::exists(data_ + ".failed/second"));
    EXPECT_FALSE(std::filesystem::exists(data_ + ".failed/first"));
}

class TablespaceTest : public DataDirectoryTest {
  protected:
    TablespaceTest() : space_(root_ + "/space") {
        put("PG_VERSION", "15\n");
        std::string control(8192, '\0');
        const std::uint32_t catalog = 202209061;
        std::memcpy(control.data() + 12, &catalog, sizeof catalog);
        put("global/pg_control", control);
        std::filesystem::create_directory(data_ + "/pg_tblspc");
        std::filesystem::create_symlink(space_, data_ + "/pg_tblspc/16384");
        keep("PG_15_202209061/5/1259", "ours");
        keep("PG_14_202107181/5/1259", "another cluster's");
        keep("letter.txt", "dear");
    }
    void keep(const std::string& path, const std::string& text) {
        std::filesystem::create_directories(std::filesystem::path(space_ + "/" + path).parent_path());
        std::ofstream(space_ + "/" + path) << text;
    }
    static std::string there(const std::string& path) {
        std::ifstream file(path);
        std::string text;
        std::getline(file, text);
        return text;
    }
    std::string space_;
};

TEST_F(TablespaceTest, GoesAsideWithItsDataDirectoryAndNothingElseInItDoes) {
    ASSERT_TRUE(move_aside(data_));
    EXPECT_FALSE(std::filesystem::exists(space_ + "/PG_15_202209061"));
    EXPECT_EQ(there(space_ + ".failed/PG_15_202209061/5/1259"), "ours");
    EXPECT_EQ(there(space_ + "/PG_14_202107181/5/1259"), "another cluster's");
    EXPECT_EQ(there(space_ + "/letter.txt"), "dear");
    // Who starts the old one by hand does not write into the new one.
    EXPECT_EQ(there(data_ + ".failed/pg_tblspc/16384/PG_15_202209061/5/1259"), "ours");

    // What a successor has there is not the old one's.
    keep("PG_15_202209061/5/1259", "new");
    ASSERT_TRUE(move_tablespaces_aside(data_ + ".failed"));
    EXPECT_EQ(there(space_ + "/PG_15_202209061/5/1259"), "new");
    EXPECT_EQ(there(space_ + ".failed/PG_15_202209061/5/1259"), "ours");
}

TEST_F(TablespaceTest, GoesAsideLaterWhenThatWasInterrupted) {
    std::filesystem::rename(data_, data_ + ".failed");
    ASSERT_TRUE(move_tablespaces_aside(data_ + ".failed"));
    EXPECT_EQ(there(space_ + ".failed/PG_15_202209061/5/1259"), "ours");
    EXPECT_FALSE(std::filesystem::exists(space_ + "/PG_15_202209061"));
}

TEST_F(TablespaceTest, IsClearedOfAnInterruptedCopyOnlyWhereItWasEmptyBefore) {
    const Identity self{.uid = ::getuid(), .gid = ::getgid()};
    const std::string empty = root_ + "/empty";
    EXPECT_TRUE(may_be_filled(empty));
    EXPECT_FALSE(may_be_filled(space_));
    ASSERT_TRUE(write_journal(self, data_, "clone", {empty}));
    std::filesystem::create_directories(empty + "/PG_15_202209061/5");
    std::ofstream(empty + "/letter.txt") << "dear";
    ASSERT_TRUE(move_aside(data_));
    EXPECT_FALSE(std::filesystem::exists(empty + "/PG_15_202209061"));
    EXPECT_EQ(there(empty + "/letter.txt"), "dear");
    EXPECT_EQ(there(space_ + "/PG_15_202209061/5/1259"), "ours") << "the journal does not name it";
}

// A copy by hand, say, which has the same links.
TEST_F(TablespaceTest, IsLeftAloneWhileAnotherInstanceUsesIt) {
    const std::string other = root_ + "/other";
    std::filesystem::copy(
        data_, other,
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
    const Program server({"/usr/bin/env", "--chdir=" + other, "/usr/bin/sleep", "infinity"},
                         root_ + "/sleep.log");
    std::error_code ignored;
    ASSERT_TRUE(guard::testing::eventually([&] {
        return std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", server.pid()), ignored) == other;
    }));
    EXPECT_FALSE(move_aside(data_));
    EXPECT_EQ(there(space_ + "/PG_15_202209061/5/1259"), "ours");
}

TEST(Tablespace, IsWhereTheOptionsOfTheCopyPutIt) {
    EXPECT_EQ(mapped_tablespace("/a", {}), "/a");
    EXPECT_EQ(mapped_tablespace("/a", {"--verbose", "--tablespace-mapping=/a=/b"}), "/b");
    EXPECT_EQ(mapped_tablespace("/a", {"--tablespace-mapping=/aa=/b"}), "/a");
}

TEST(History, IsReadOldestFirst) {
    const auto history = parse_history(
        "1\t0/3000148\tno recovery target specified\n\n2\t0/50000A0\tno recovery target specified\n");
    ASSERT_EQ(history.size(), 2u);
    EXPECT_EQ(history[0].timeline.value, 1u);
    EXPECT_EQ(to_string(history[1].lsn), "0/50000A0");
}

}  // namespace
}  // namespace pgherd::postgres
