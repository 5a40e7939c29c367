// The order and the manner in which scripts are run; a psql that only notes what it was given stands for the
// real one.
#include "container/first_database.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/files.h"
#include "temp_dir.h"

namespace pgherd::container {
namespace {

namespace fs = std::filesystem;

// Notes the database, and the command or the text of the file; what comes from its input where there is
// neither.
constexpr const char* kPsql = R"sh(
for word; do case $word in
    --dbname=*) printf '%s ' "${word#--}" ;;
    --command=*) printf '%s ' "${word#--}"; given=yes ;;
    --file=*) printf '%s ' "$(cat "${word#--file=}")"; given=yes ;;
esac; done >>"$NOTES"
[ "$given" ] || cat >>"$NOTES"
echo >>"$NOTES"
)sh";

class FirstDatabaseTest : public testing::Test {
  protected:
    FirstDatabaseTest() : path_(std::getenv("PATH")) {
        fs::create_directory(scripts());
        program(dir_.file("psql"), kPsql);
        ::setenv("PATH", (dir_.path() + ":" + path_).c_str(), 1);
        ::setenv("NOTES", dir_.file("notes").c_str(), 1);
    }
    ~FirstDatabaseTest() override { ::setenv("PATH", path_.c_str(), 1); }

    std::string scripts() const { return dir_.file("scripts"); }
    void script(const std::string& name, const std::string& text) {
        std::ofstream(scripts() + "/" + name) << text;
    }
    void program(const std::string& path, const std::string& text) {
        std::ofstream(path) << "#!/bin/sh\n" << text;
        fs::permissions(path, fs::perms::owner_all);
    }
    Status create(const std::string& database) {
        return create_first_database({"user=admin", "admin", database, scripts(), "/data"});
    }
    std::string notes() const { return read_file(dir_.file("notes")).value_or(""); }

    TempDir dir_;
    std::string path_;
};

TEST_F(FirstDatabaseTest, IsMadeUnlessEveryClusterHasIt) {
    ASSERT_TRUE(create("shop"));
    EXPECT_NE(notes().find("dbname=user=admin command=CREATE DATABASE \"shop\""), std::string::npos);
    fs::remove(dir_.file("notes"));
    for (const char* there : {"", "postgres", "template1"}) {
        ASSERT_TRUE(create(there)) << there;
        EXPECT_EQ(notes(), "") << there;
    }
}

TEST_F(FirstDatabaseTest, GetsTheScriptsInTheOrderOfTheirNames) {
    script("3.sh", "words=(of bash); echo \"${words[1]} $POSTGRES_DB $PGUSER $PGDATA\" >>\"$NOTES\"\n");
    script("2.sql", "select 2");
    script("README", "left out");
    script(".hidden.sql", "left out");
    program(scripts() + "/1.sh", "echo run >>\"$NOTES\"\n");
    ASSERT_TRUE(create("postgres"));
    EXPECT_EQ(notes(), "run\ndbname=user=admin select 2 \nbash postgres admin /data\n");
}

TEST_F(FirstDatabaseTest, GetsPackedScriptsToo) {
    script("a.sql", "select 'packed'");
    ASSERT_EQ(std::system(("gzip " + scripts() + "/a.sql").c_str()), 0);
    ASSERT_TRUE(create("postgres"));
    EXPECT_NE(notes().find("select 'packed'"), std::string::npos);
}

TEST_F(FirstDatabaseTest, IsNoneWhenAScriptFails) {
    script("1.sh", "false | true; echo gone on >>\"$NOTES\"\n");
    EXPECT_FALSE(create("postgres"));
    EXPECT_EQ(notes(), "");
}

}  // namespace
}  // namespace pgherd::container
