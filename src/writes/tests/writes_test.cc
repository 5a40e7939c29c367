// The whole subcommand against a real server.
#include "writes/writes.h"

#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codec/json.h"
#include "server.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;
using writes::Listener;
using writes::Server;

int run(std::vector<std::string> args) {
    return writes_main(args);
}

class Writes : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        server = new Server;
        server->start();
    }
    static void TearDownTestSuite() {
        delete server;
        server = nullptr;
    }
    void SetUp() override { server->ask("DROP TABLE IF EXISTS pgherd_writes"); }
    void TearDown() override { std::filesystem::remove(report); }

    int write(const std::string& dsn, const std::string& duration, std::vector<std::string> more = {}) const {
        std::vector<std::string> args{"--dsn",      dsn,   "--duration", duration,
                                      "--interval", "2ms", "--report",   report};
        args.insert(args.end(), more.begin(), more.end());
        return run(args);
    }
    int verify() const {
        return run(
            {"--dsn", server->host(), "--verify", report, "--report", report + ".verified", "--wait", "5s"});
    }
    JsonObject read(const std::string& path) const {
        std::ifstream file(path);
        std::ostringstream text;
        text << file.rdbuf();
        return parse_json_object(text.str()).value();
    }

    static Server* server;
    std::string report =
        (std::filesystem::temp_directory_path() / fmt::format("pgherd-writes-{}.json", ::getpid())).string();
};
Server* Writes::server = nullptr;

TEST_F(Writes, ReportsACleanRun) {
    ASSERT_EQ(write(server->host(), "500ms"), 0);
    auto found = read(report);
    EXPECT_GT(found["acknowledged"].as_int64(), 50);
    EXPECT_EQ(found["lost"], Json(0));
    EXPECT_EQ(found["duplicated"], Json(0));
    EXPECT_EQ(found["connects"], Json(1));
    EXPECT_EQ(std::to_string(found["acknowledged"].as_int64()),
              server->ask("SELECT count(*) FROM pgherd_writes"));
}

TEST_F(Writes, GoesOnAfterTheServerCrashedAndMeasuresTheGap) {
    int code = -1;
    std::thread writer([&] { code = write(server->host(), "3s"); });
    auto deadline = std::chrono::steady_clock::now() + 10s;
    while (server->ask("SELECT count(*) > 100 FROM pgherd_writes") != "t" &&
           std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(20ms);
    server->stop(SIGQUIT);
    std::this_thread::sleep_for(300ms);
    server->start();
    writer.join();
    EXPECT_EQ(code, 0);
    auto found = read(report);
    EXPECT_EQ(found["lost"], Json(0));
    EXPECT_EQ(found["connects"], Json(2));
    EXPECT_GE(found["longest_gap_s"].as_double(), 0.3);
    EXPECT_GE(found["gaps_over_100ms"].as_array().size(), 1u);
    EXPECT_EQ(verify(), 0);
}

TEST_F(Writes, FindsLostAndDuplicatedValuesAgainWithVerify) {
    ASSERT_EQ(write(server->host(), "300ms"), 0);
    server->ask("DELETE FROM pgherd_writes WHERE value BETWEEN 11 AND 13");
    server->ask("INSERT INTO pgherd_writes SELECT run, value FROM pgherd_writes WHERE value = 20");
    EXPECT_EQ(verify(), 1);
    auto found = read(report + ".verified");
    EXPECT_EQ(found["lost"], Json(3));
    EXPECT_EQ(to_text(found["lost_values"]), "[[11,13]]");
    EXPECT_EQ(to_text(found["duplicated_values"]), "[[20,20]]");
    std::filesystem::remove(report + ".verified");
}

TEST_F(Writes, FindsThePrimaryAtOnceBesideAHostThatDoesNotAnswer) {
    Listener silent;
    auto dsn = fmt::format("host=127.0.0.1,127.0.0.1 port={},{}{}", silent.port(), server->port(),
                           Server::dsn_rest());
    auto begin = std::chrono::steady_clock::now();
    ASSERT_EQ(write(dsn, "100ms"), 0);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
    EXPECT_EQ(read(report)["hosts"].at(0).at(1), Json(fmt::format("127.0.0.1:{}", server->port())));
}

TEST_F(Writes, ShutsTheSocketWhenAnAnswerTakesTooLong) {
    ASSERT_EQ(write(server->host(), "100ms"), 0);
    PGconn* blocker = PQconnectdb(server->host().c_str());
    PQclear(PQexec(blocker, "BEGIN"));
    PQclear(PQexec(blocker, "LOCK TABLE pgherd_writes IN SHARE MODE"));
    int code = -1;
    std::thread writer([&] { code = write(server->host(), "700ms", {"--statement-timeout", "200ms"}); });
    std::this_thread::sleep_for(500ms);
    PQfinish(blocker);
    writer.join();
    EXPECT_EQ(code, 0);
    auto found = read(report);
    EXPECT_GE(found["errors"].at("timeout").as_int64(), 1);
    // The server wrote them as soon as the lock was gone, but nobody was told.
    EXPECT_EQ(found["unknown_present"], found["unknown"]);
}

TEST_F(Writes, KeepsRunsApartAndGoesOnWithANamedOneOnlyWhenAsked) {
    ASSERT_EQ(write(server->host(), "100ms"), 0);
    ASSERT_EQ(write(server->host(), "100ms", {"--run", "mine"}), 0);
    EXPECT_EQ(write(server->host(), "100ms", {"--run", "mine"}), 2);
    EXPECT_EQ(write(server->host(), "100ms", {"--run", "mine", "--append"}), 0);
    EXPECT_EQ(server->ask("SELECT count(DISTINCT run) FROM pgherd_writes"), "2");
}

TEST_F(Writes, EndsWithThreeWhenNobodyTakesWrites) {
    int port = Listener().port();
    EXPECT_EQ(
        write(fmt::format("host=127.0.0.1 port={}{}", port, Server::dsn_rest()), "1s", {"--wait", "200ms"}),
        3);
}

TEST(WritesArguments, AreCheckedBeforeAnythingIsDone) {
    EXPECT_EQ(run({}), 2);
    EXPECT_EQ(run({"--dsn", "host=a,b port=1,2,3"}), 2);
    EXPECT_EQ(run({"--dsn", "host=a", "--interval", "fast"}), 2);
    EXPECT_EQ(run({"--dsn", "host=a", "--append"}), 2);
    EXPECT_EQ(run({"--dsn", "host=a", "--verify", "/nonexistent/report.json"}), 2);
    EXPECT_EQ(run({"--help"}), 0);
}

}  // namespace
}  // namespace pgherd
