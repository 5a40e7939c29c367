// The whole subcommand, on a store on disk.
#include "ctl/ctl.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>
#include <unistd.h>

#include "codec/json.h"
#include "eventloop/loop.h"
#include "store_sqlite/store_sqlite.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;

class Ctl : public testing::Test {
  protected:
    Ctl() {
        std::string pattern = (std::filesystem::temp_directory_path() / "pgherd-ctl-XXXXXX").string();
        dir = ::mkdtemp(pattern.data());
        std::ofstream(dir / "cluster.json")
            << R"({"scope":"demo","namespace":"service","store":{"sqlite":"store.db"}})";
        EventLoop loop;
        auto store = open_sqlite_store(loop, (dir / "store.db").string()).value();
        for (
            const auto& [key, value] : std::map<std::string, std::string>{
                {"config", R"({"ttl":30})"},
                {"initialize", "77"},
                {"leader", "a"},
                {"members/a",
                 R"({"conn_url":"postgres://127.0.0.1:5432/postgres","api_url":"http://127.0.0.1:1/patroni","state":"running","role":"primary","timeline":1})"}}) {
            std::optional<Result<Revision>> done;
            store->swap({.key = key, .expect = IfAbsent{}, .value = value}, loop.clock().now() + 5s,
                        [&](Result<Revision> result) { done = result; });
            loop.run_until([&] { return done.has_value(); }, 6s);
        }
    }
    ~Ctl() override { std::filesystem::remove_all(dir); }

    int run(std::vector<std::string> words) {
        testing::internal::CaptureStdout();
        int code = ctl_main(words);
        output = testing::internal::GetCapturedStdout();
        return code;
    }

    std::filesystem::path dir;
    std::string output;
};

TEST_F(Ctl, ListsTheClusterOfADirectory) {
    for (auto words :
         {std::vector<std::string>{"--dir", dir.string(), "list", "--format", "json"},
          {"list", "-f", "json", "--dir", dir.string()},
          {"--store", "sqlite:" + (dir / "store.db").string(), "--scope", "demo", "list", "-f", "json"}}) {
        ASSERT_EQ(run(words), 0);
        EXPECT_EQ(
            to_text(parse_json(output).value()),
            R"([{"Cluster":"demo","Member":"a","Host":"127.0.0.1","Role":"Leader","State":"running","TL":1}])");
    }
}

TEST_F(Ctl, ChangesTheConfiguration) {
    EXPECT_EQ(run({"--dir", dir.string(), "edit-config", "-s", "ttl=20", "-q", "--force"}), 0);
    EXPECT_EQ(run({"--dir", dir.string(), "show-config"}), 0);
    EXPECT_EQ(output, "ttl: 20\n");
}

TEST_F(Ctl, SurvivesPathsThatCannotBeLookedAt) {
    const std::string path = "/tmp/" + std::string(300, 'x');  // longer than a name may be
    EXPECT_EQ(run({"list", "--dir", path}), 3);
    EXPECT_EQ(run({"list", "-c", path}), 3);
    EXPECT_EQ(run({"list", "--store", "sqlite:" + path}), 3);
    EXPECT_EQ(run({"edit-config", "--dir", dir.string(), "--apply", path}), 2);
}

TEST_F(Ctl, TellsByItsExitCodeWhatWentWrong) {
    EXPECT_EQ(run({}), 2);
    EXPECT_EQ(run({"--help"}), 0);
    EXPECT_EQ(run({"no-such-verb"}), 2);
    EXPECT_EQ(run({"list", "--dir", ""}), 2);
    EXPECT_EQ(run({"list", "--dir="}), 2);
    EXPECT_EQ(run({"list", "--format", "xml", "--dir", dir.string()}), 2);
    EXPECT_EQ(run({"list", "--dir", "/nonexistent"}), 3);
    EXPECT_EQ(run({"list", "--dir", dir.string(), "other"}), 3);
    EXPECT_EQ(run({"list", "--store", "sqlite:/nonexistent/store.db"}), 3);
    EXPECT_EQ(run({"--dir", dir.string(), "reload", "--force"}), 1);  // nobody listens there
    EXPECT_FALSE(std::filesystem::exists("/nonexistent"));
}

TEST_F(Ctl, PrintsCompletionsForShells) {
    for (auto shell : {"bash", "zsh", "fish"}) {
        EXPECT_EQ(run({"completion", shell}), 0);
        for (auto verb : {"switchover", "edit-config", "topology"})
            EXPECT_NE(output.find(verb), std::string::npos) << shell;
    }
    EXPECT_EQ(run({"completion", "tcsh"}), 2);
}

}  // namespace
}  // namespace pgherd
