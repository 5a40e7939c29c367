#include "supervisor/state_file.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "codec/json.h"

namespace pgherd::supervisor {
namespace {

class StateFileTest : public testing::Test {
  protected:
    StateFileTest() {
        char name[] = "/tmp/pgherd-state-XXXXXX";
        directory_ = ::mkdtemp(name);
        path_ = directory_ + "/state";
    }
    ~StateFileTest() override { std::filesystem::remove_all(directory_); }

    std::string read(const std::string& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
    // The numbers of the records {"n": …}.
    std::string numbers(std::string* warning = nullptr) {
        auto loaded = StateFile(path_).load();
        EXPECT_TRUE(loaded) << loaded.error().message;
        std::string text;
        for (const JsonObject& record : loaded->records)
            if (const Json* number = record.if_contains("n")) text += pgherd::to_text(*number) + " ";
        if (warning) *warning = loaded->warning;
        return text;
    }
    std::string directory_, path_;
};

TEST_F(StateFileTest, GivesBackWhatWasWritten) {
    EXPECT_EQ(numbers(), "");
    {
        StateFile file(path_);
        ASSERT_TRUE(file.rewrite([](const auto& keep) { keep({{"n", 1}}); }));
        file.append({{"n", 2}});
        ASSERT_TRUE(file.flush());
        file.append({{"n", 3}});
    }
    EXPECT_EQ(numbers(), "1 2 3 ") << "also what the end found in the buffer";
}

TEST_F(StateFileTest, ReadsTheWholeLinesWhereverItWasCutOff) {
    {
        StateFile file(path_);
        ASSERT_TRUE(file.rewrite([](const auto& keep) { keep({{"n", 1}}); }));
        for (int i = 2; i < 20; ++i) file.append({{"n", i}});
    }
    const std::string whole = read(path_);
    const std::size_t snapshot = whole.find("snapshot-end") + 20;
    for (std::size_t length = whole.size(); length > snapshot; --length) {
        write(path_, whole.substr(0, length));
        const std::string got = numbers();
        EXPECT_TRUE(std::string("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 ").starts_with(got))
            << length;
    }
}

TEST_F(StateFileTest, TakesTheOldJournalWhenTheNewOneIsIncomplete) {
    StateFile file(path_);
    ASSERT_TRUE(file.rewrite([](const auto& keep) { keep({{"n", 1}}); }));
    ASSERT_TRUE(file.rewrite([](const auto& keep) { keep({{"n", 2}}); }));
    EXPECT_EQ(numbers(), "2 ");
    write(path_, read(path_).substr(0, 20));
    std::string warning;
    EXPECT_EQ(numbers(&warning), "1 ");
    EXPECT_FALSE(warning.empty());
}

TEST_F(StateFileTest, PutsAsideWhatItCannotRead) {
    for (const std::string& content :
         {std::string(), std::string("{"), std::string(4096, '\0'), std::string("{\"data\":7}")}) {
        write(path_, content);
        std::string warning;
        EXPECT_EQ(numbers(&warning), "");
        EXPECT_FALSE(warning.empty());
        EXPECT_TRUE(std::filesystem::exists(path_ + ".damaged"));
    }
}

TEST_F(StateFileTest, KeepsARecordOfAnyBytes) {
    {
        StateFile file(path_);
        ASSERT_TRUE(file.rewrite([](const auto&) {}));
        file.append({{"n", 1}, {"log", "hello \xff w\xf6rld"}});
        file.append({{"n", 2}});
    }
    std::string warning;
    EXPECT_EQ(numbers(&warning), "1 2 ");
    EXPECT_EQ(warning, "");
}

TEST_F(StateFileTest, AsksForAnotherTryWhenItCannotBeWritten) {
    std::filesystem::create_directory(path_ + ".new");  // where the new one is written
    StateFile file(path_);
    EXPECT_FALSE(file.rewrite([](const auto&) {}));
    EXPECT_TRUE(file.has_grown());
    file.append({{"n", 1}});
    EXPECT_TRUE(file.flush());
    EXPECT_FALSE(file.flush(true));
    std::filesystem::remove(path_ + ".new");
    ASSERT_TRUE(file.rewrite([](const auto& keep) { keep({{"n", 2}}); }));
    EXPECT_FALSE(file.has_grown());
    file.append({{"n", 3}});
    ASSERT_TRUE(file.flush(true));
    EXPECT_EQ(numbers(), "2 3 ");
}

// A full disk, by the limit on the size of files.
class SizeLimit {
  public:
    explicit SizeLimit(rlim_t bytes) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit now{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &now);
    }
    ~SizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

  private:
    rlimit before_{};
};

TEST_F(StateFileTest, HasNoHalfLineOfWhatTheDiskDidNotTake) {
    StateFile file(path_);
    ASSERT_TRUE(file.rewrite([](const auto& keep) { keep({{"n", 1}}); }));
    {
        const SizeLimit limit(std::filesystem::file_size(path_) + 10);
        file.append({{"n", 2}, {"text", std::string(100, 'x')}});
        EXPECT_FALSE(file.flush());
        EXPECT_TRUE(file.has_grown());
    }
    file.append({{"n", 3}});
    ASSERT_TRUE(file.flush());
    std::string warning;
    EXPECT_EQ(numbers(&warning), "1 3 ");
    EXPECT_EQ(warning, "");
}

TEST_F(StateFileTest, AsksToBeWrittenAnewWhenItHasGrown) {
    StateFile file(path_);
    ASSERT_TRUE(file.rewrite([](const auto&) {}));
    EXPECT_FALSE(file.has_grown());
    for (int i = 0; i < 20; ++i) file.append({{"text", std::string(64 * 1024, 'x')}});
    ASSERT_TRUE(file.flush());
    EXPECT_TRUE(file.has_grown());
    ASSERT_TRUE(file.rewrite([](const auto&) {}));
    EXPECT_FALSE(file.has_grown());
}

}  // namespace
}  // namespace pgherd::supervisor
