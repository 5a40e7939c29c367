#include "ctl/location.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace pgherd::ctl {
namespace {

class LocationTest : public testing::Test {
  protected:
    LocationTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "pgherd-ctl-XXXXXX").string();
        dir = ::mkdtemp(pattern.data());
    }
    ~LocationTest() override { std::filesystem::remove_all(dir); }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(dir / name) << text;
        return (dir / name).string();
    }

    std::filesystem::path dir;
};

TEST_F(LocationTest, ReadsTheDirectoryOfUp) {
    write(
        "cluster.json",
        R"({"scope":"demo","namespace":"ns","store":{"sqlite":"store.db"},"rest":{"username":"u","password_file":"secret"}})");
    write("secret", "p\n");
    auto location = locate({.dir = dir.string()}, {});
    ASSERT_TRUE(location) << location.error().message;
    EXPECT_EQ(location->scope, "demo");
    EXPECT_EQ(location->store.path, (dir / "store.db").string());
    EXPECT_EQ(location->key_prefix(), "/ns/demo/");
    EXPECT_EQ(location->rest.username, "u");
    EXPECT_EQ(location->rest.password, "p");
}

TEST_F(LocationTest, FindsADirectoryWithoutBeingTold) {
    write("cluster.json", R"({"scope":"demo","store":{"etcd":["10.0.0.1:2379","10.0.0.2:2379"]}})");
    auto location = locate({}, {{"PGHERD_DIR", dir.string()}});
    ASSERT_TRUE(location) << location.error().message;
    EXPECT_EQ(location->store.kind, StoreKind::etcd);
    EXPECT_EQ(location->store.endpoints.size(), 2u);
    std::filesystem::create_directories(dir / ".pgherd/default");
    std::filesystem::rename(dir / "cluster.json", dir / ".pgherd/default/cluster.json");
    EXPECT_TRUE(locate({}, {{"HOME", dir.string()}}));
}

TEST_F(LocationTest, ReadsAConfigurationOfPatronictl) {
    auto path = write("patronictl.yaml",
                      "scope: demo\netcd3:\n  hosts: 10.0.0.1:2379,10.0.0.2:2379\nrestapi:\n  "
                      "authentication:\n    username: u\n    password: p\n");
    auto location = locate({.config = path}, {});
    ASSERT_TRUE(location) << location.error().message;
    EXPECT_EQ(location->scope, "demo");
    EXPECT_EQ(location->store.endpoints.size(), 2u);
    EXPECT_EQ(location->rest.username, "u");
}

TEST_F(LocationTest, TellsWhichFileIsMissingOrWrong) {
    auto missing = locate({.dir = dir.string()}, {});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::not_found);
    EXPECT_NE(missing.error().message.find("cluster.json"), std::string::npos);
    write("cluster.json", "{");
    EXPECT_EQ(locate({.dir = dir.string()}, {}).error().code, ErrorCode::invalid);
    EXPECT_EQ(locate({.dir = dir.string(), .store = "sqlite:/x"}, {}).error().code, ErrorCode::invalid);
}

TEST(StoreUrl, NamesTheKindAndThePlace) {
    EXPECT_EQ(parse_store_url("sqlite:/x/store.db")->store.path, "/x/store.db");
    EXPECT_EQ(parse_store_url("sqlite:///x/store.db")->store.path, "/x/store.db");
    auto etcd = parse_store_url("etcd://a:1,b/ns").value();
    EXPECT_EQ(etcd.store.endpoints, (std::vector<Endpoint>{{"a", 1}, {"b", 2379}}));
    EXPECT_EQ(etcd.namespace_, "ns");
    EXPECT_TRUE(parse_store_url("etcds://a:1")->store.https);
    for (auto url : {"", "etcd:", "etcd://", "a:1", "http://a:1", "sqlite:"})
        EXPECT_FALSE(parse_store_url(url)) << url;
}

}  // namespace
}  // namespace pgherd::ctl
