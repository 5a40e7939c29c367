// What people see: golden files, and the texts between them.
#include "local/view.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "codec/records.h"

namespace pgherd::local {
namespace {

// Compares with testdata/<name>.txt; PGHERD_REWRITE=1 writes the file instead.
void expect_golden(const std::string& name, const std::string& text) {
    std::string path = std::string(PGHERD_TESTDATA) + "/" + name + ".txt";
    if (std::getenv("PGHERD_REWRITE")) {
        std::ofstream(path) << text;
        return;
    }
    std::ostringstream expected;
    expected << std::ifstream(path).rdbuf();
    EXPECT_EQ(text, expected.str()) << "PGHERD_REWRITE=1 accepts the new text into " << path;
}

Description three() {
    return {
        "local", "service", {{"member-1", 5432, 8008}, {"member-2", 5433, 8009}, {"member-3", 5434, 8010}}};
}

ClusterView cluster(std::map<std::string, std::string> records) {
    std::map<std::string, StoredRecord> stored;
    for (auto& [key, value] : records) stored[key] = {std::move(value), Revision(1), {}};
    return parse_cluster(Revision(1), stored);
}

ClusterView healthy_cluster() {
    return cluster({
        {"leader", "member-1"},
        {"status", R"({"optime":50332000})"},
        {"members/member-1",
         R"({"conn_url":"postgres://127.0.0.1:5432/postgres","state":"running","role":"primary","timeline":1,"xlog_location":50332000})"},
        {"members/member-2",
         R"({"conn_url":"postgres://127.0.0.1:5433/postgres","state":"running","role":"replica","timeline":1,"replication_state":"streaming","xlog_location":50332000,"receive_lsn":50332000,"replay_lsn":50332000})"},
        {"members/member-3",
         R"({"conn_url":"postgres://127.0.0.1:5434/postgres","state":"running","role":"replica","timeline":1,"replication_state":"streaming","xlog_location":50331904,"receive_lsn":50331904,"replay_lsn":50330000})"},
    });
}

View view(std::vector<MemberView> members, std::string status) {
    View view{"pgherd: cluster \"local\" in /srv/herd", std::move(status), std::move(members), {}, {}};
    view.events = {"12:00:01 starting 3 members in /srv/herd", "12:00:03 healthy after 2.4 s"};
    view.hints = {"connect:  " + psql_line(Directory("/srv/herd"), three()), "stop:     Ctrl-C"};
    return view;
}

TEST(LocalView, AHealthyClusterLooksLikeThis) {
    auto members = describe_members(three(), healthy_cluster(), {});
    EXPECT_TRUE(is_healthy(members));
    expect_golden("healthy", render(view(members, "healthy"), 100));
}

TEST(LocalView, AClusterThatStartsLooksLikeThis) {
    auto members = describe_members(
        three(),
        cluster({{"members/member-1", R"({"state":"initializing new cluster","role":"uninitialized"})"}}),
        {{"member-3", "its agent ended with exit code 1"}});
    EXPECT_EQ(what_is_missing(members), "there is no leader");
    expect_golden("starting", render(view(members, "starting: there is no leader"), 100));
}

TEST(LocalView, LinesAreCutToTheTerminalButWhatIsCopiedIsNot) {
    expect_golden("narrow", render(view(describe_members(three(), healthy_cluster(), {}), "healthy"), 40));
}

TEST(LocalView, TellsWhatIsMissing) {
    auto members = describe_members(three(), healthy_cluster(), {});
    members[2].state = "creating replica";
    EXPECT_EQ(what_is_missing(members), "member-3 is creating replica");
    members[2] = members[1];
    members[2].timeline = "2";
    EXPECT_EQ(what_is_missing(members), "member-2 is on timeline 2");
    members[0].state = "being promoted";
    EXPECT_EQ(what_is_missing(members), "member-1, the leader, is being promoted");
}

TEST(LocalView, ALeaderThatIsNotYetAPrimaryIsBeingPromoted) {
    auto members = describe_members(
        three(),
        cluster({{"leader", "member-2"},
                 {"members/member-2",
                  R"({"state":"running","role":"replica","replication_state":"streaming"})"}}),
        {});
    EXPECT_EQ(members[1].state, "being promoted");
}

TEST(LocalView, EveryChangeButTheLagIsALine) {
    auto before = describe_members(three(), healthy_cluster(), {});
    auto after = before;
    after[1].lag = "1.0 MB";
    EXPECT_TRUE(changes(before, after).empty());
    after[0].role = "replica";
    after[0].state = "starting";
    after[1].timeline = "2";
    EXPECT_EQ(changes(before, after), (std::vector<std::string>{"member-1: replica, starting, timeline 1",
                                                                "member-2: replica, streaming, timeline 2"}));
}

TEST(LocalView, BytesAreForPeople) {
    EXPECT_EQ(human_bytes(0), "0");
    EXPECT_EQ(human_bytes(1000), "1000 B");
    EXPECT_EQ(human_bytes(1536), "1.5 kB");
    EXPECT_EQ(human_bytes(std::uint64_t(5) << 30), "5.0 GB");
}

TEST(LocalView, ThePasteableLineQuotesWhatNeedsIt) {
    EXPECT_EQ(psql_line(Directory("/srv/my herd"), {"local", "service", {{"member-1", 5432, 8008}}}),
              "psql \"host=127.0.0.1 port=5432 user=postgres dbname=postgres target_session_attrs=read-write "
              "passfile='/srv/my herd/pgpass'\"");
}

}  // namespace
}  // namespace pgherd::local
