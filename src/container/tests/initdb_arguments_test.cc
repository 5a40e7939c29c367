#include "container/initdb_arguments.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pgherd::container {
namespace {

std::string read(std::string_view text) {
    const auto options = initdb_arguments(text);
    return options ? join(*options, " | ") : options.error().message;
}

TEST(InitdbArguments, AreReadAsAShellWouldReadThem) {
    EXPECT_EQ(read(""), "");
    EXPECT_EQ(read("--data-checksums  --locale=C"), "--data-checksums | --locale=C");
    EXPECT_EQ(read("--lc-messages='de DE' --no-locale"), "--lc-messages=de DE | --no-locale");
}

TEST(InitdbArguments, MayHaveTheirValuesInAWordOfTheirOwn) {
    EXPECT_EQ(read("--encoding UTF8 --data-checksums --locale C"),
              "--encoding=UTF8 | --data-checksums | --locale=C");
    EXPECT_EQ(read("-E UTF8 -k -ATRUST -c work_mem=8MB"),
              "--encoding=UTF8 | --data-checksums | --auth=TRUST | --set=work_mem=8MB");
}

TEST(InitdbArguments, ThatSayWhatPgherdSaysAreRefused) {
    for (const char* text :
         {"--pgdata=/x", "--username admin", "--pwfile=/x", "--waldir=/wal", "-X/wal", "-U"})
        EXPECT_EQ(read(text).find("there is no use for"), 0U) << text;
    EXPECT_EQ(read("UTF8"), "there is no use for \"UTF8\" here");
    EXPECT_EQ(read("-kE"), "there is no use for \"-kE\" here");
    EXPECT_EQ(read("-"), "there is no use for \"-\" here");
    EXPECT_EQ(read("-E"), "there is no use for \"-E\" here");
}

}  // namespace
}  // namespace pgherd::container
