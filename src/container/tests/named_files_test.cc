#include "container/named_files.h"

#include <fstream>

#include <gtest/gtest.h>

#include "temp_dir.h"

namespace pgherd::container {
namespace {

TEST(NamedFiles, GiveVariablesTheirValues) {
    const TempDir dir;
    std::ofstream(dir.file("db")) << "shop\n";
    std::ofstream(dir.file("user")) << "admin";
    auto environment =
        read_named_files({{"POSTGRES_DB_FILE", dir.file("db")}, {"POSTGRES_USER_FILE", dir.file("user")}});
    ASSERT_TRUE(environment) << environment.error().message;
    EXPECT_EQ(environment->at("POSTGRES_DB"), "shop");
    EXPECT_EQ(environment->at("POSTGRES_USER"), "admin");
    EXPECT_EQ((*environment)["POSTGRES_INITDB_ARGS"], "");
}

TEST(NamedFiles, AreMissingOrInTheWayWithTheVariablesName) {
    auto message = [](const Environment& environment) {
        const auto read = read_named_files(environment);
        return read ? "no mistake" : read.error().message;
    };
    EXPECT_EQ(message({{"POSTGRES_DB_FILE", "/none"}}),
              "cannot read POSTGRES_DB_FILE /none: No such file or directory");
    EXPECT_EQ(message({{"POSTGRES_DB_FILE", "/none"}, {"POSTGRES_DB", "shop"}}),
              "POSTGRES_DB and POSTGRES_DB_FILE are both set; keep one of them");
}

TEST(NamedFiles, OfThePasswordAreLeftToTheAgent) {
    const auto environment = read_named_files({{"POSTGRES_PASSWORD_FILE", "/none"}});
    ASSERT_TRUE(environment) << environment.error().message;
    EXPECT_EQ(environment->at("POSTGRES_PASSWORD_FILE"), "/none");
}

}  // namespace
}  // namespace pgherd::container
