#include "supervisor/state_keeper.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/testing/temp_dir.h"
#include "supervise/layer_yaml.h"

namespace pgherd::supervisor {
namespace {

using namespace std::chrono_literals;

class NoLog final : public Log {
  public:
    void write(const LogEvent&) override {}
};

// One life of a supervisor, on the state that an earlier one has left.
struct Life {
    explicit Life(const std::string& path) {
        EXPECT_TRUE(books.layers.load({}));
        keeper.restore(path);
        keeper.begin();
    }
    void note(const std::string& key) {
        books.notices.record({.type = "custom", .key = key}, WallTime(1'000'000'000s));
    }
    void save() { keeper.save(now += 10s); }
    bool knows(std::string_view key) { return books.notices.find(std::nullopt, "custom", key) != nullptr; }

    NoLog log;
    Books books;
    StateKeeper keeper{books, "boot", log};
    Instant now{1h};
};

TEST(StateKeeper, GoesOnWithoutAStateThatCannotBeRead) {
    TempDir dir;
    const std::string path = dir.file("state");
    std::filesystem::create_directory(path);
    Life first(path);
    first.note("example.com/a");
    first.save();
    EXPECT_TRUE(Life(path).knows("example.com/a")) << "and what there was is out of the way";
    EXPECT_TRUE(std::filesystem::is_directory(path + ".old"));
}

TEST(StateKeeper, KeepsEverythingOnceTheDiskTakesItAgain) {
    TempDir dir;
    const std::string path = dir.file("state");
    std::filesystem::create_directory(path + ".new");  // where it is written first
    Life first(path);
    first.note("example.com/a");
    first.save();
    EXPECT_FALSE(first.keeper.keep_identities()) << "which must be on disk";
    std::filesystem::remove(path + ".new");
    first.note("example.com/b");
    first.save();
    EXPECT_TRUE(first.keeper.keep_identities());
    Life second(path);
    EXPECT_TRUE(second.knows("example.com/a") && second.knows("example.com/b"));
}

// The journal may be written anew at any time, in the very last moment too.
TEST(StateKeeper, KeepsTheEndWhenTheJournalIsWrittenAnew) {
    const std::string yaml = "services:\n    a:\n        override: replace\n        command: true\n";
    for (const bool in_order : {false, true}) {
        TempDir dir;
        const std::string path = dir.file("state");
        {
            Life first(path);
            auto layer = supervise::parse_layer(0, "mine", yaml);
            ASSERT_TRUE(layer) << layer.error().message;
            ASSERT_TRUE(first.books.layers.append(*layer, false));
            first.keeper.keep_layer(first.books.layers.layers().front());
            for (int i = 0; i < 900; ++i)
                first.books.notices.record({.type = "custom",
                                            .key = "example.com/" + std::to_string(i),
                                            .data = {{"text", std::string(3000, 'x')}}},
                                           WallTime(1'000'000'000s));
            if (in_order) first.keeper.keep_end();
            first.save();
        }
        EXPECT_EQ(Life(path).books.layers.plan().services.contains("a"), !in_order);
    }
}

}  // namespace
}  // namespace pgherd::supervisor
