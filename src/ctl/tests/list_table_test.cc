#include "ctl/list_table.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "codec/json.h"
#include "sample.h"

namespace pgherd::ctl {
namespace {

const Sample kPlain{};
const Sample kTags{.restart_pending = true, .tags = true};
const Sample kSync{.synchronous = true, .scheduled = true, .pause = true};

std::string golden(const std::string& name) {
    std::ifstream file(std::string(PGHERD_TESTDATA) + "/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string rendered(const Sample& sample, ListOptions options) {
    FakeRemote remote;
    fill(remote, sample);
    return render_list(remote.load()->view, "demo", options, WallTime{});
}

TEST(List, LooksLikePatronictls) {
    EXPECT_EQ(rendered(kPlain, {}), golden("list_plain.pretty"));
    EXPECT_EQ(rendered(kTags, {}), golden("list_tags.pretty"));
    EXPECT_EQ(rendered(kSync, {}), golden("list_sync.pretty"));
    EXPECT_EQ(rendered(kPlain, {.extended = true}), golden("list_extended.pretty"));
}

TEST(Topology, LooksLikePatronictls) {
    EXPECT_EQ(rendered(kPlain, {.format = Format::topology}), golden("list_plain.topology"));
    EXPECT_EQ(rendered(kTags, {.format = Format::topology}), golden("list_tags.topology"));
}

TEST(ListAsTsv, LooksLikePatronictls) {
    EXPECT_EQ(rendered(kPlain, {.format = Format::tsv}), golden("list_plain.tsv"));
    EXPECT_EQ(rendered(kTags, {.format = Format::tsv}), golden("list_tags.tsv"));
    EXPECT_EQ(rendered(kSync, {.format = Format::tsv}), golden("list_sync.tsv"));
}

TEST(ListAsJson, MeansWhatPatronictlsMeans) {
    for (const auto& [sample, name] :
         {std::pair{kPlain, "list_plain.json"}, {kTags, "list_tags.json"}, {kSync, "list_sync.json"}})
        EXPECT_EQ(parse_json(rendered(sample, {.format = Format::json})).value(),
                  parse_json(golden(name)).value())
            << name;
}

TEST(List, ShowsMembersWithoutALeader) {
    FakeRemote remote;
    fill(remote, kPlain);
    remote.records.erase("leader");
    remote.records.erase("initialize");
    std::string text = render_list(remote.load()->view, "demo", {.format = Format::topology}, WallTime{});
    EXPECT_NE(text.find("(uninitialized)"), std::string::npos) << text;
    EXPECT_EQ(text.find("Leader"), std::string::npos) << text;
    for (auto name : {"+ a", "+ b", "+ c", "+ d"}) EXPECT_NE(text.find(name), std::string::npos) << text;
}

TEST(Topology, ShowsMembersThatReplicateFromEachOther) {
    FakeRemote remote;
    fill(remote, kPlain);
    remote.put_member("b", R"("state":"running","role":"replica","tags":{"replicatefrom":"c"})");
    remote.put_member("c", R"("state":"running","role":"replica","tags":{"replicatefrom":"b"})");
    std::string text = render_list(remote.load()->view, "demo", {.format = Format::topology}, WallTime{});
    EXPECT_NE(text.find("+ b"), std::string::npos) << text;
    EXPECT_NE(text.find("+ c"), std::string::npos) << text;
}

TEST(List, LeavesThePortOutWhereEverybodyHasTheUsualOne) {
    FakeRemote remote;
    fill(remote, kPlain);
    remote.records.erase("members/c");
    EXPECT_EQ(render_list(remote.load()->view, "demo", {}, WallTime{}).find(":5432"), std::string::npos);
}

TEST(Table, WritesEmptyListsInEveryFormat) {
    Table table{"", {{"x"}}, {}};
    EXPECT_EQ(render(table, Format::json, true), "[]\n");
    EXPECT_EQ(render(table, Format::tsv, true), "x\n");
    EXPECT_EQ(render(table, Format::pretty, true), "+---+\n| x |\n+---+\n+---+\n");
}

}  // namespace
}  // namespace pgherd::ctl
