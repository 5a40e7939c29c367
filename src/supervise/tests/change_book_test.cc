#include "supervise/change_book.h"

#include <gtest/gtest.h>

#include "supervise/wire.h"

namespace pgherd::supervise {
namespace {

using namespace std::chrono_literals;

struct Books {
    NoticeBook notices;
    ChangeBook changes{notices};
    WallTime now{1'000'000'000s};

    // Tasks "lane" or "lane<position": {"0", "0<0", "1"}.
    ChangeId add(const std::vector<std::string>& tasks) {
        NewChange change{.kind = "start", .summary = "Start"};
        for (const std::string& text : tasks) {
            NewTask task{.kind = "start", .summary = "Task " + std::to_string(change.tasks.size())};
            task.lane = static_cast<std::uint32_t>(text[0] - '0');
            if (text.size() > 2) task.waits_for.push_back(static_cast<std::size_t>(text[2] - '0'));
            change.tasks.push_back(task);
        }
        return changes.add(change, now);
    }
    std::string statuses(ChangeId id) {
        std::string text(to_string(changes.find(id)->status));
        for (const TaskId task : changes.find(id)->tasks)
            text += " " + std::string(to_string(changes.find_task(task)->status));
        return text;
    }
};

TEST(ChangeBook, RunsALaneOneAfterTheOtherAndLanesSideBySide) {
    Books books;
    const ChangeId id = books.add({"0", "0<0", "1"});
    EXPECT_EQ(books.statuses(id), "Do Do Do Do");
    EXPECT_EQ(books.changes.take_startable(books.now), (std::vector<TaskId>{1, 3}));
    EXPECT_EQ(books.statuses(id), "Doing Doing Do Doing");
    books.changes.finish(1, books.now);
    EXPECT_EQ(books.changes.take_startable(books.now), (std::vector<TaskId>{2}));
    books.changes.finish(3, books.now);
    EXPECT_TRUE(books.changes.take_ready().empty());
    books.changes.finish(2, books.now);
    EXPECT_EQ(books.statuses(id), "Done Done Done Done");
    EXPECT_EQ(books.changes.take_ready(), (std::vector<ChangeId>{id}));
    EXPECT_TRUE(books.changes.find(id)->ready);
}

TEST(ChangeBook, HoldsTheRestOfALaneThatFailed) {
    Books books;
    const ChangeId id = books.add({"0", "0<0", "1"});
    books.changes.take_startable(books.now);
    books.changes.fail(1, "it broke", books.now);
    EXPECT_EQ(books.statuses(id), "Doing Error Hold Doing");
    books.changes.finish(3, books.now);
    EXPECT_EQ(books.statuses(id), "Error Error Hold Done");
    EXPECT_EQ(books.changes.error_of(*books.changes.find(id)),
              "cannot perform the following tasks:\n- Task 0 (it broke)");
}

TEST(ChangeBook, EndsWhatIsUnderWayInALaneThatFailed) {
    Books books;
    const ChangeId id = books.add({"0", "0"});
    books.changes.take_startable(books.now);
    books.changes.fail(1, "it broke", books.now);
    EXPECT_EQ(books.changes.take_to_abort(), (std::vector<TaskId>{2}));
    EXPECT_EQ(books.statuses(id), "Abort Error Abort");
    books.changes.fail(2, "ended", books.now);
    EXPECT_EQ(books.statuses(id), "Error Error Error");
}

TEST(ChangeBook, IsDoneAtOnceWithoutTasks) {
    Books books;
    const ChangeId id = books.add({});
    EXPECT_EQ(books.statuses(id), "Done");
    EXPECT_EQ(books.changes.take_ready(), (std::vector<ChangeId>{id}));
}

TEST(ChangeBook, AbortsWhatIsPendingAndRefusesWhenNothingIs) {
    Books books;
    const ChangeId id = books.add({"0", "0<0"});
    books.changes.take_startable(books.now);
    ASSERT_TRUE(books.changes.abort(id, {}, books.now));
    EXPECT_EQ(books.changes.take_to_abort(), (std::vector<TaskId>{1}));
    books.changes.fail(1, "aborted", books.now);
    EXPECT_EQ(books.statuses(id), "Error Error Hold");
    EXPECT_EQ(books.changes.abort(id, {}, books.now).error().message,
              "cannot abort change 1 with nothing pending");
}

TEST(ChangeBook, AnnouncesEachStatusButNotTheGapBetweenTwoTasks) {
    Books books;
    books.add({"0", "0<0"});
    const auto occurrences = [&] { return books.notices.find(1)->occurrences; };
    EXPECT_EQ(occurrences(), 1u);
    books.changes.take_startable(books.now);
    EXPECT_EQ(occurrences(), 2u);
    books.changes.finish(1, books.now);
    books.changes.take_startable(books.now);
    EXPECT_EQ(occurrences(), 2u);
    books.changes.finish(2, books.now);
    EXPECT_EQ(occurrences(), 3u);
    EXPECT_EQ(books.notices.find(1)->last_data.at("kind"), "start");
    EXPECT_EQ(books.notices.find(1)->key, "1");
}

TEST(ChangeBook, KeepsTheLastTenLinesOfATasksLog) {
    Books books;
    books.add({"0"});
    for (int i = 0; i < 15; ++i) books.changes.log(1, LogKind::info, std::to_string(i), books.now);
    EXPECT_EQ(books.changes.find_task(1)->log.size(), 10u);
    EXPECT_EQ(books.changes.find_task(1)->log.back(), "2001-09-09T01:46:40Z INFO 14");
}

TEST(ChangeBook, ForgetsOldChangesAndThoseBeyondAThousand) {
    Books books;
    for (int i = 0; i < 1010; ++i) books.add({});
    books.changes.prune(books.now);
    EXPECT_EQ(books.changes.changes().size(), 1000u);
    EXPECT_EQ(books.changes.take_removed().front(), 1u);
    const ChangeId open = books.add({"0"});
    books.changes.prune(books.now + 24h * 8);
    EXPECT_EQ(books.changes.changes().size(), 1u);
    EXPECT_TRUE(books.changes.find(open));
}

TEST(ChangeBook, ComesBackFromItsRecordsWithNothingUnderWay) {
    Books books;
    const ChangeId id = books.add({"0", "0<0"});
    books.changes.take_startable(books.now);
    books.changes.log(1, LogKind::info, "hello", books.now);
    Books again;
    for (const TaskId task : books.changes.find(id)->tasks)
        again.changes.restore(*read_task(task_record(*books.changes.find_task(task))));
    again.changes.restore(*read_change(change_record(*books.changes.find(id))));
    again.changes.give_up_unfinished(books.now);
    EXPECT_EQ(again.statuses(id), "Error Error Hold");
    EXPECT_NE(again.changes.error_of(*again.changes.find(id)).find("restarted"), std::string::npos);
    EXPECT_EQ(again.add({}), id + 1);
}

TEST(Wire, RefusesDamagedRecords) {
    EXPECT_FALSE(read_change({}));
    EXPECT_FALSE(read_task({{"id", "1"}}));
    EXPECT_FALSE(read_notice({{"id", 1}, {"first", "x"}}));
}

TEST(ChangeBook, StaysSmallHoweverManyChangesClientsMake) {
    Books books;
    const ChangeId waiting = books.add({"0"});
    ChangeId last = 0;
    for (int i = 0; i < 10'000; ++i) last = books.add({});
    EXPECT_LE(books.changes.changes().size(), 2002u);
    EXPECT_TRUE(books.changes.find(waiting)) << "only what is over is forgotten";
    EXPECT_TRUE(books.changes.find(last - 999));
}

TEST(NoticeBook, CountsByUserTypeAndKey) {
    NoticeBook book;
    const WallTime now{1'000'000'000s};
    const NoticeInput input{.user = 0, .type = "custom", .key = "example.com/a"};
    const auto first = book.record(input, now);
    const auto second = book.record(input, now);
    EXPECT_EQ(first.id, second.id);
    EXPECT_TRUE(second.repeated);
    EXPECT_EQ(book.find(first.id)->occurrences, 2u);
    EXPECT_GT(book.find(first.id)->last_repeated, book.find(first.id)->first_occurred)
        << "times are all different";
    NoticeInput other = input;
    other.user = 1000;
    EXPECT_NE(book.record(other, now).id, first.id);
}

TEST(NoticeBook, HoldsARepetitionBackUntilItsTime) {
    NoticeBook book;
    const WallTime now{1'000'000'000s};
    const NoticeInput input{.user = 0, .type = "custom", .key = "example.com/a", .repeat_after = 1h};
    book.record(input, now);
    EXPECT_FALSE(book.record(input, now + 59min).repeated);
    EXPECT_TRUE(book.record(input, now + 61min).repeated);
}

TEST(NoticeBook, GivesAUserHisOwnAndThePublicOnesAfterAGivenTime) {
    NoticeBook book;
    const WallTime now{1'000'000'000s};
    book.record({.user = 1000, .type = "custom", .key = "example.com/a"}, now);
    book.record({.user = std::nullopt, .type = "change-update", .key = "1"}, now + 1s);
    book.record({.user = 0, .type = "custom", .key = "example.com/b"}, now + 2s);
    NoticeFilter filter{.user = 0};
    EXPECT_EQ(book.matching(filter, now).size(), 2u);
    filter.after = now + 1s;
    EXPECT_EQ(book.matching(filter, now).size(), 1u);
    filter.types = {"change-update"};
    EXPECT_FALSE(book.any(filter, now));
    EXPECT_TRUE(book.matching({.all_users = true}, now + 24h * 8).empty()) << "they expire";
}

TEST(CustomNotice, NeedsAKeyThatLooksLikeAnAddress) {
    for (const std::string key : {"example.com/a", "a.b/c-d/e", "my-host.example.org/x1"})
        EXPECT_TRUE(validate_custom_notice({.type = "custom", .key = key})) << key;
    for (const std::string key :
         {"", "bad", "example.com", "Example.com/a", "example.com/", "a/b.c", "a..b/c", "-a.b/c"})
        EXPECT_FALSE(validate_custom_notice({.type = "custom", .key = key})) << key;
    EXPECT_FALSE(validate_custom_notice({.type = "warning", .key = "example.com/a"}));
}

}  // namespace
}  // namespace pgherd::supervise
