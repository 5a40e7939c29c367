// What every Store must do: one suite for all backends (simulated, SQLite, etcd, …).
//
// A backend's test file describes how to make a fresh backend, and gets all tests:
//
//     #include "ports/testing/store_conformance.h"
//     INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, ::testing::Values(StoreBackendCase{"sqlite",
//     make_backend}),
//                              store_backend_name);
//
// Include it in one .cc of a test program only; it is one file because it is one suite. Time is the
// backend's: nothing here sleeps, so the suite runs under a virtual clock as well. What one backend alone
// promises (files, endpoints, processes) belongs into tests of its own.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ports/clock.h"
#include "ports/store.h"

namespace pgherd {

// A fresh, empty backend; its destruction removes whatever it needed. Stores made by it go before it.
class StoreBackend {
  public:
    virtual ~StoreBackend() = default;
    // Another client of the same backend, independent of the others as another process would be. Null: it
    // cannot be made.
    virtual std::unique_ptr<Store> client() = 0;
    virtual Clock& clock() = 0;
    // Runs the event loop until the condition holds (checked after every step) or `limit` has passed. Gives
    // the condition.
    virtual bool run_until(const std::function<bool()>& condition, Duration limit) = 0;

    // Interrupts the watches of every client in the backend's own way (cuts connections, compacts, restarts),
    // such that changes can be missed if nobody takes care. False: nothing can interrupt this backend.
    virtual bool interrupt() { return false; }
    // The next write, by the client that was made first, is done but its answer gets lost. False: this
    // backend cannot lose an answer on demand.
    virtual bool lose_next_answer() { return false; }

    // The shortest time to live that is kept exactly, and how much later than it a lease may end.
    virtual Duration shortest_ttl() const { return std::chrono::seconds(1); }
    virtual Duration expiry_slack() const { return std::chrono::seconds(2); }
};

struct StoreBackendCase {
    std::string name;
    std::function<std::unique_ptr<StoreBackend>()> make;  // null result: skip (the server is not installed)
};
inline std::ostream& operator<<(std::ostream& out, const StoreBackendCase& c) {
    return out << c.name;
}
inline std::string store_backend_name(const ::testing::TestParamInfo<StoreBackendCase>& info) {
    return info.param.name;
}

// What a watch has delivered, with the checks that hold for every watch.
class WatchLog {
  public:
    explicit WatchLog(Store& store)
        : watch_(store.watch([this](Result<SnapshotPtr> result) { seen(std::move(result)); })) {}

    void end() { watch_.reset(); }
    std::size_t snapshots() const { return snapshots_; }
    bool saw(const std::string& key, const std::optional<std::string>& value) const {
        if (!last_) return false;
        const auto it = last_->records.find(key);
        return it == last_->records.end() ? !value : value == it->second.value;
    }
    std::function<void(const Snapshot&)> on_snapshot;

  private:
    void seen(Result<SnapshotPtr> result) {
        if (!result) {
            EXPECT_FALSE(failing_) << "an interruption was reported twice: " << result.error().message;
            failing_ = true;
            return;
        }
        failing_ = false;
        ++snapshots_;
        ASSERT_TRUE(*result);
        if (last_) EXPECT_GE((*result)->revision, last_->revision) << "the revision went back";
        last_ = *result;
        for (const auto& [key, record] : last_->records) {
            EXPECT_LE(record.created, record.modified) << key;
            EXPECT_LE(record.modified, last_->revision) << key;
        }
        if (on_snapshot) on_snapshot(*last_);
    }

    bool failing_ = false;
    std::size_t snapshots_ = 0;
    SnapshotPtr last_;
    std::unique_ptr<Watch> watch_;
};

class StoreConformance : public ::testing::TestWithParam<StoreBackendCase> {
  protected:
    static constexpr Duration kLimit = std::chrono::seconds(20);
    // Long enough for a slow machine, far too short for a poll to be mistaken for an event … of a watch of 1
    // s and more.
    static constexpr Duration kPrompt = std::chrono::milliseconds(900);

    void SetUp() override {
        backend_ = GetParam().make();
        if (!backend_) GTEST_SKIP() << GetParam().name << " is not available here";
        a_ = backend_->client();
        b_ = backend_->client();
        ASSERT_TRUE(a_ && b_);
    }
    void TearDown() override {
        a_.reset();
        b_.reset();
        backend_.reset();
    }

    // Starts a call and runs the loop until it has answered.
    template <class T, class Call>
    Result<T> wait(Call call, Duration limit = kLimit) {
        auto answer = std::make_shared<std::optional<Result<T>>>();
        bool inside = true;
        call(backend_->clock().now() + limit, [answer, &inside](Result<T> result) {
            EXPECT_FALSE(inside) << "answered from inside the call";
            EXPECT_FALSE(answer->has_value()) << "answered twice";
            answer->emplace(std::move(result));
        });
        inside = false;
        if (!run_until([&] { return answer->has_value(); }, limit + kLimit)) return fail("no answer");
        return std::move(**answer);
    }
    bool run_until(const std::function<bool()>& condition, Duration limit = kLimit) {
        return backend_->run_until(condition, limit);
    }
    void pass(Duration time) {
        const Instant end = backend_->clock().now() + time;
        const Timer timer = backend_->clock().call_at(end, [] {});
        run_until([&] { return backend_->clock().now() >= end; }, time + kLimit);
    }

    Result<Revision> swap(Store& store, Swap what, Duration limit = kLimit) {
        return wait<Revision>([&](Instant d, auto done) { store.swap(std::move(what), d, std::move(done)); },
                              limit);
    }
    Result<Revision> put(Store& store, std::string key, std::string value, LeaseId lease = {}) {
        return swap(store, {std::move(key), Always{}, std::move(value), lease});
    }
    Result<Revision> erase(Store& store, std::string key) {
        return swap(store, {std::move(key), Always{}, std::nullopt, {}});
    }
    Result<SnapshotPtr> load(Store& store) {
        return wait<SnapshotPtr>([&](Instant d, auto done) { store.load(d, std::move(done)); });
    }
    // The record as a fresh read shows it.
    std::optional<Record> read(Store& store, const std::string& key) {
        const auto snapshot = load(store);
        EXPECT_TRUE(snapshot) << (snapshot ? "" : snapshot.error().message);
        if (!snapshot) return std::nullopt;
        const auto it = (*snapshot)->records.find(key);
        return it == (*snapshot)->records.end() ? std::nullopt : std::optional(it->second);
    }
    std::optional<std::string> value(Store& store, const std::string& key) {
        const auto record = read(store, key);
        return record ? std::optional(record->value) : std::nullopt;
    }
    Result<LeaseId> grant(Store& store, Duration ttl) {
        return wait<LeaseId>([&](Instant d, auto done) { store.grant(ttl, d, std::move(done)); });
    }
    Result<Duration> keep(Store& store, LeaseId lease) {
        return wait<Duration>([&](Instant d, auto done) { store.keep(lease, d, std::move(done)); });
    }
    Status revoke(Store& store, LeaseId lease) {
        return wait<void>([&](Instant d, auto done) { store.revoke(lease, d, std::move(done)); });
    }

    template <class T>
    static ::testing::AssertionResult failed(const Result<T>& result, ErrorCode code) {
        if (result) return ::testing::AssertionFailure() << "it succeeded";
        if (result.error().code != code || result.error().maybe_done())
            return ::testing::AssertionFailure()
                   << to_string(result.error().code) << ": " << result.error().message
                   << (result.error().maybe_done() ? " (maybe done)" : "");
        if (result.error().message.empty())
            return ::testing::AssertionFailure() << "an error without a message";
        return ::testing::AssertionSuccess();
    }
    template <class T>
    static ::testing::AssertionResult succeeded(const Result<T>& result) {
        if (result) return ::testing::AssertionSuccess();
        return ::testing::AssertionFailure()
               << to_string(result.error().code) << ": " << result.error().message;
    }

    std::unique_ptr<StoreBackend> backend_;
    std::unique_ptr<Store> a_;
    std::unique_ptr<Store> b_;
};

// --- reading and writing -----------------------------------------------------------------------------------

TEST_P(StoreConformance, StartsEmptyAndSaysWhereItIs) {
    const auto snapshot = load(*a_);
    ASSERT_TRUE(succeeded(snapshot));
    EXPECT_TRUE((*snapshot)->records.empty());
    EXPECT_FALSE(a_->describe().empty());
}

TEST_P(StoreConformance, AConfirmedWriteIsInEveryLaterRead) {
    for (int i = 0; i < 20; ++i) {
        const auto written = put(i % 2 == 0 ? *a_ : *b_, "config", std::to_string(i));
        ASSERT_TRUE(succeeded(written));
        const auto snapshot = load(i % 2 == 0 ? *b_ : *a_);
        ASSERT_TRUE(succeeded(snapshot));
        const Record& record = (*snapshot)->records.at("config");
        EXPECT_EQ(record.value, std::to_string(i));
        EXPECT_EQ(record.modified, *written);
        EXPECT_GE((*snapshot)->revision, *written);
    }
}

TEST_P(StoreConformance, CreationStaysAndModificationMovesWithEachChange) {
    const auto first = put(*a_, "leader", "m1");
    const auto second = put(*a_, "leader", "m2");
    ASSERT_TRUE(succeeded(first) && succeeded(second));
    EXPECT_GT(*second, *first);
    EXPECT_EQ(read(*a_, "leader")->created, *first);
    EXPECT_EQ(read(*a_, "leader")->modified, *second);
    const auto deleted = erase(*a_, "leader");
    ASSERT_TRUE(succeeded(deleted));
    EXPECT_GT(*deleted, *second);
    EXPECT_FALSE(read(*a_, "leader"));
    const auto third = put(*a_, "leader", "m3");
    ASSERT_TRUE(succeeded(third));
    EXPECT_GT(*third, *deleted);
    EXPECT_EQ(read(*b_, "leader")->created, *third);
}

TEST_P(StoreConformance, DeletingWhatIsNotThereIsDone) {
    EXPECT_TRUE(succeeded(erase(*a_, "nothing")));
}

TEST_P(StoreConformance, IfAbsentCreatesOnce) {
    EXPECT_TRUE(succeeded(swap(*a_, {"leader", IfAbsent{}, "m1", {}})));
    EXPECT_TRUE(failed(swap(*b_, {"leader", IfAbsent{}, "m2", {}}), ErrorCode::conflict));
    EXPECT_EQ(value(*b_, "leader"), "m1");
    ASSERT_TRUE(succeeded(erase(*a_, "leader")));
    EXPECT_TRUE(succeeded(swap(*b_, {"leader", IfAbsent{}, "m2", {}})));
    EXPECT_EQ(value(*a_, "leader"), "m2");
}

TEST_P(StoreConformance, IfRevisionHoldsForTheLatestChangeOnly) {
    const auto first = put(*a_, "sync", "1");
    ASSERT_TRUE(succeeded(first));
    const auto second = swap(*b_, {"sync", IfRevision{*first}, "2", {}});
    ASSERT_TRUE(succeeded(second));
    EXPECT_TRUE(failed(swap(*a_, {"sync", IfRevision{*first}, "3", {}}), ErrorCode::conflict));
    EXPECT_TRUE(failed(swap(*a_, {"sync", IfRevision{*first}, std::nullopt, {}}), ErrorCode::conflict));
    EXPECT_EQ(value(*a_, "sync"), "2");
    EXPECT_TRUE(succeeded(swap(*a_, {"sync", IfRevision{*second}, std::nullopt, {}})));
    EXPECT_FALSE(read(*a_, "sync"));
    EXPECT_TRUE(failed(swap(*a_, {"sync", IfRevision{*second}, "4", {}}), ErrorCode::conflict));
    EXPECT_FALSE(read(*a_, "sync"));
}

TEST_P(StoreConformance, TheSameValueWrittenAgainIsAChange) {
    const auto first = put(*a_, "sync", "same");
    const auto second = put(*a_, "sync", "same");
    ASSERT_TRUE(succeeded(first) && succeeded(second));
    EXPECT_GT(*second, *first);
    EXPECT_TRUE(failed(swap(*b_, {"sync", IfRevision{*first}, "other", {}}), ErrorCode::conflict));
}

TEST_P(StoreConformance, IfValueHoldsForExactlyThisValue) {
    EXPECT_TRUE(failed(swap(*a_, {"leader", IfValue{""}, "m1", {}}), ErrorCode::conflict));
    ASSERT_TRUE(succeeded(put(*a_, "leader", "m1")));
    EXPECT_TRUE(failed(swap(*b_, {"leader", IfValue{"m"}, "m2", {}}), ErrorCode::conflict));
    EXPECT_TRUE(failed(swap(*b_, {"leader", IfValue{"m2"}, std::nullopt, {}}), ErrorCode::conflict));
    EXPECT_EQ(value(*b_, "leader"), "m1");
    EXPECT_TRUE(succeeded(swap(*b_, {"leader", IfValue{"m1"}, "m2", {}})));
    EXPECT_TRUE(succeeded(swap(*b_, {"leader", IfValue{"m2"}, std::nullopt, {}})));
    EXPECT_FALSE(read(*a_, "leader"));
}

TEST_P(StoreConformance, AConflictLeavesNoTrace) {
    const auto first = put(*a_, "config", "kept");
    ASSERT_TRUE(succeeded(first));
    const auto before = load(*a_);
    const auto lease = grant(*a_, std::chrono::seconds(30));
    ASSERT_TRUE(succeeded(lease));
    EXPECT_TRUE(failed(swap(*a_, {"config", IfAbsent{}, "x", *lease}), ErrorCode::conflict));
    EXPECT_TRUE(failed(swap(*a_, {"config", IfValue{"y"}, "x", *lease}), ErrorCode::conflict));
    EXPECT_TRUE(failed(swap(*a_, {"other", IfRevision{*first}, "x", *lease}), ErrorCode::conflict));
    EXPECT_TRUE(failed(swap(*a_, {"config", IfRevision{Revision(first->value() + 1)}, std::nullopt, {}}),
                       ErrorCode::conflict));
    const auto after = load(*b_);
    ASSERT_TRUE(succeeded(before) && succeeded(after));
    EXPECT_EQ((*before)->records, (*after)->records);
    EXPECT_TRUE(succeeded(revoke(*a_, *lease)));
    EXPECT_EQ(value(*a_, "config"), "kept");
}

TEST_P(StoreConformance, KeepsValuesAndKeysByteByByte) {
    std::string all_bytes;
    for (int i = 0; i < 256; ++i) all_bytes += static_cast<char>(i);
    std::string big;
    while (big.size() < 100'000) big += "{\"k\": \"ü\"}, " + std::to_string(big.size());
    const std::vector<std::pair<std::string, std::string>> records{
        {"members/a b", ""},      {"members/a", all_bytes},
        {"members/ab", big},      {"members/ä", "日本語"},
        {"a/b/c/", "x"},          {"a%2Fb'\"\\", "\n"},
        {"history", "[[1,2]]\n"}, {"z\xf0\x9f\x90\x98", "\"quoted\""}};
    for (const auto& [key, text] : records) ASSERT_TRUE(succeeded(put(*a_, key, text))) << key;
    const auto snapshot = load(*b_);
    ASSERT_TRUE(succeeded(snapshot));
    EXPECT_EQ((*snapshot)->records.size(), records.size());
    for (const auto& [key, text] : records) {
        ASSERT_TRUE((*snapshot)->records.contains(key)) << key;
        EXPECT_TRUE((*snapshot)->records.at(key).value == text) << key;
    }
    EXPECT_TRUE(succeeded(swap(*b_, {"members/a", IfValue{all_bytes}, std::nullopt, {}})));
    EXPECT_FALSE(read(*a_, "members/a"));
    EXPECT_EQ(value(*a_, "members/a b"), "");
    EXPECT_EQ(value(*a_, "members/ab"), big);
}

TEST_P(StoreConformance, ACallAfterItsDeadlineDoesNothing) {
    const Duration passed = std::chrono::milliseconds(-1);
    EXPECT_TRUE(failed(swap(*a_, {"late", Always{}, "x", {}}, passed), ErrorCode::timeout));
    EXPECT_FALSE(read(*b_, "late"));
}

TEST_P(StoreConformance, AnswersNobodyOnceItIsDestroyed) {
    int answers = 0;
    const Instant deadline = backend_->clock().now() + kLimit;
    a_->swap({"config", Always{}, "x", {}}, deadline, [&](auto) { ++answers; });
    a_->load(deadline, [&](auto) { ++answers; });
    a_->grant(std::chrono::seconds(5), deadline, [&](auto) { ++answers; });
    const auto watch = a_->watch([&](auto) { ++answers; });
    a_.reset();
    pass(std::chrono::milliseconds(50));
    EXPECT_EQ(answers, 0);
}

// --- two writers -------------------------------------------------------------------------------------------

TEST_P(StoreConformance, OfTwoThatCreateTheSameRecordExactlyOneWins) {
    for (int round = 0; round < 20; ++round) {
        std::array<std::optional<Result<Revision>>, 2> answers;
        const std::string key = "leader" + std::to_string(round);
        const Instant deadline = backend_->clock().now() + kLimit;
        a_->swap({key, IfAbsent{}, "a", {}}, deadline, [&](auto result) { answers[0] = std::move(result); });
        b_->swap({key, IfAbsent{}, "b", {}}, deadline, [&](auto result) { answers[1] = std::move(result); });
        ASSERT_TRUE(run_until([&] { return answers[0] && answers[1]; }));
        ASSERT_NE(answers[0]->has_value(), answers[1]->has_value());
        const bool a_won = answers[0]->has_value();
        EXPECT_TRUE(failed(*answers[a_won ? 1 : 0], ErrorCode::conflict));
        EXPECT_EQ(value(*a_, key), a_won ? "a" : "b");
    }
}

TEST_P(StoreConformance, TwoThatCountTogetherLoseNothing) {
    constexpr int kEach = 50;
    ASSERT_TRUE(succeeded(put(*a_, "counter", "0")));
    std::array<int, 2> done{};
    std::array<std::function<void()>, 2> step;
    const std::array<Store*, 2> stores{a_.get(), b_.get()};
    const Instant deadline = backend_->clock().now() + kLimit * 3;
    for (std::size_t i = 0; i < 2; ++i)
        step[i] = [&, i] {
            if (done[i] == kEach) return;
            stores[i]->load(deadline, [&, i](Result<SnapshotPtr> snapshot) {
                ASSERT_TRUE(succeeded(snapshot));
                const Record& record = (*snapshot)->records.at("counter");
                stores[i]->swap(
                    {"counter", IfRevision{record.modified}, std::to_string(std::stoi(record.value) + 1), {}},
                    deadline, [&, i](Result<Revision> result) {
                        if (result)
                            ++done[i];
                        else
                            ASSERT_TRUE(failed(result, ErrorCode::conflict));
                        step[i]();
                    });
            });
        };
    step[0]();
    step[1]();
    ASSERT_TRUE(run_until([&] { return done[0] == kEach && done[1] == kEach; }, kLimit * 3));
    EXPECT_EQ(value(*a_, "counter"), std::to_string(2 * kEach));
}

// --- leases ------------------------------------------------------------------------------------------------

TEST_P(StoreConformance, ALeaseEndsInTimeAndTakesItsRecordsAlong) {
    WatchLog watched(*b_);
    const Duration ttl = backend_->shortest_ttl();
    const Instant before = backend_->clock().now();
    const auto lease = grant(*a_, ttl);
    ASSERT_TRUE(succeeded(lease));
    EXPECT_NE(*lease, LeaseId{});
    ASSERT_TRUE(succeeded(put(*a_, "leader", "m1", *lease)));
    ASSERT_TRUE(succeeded(put(*a_, "members/m1", "{}", *lease)));
    ASSERT_TRUE(succeeded(put(*a_, "config", "{}")));
    EXPECT_EQ(read(*b_, "leader")->lease, *lease);
    EXPECT_EQ(read(*b_, "config")->lease, LeaseId{});
    ASSERT_TRUE(run_until([&] { return watched.saw("leader", "m1") && watched.saw("config", "{}"); }));
    const auto gone = [&] { return watched.saw("leader", {}) && watched.saw("members/m1", {}); };
    ASSERT_TRUE(run_until(gone, ttl + backend_->expiry_slack()));
    EXPECT_GE(backend_->clock().now() - before, ttl);
    EXPECT_TRUE(watched.saw("config", "{}"));
    EXPECT_FALSE(read(*a_, "leader"));
    EXPECT_TRUE(failed(keep(*a_, *lease), ErrorCode::not_found));
    EXPECT_TRUE(failed(put(*a_, "leader", "m1", *lease), ErrorCode::not_found));
    EXPECT_FALSE(read(*b_, "leader"));
}

TEST_P(StoreConformance, ALeaseThatIsKeptStays) {
    WatchLog watched(*b_);
    const Duration ttl = backend_->shortest_ttl();
    const auto lease = grant(*a_, ttl);
    ASSERT_TRUE(succeeded(lease));
    ASSERT_TRUE(succeeded(put(*a_, "leader", "m1", *lease)));
    for (int i = 0; i < 5; ++i) {
        pass(ttl / 2);
        const auto kept = keep(*a_, *lease);
        ASSERT_TRUE(succeeded(kept));
        EXPECT_EQ(*kept, ttl);
        EXPECT_EQ(value(*b_, "leader"), "m1");
    }
    EXPECT_TRUE(watched.saw("leader", "m1"));
    EXPECT_TRUE(run_until([&] { return watched.saw("leader", {}); }, ttl + backend_->expiry_slack()));
}

TEST_P(StoreConformance, ALeaseOutlivesItsClient) {
    const auto lease = grant(*a_, std::chrono::seconds(30));
    ASSERT_TRUE(succeeded(lease));
    ASSERT_TRUE(succeeded(put(*a_, "leader", "m1", *lease)));
    a_ = backend_->client();
    ASSERT_TRUE(a_);
    EXPECT_EQ(value(*a_, "leader"), "m1");
    EXPECT_TRUE(succeeded(keep(*a_, *lease)));
    EXPECT_TRUE(succeeded(keep(*b_, *lease)));
}

TEST_P(StoreConformance, RevokingALeaseDeletesItsRecordsAtOnce) {
    WatchLog watched(*b_);
    const auto lease = grant(*a_, std::chrono::seconds(30));
    const auto other = grant(*a_, std::chrono::seconds(30));
    ASSERT_TRUE(succeeded(lease) && succeeded(other));
    EXPECT_NE(*lease, *other);
    ASSERT_TRUE(succeeded(put(*a_, "leader", "m1", *lease)));
    ASSERT_TRUE(succeeded(put(*a_, "members/m2", "{}", *other)));
    ASSERT_TRUE(run_until([&] { return watched.saw("leader", "m1") && watched.saw("members/m2", "{}"); }));
    ASSERT_TRUE(succeeded(revoke(*a_, *lease)));
    EXPECT_FALSE(read(*b_, "leader"));
    EXPECT_EQ(value(*b_, "members/m2"), "{}");
    EXPECT_TRUE(
        run_until([&] { return watched.saw("leader", {}) && watched.saw("members/m2", "{}"); }, kPrompt));
    EXPECT_TRUE(failed(keep(*a_, *lease), ErrorCode::not_found));
    EXPECT_TRUE(failed(revoke(*a_, *lease), ErrorCode::not_found));
    EXPECT_TRUE(failed(swap(*a_, {"leader", IfAbsent{}, "m1", *lease}), ErrorCode::not_found));
}

TEST_P(StoreConformance, ARecordHangsOnTheLeaseOfItsLatestWrite) {
    const auto old_lease = grant(*a_, std::chrono::seconds(30));
    const auto new_lease = grant(*b_, std::chrono::seconds(30));
    ASSERT_TRUE(succeeded(old_lease) && succeeded(new_lease));
    for (const std::string key : {"moved", "freed", "left"})
        ASSERT_TRUE(succeeded(put(*a_, key, "1", *old_lease)));
    ASSERT_TRUE(succeeded(put(*b_, "moved", "2", *new_lease)));
    ASSERT_TRUE(succeeded(put(*b_, "freed", "2")));
    ASSERT_TRUE(succeeded(revoke(*a_, *old_lease)));
    EXPECT_EQ(value(*a_, "moved"), "2");
    EXPECT_EQ(value(*a_, "freed"), "2");
    EXPECT_FALSE(read(*a_, "left"));
    ASSERT_TRUE(succeeded(revoke(*b_, *new_lease)));
    EXPECT_FALSE(read(*a_, "moved"));
    EXPECT_EQ(value(*a_, "freed"), "2");
}

// --- watching ----------------------------------------------------------------------------------------------

TEST_P(StoreConformance, AWatchBeginsWithTheCurrentState) {
    WatchLog empty(*b_);
    ASSERT_TRUE(run_until([&] { return empty.snapshots() > 0; }));
    EXPECT_TRUE(empty.saw("config", {}));
    ASSERT_TRUE(succeeded(put(*a_, "config", "{}")));
    WatchLog full(*b_);
    EXPECT_EQ(full.snapshots(), 0U) << "called from inside watch()";
    EXPECT_TRUE(run_until([&] { return full.saw("config", "{}"); }));
}

TEST_P(StoreConformance, AWatchShowsTheChangesOfOthersPromptly) {
    WatchLog other(*b_);
    WatchLog own(*a_);
    ASSERT_TRUE(run_until([&] { return other.snapshots() > 0 && own.snapshots() > 0; }));
    for (int i = 0; i < 10; ++i) {
        pass(std::chrono::milliseconds(20));
        const std::string text = std::to_string(i);
        ASSERT_TRUE(succeeded(put(*a_, "leader", text)));
        EXPECT_TRUE(run_until([&] { return other.saw("leader", text) && own.saw("leader", text); }, kPrompt))
            << i;
    }
    ASSERT_TRUE(succeeded(erase(*a_, "leader")));
    EXPECT_TRUE(run_until([&] { return other.saw("leader", {}) && own.saw("leader", {}); }, kPrompt));
}

TEST_P(StoreConformance, AWatchMayLeaveStatesOutButNeverTheLastAndNeverMixesThem) {
    constexpr int kWrites = 250;
    WatchLog watched(*b_);
    const auto number = [](const Snapshot& snapshot, const std::string& key) {
        const auto it = snapshot.records.find(key);
        return it == snapshot.records.end() ? 0 : std::stoi(it->second.value);
    };
    watched.on_snapshot = [&](const Snapshot& snapshot) {
        const int first = number(snapshot, "first");
        const int second = number(snapshot, "second");
        EXPECT_TRUE(first == second || first == second + 1) << first << " and " << second;
    };
    for (int i = 1; i <= kWrites; ++i) {
        ASSERT_TRUE(succeeded(put(*a_, "first", std::to_string(i))));
        ASSERT_TRUE(succeeded(put(*a_, "second", std::to_string(i))));
    }
    const std::string last = std::to_string(kWrites);
    EXPECT_TRUE(run_until([&] { return watched.saw("first", last) && watched.saw("second", last); }));
}

TEST_P(StoreConformance, AWatchGoesOnAfterAnInterruption) {
    WatchLog watched(*b_);
    ASSERT_TRUE(succeeded(put(*a_, "deleted", "x")));
    ASSERT_TRUE(run_until([&] { return watched.saw("deleted", "x"); }));
    for (int i = 0; i < 3; ++i) {
        if (!backend_->interrupt()) GTEST_SKIP() << "nothing interrupts this backend";
        const std::string text = std::to_string(i);
        // The interruption may hit this client too; what it answers then is a matter of the backend.
        ASSERT_TRUE(run_until(
            [&] { return succeeded(put(*a_, "missed", text)) && succeeded(erase(*a_, "deleted")); }));
        EXPECT_TRUE(run_until([&] { return watched.saw("missed", text) && watched.saw("deleted", {}); }))
            << i;
        ASSERT_TRUE(succeeded(put(*a_, "later", text)));
        EXPECT_TRUE(run_until([&] { return watched.saw("later", text); })) << i;
    }
}

TEST_P(StoreConformance, ADestroyedWatchIsSilentAlsoWhenItEndsItself) {
    int calls = 0;
    std::unique_ptr<Watch> ends_itself;
    ends_itself = b_->watch([&](auto) {
        ++calls;
        ends_itself.reset();
    });
    WatchLog ended(*b_);
    WatchLog stays(*b_);
    ASSERT_TRUE(run_until([&] { return calls == 1 && ended.snapshots() > 0 && stays.snapshots() > 0; }));
    ended.end();
    ASSERT_TRUE(succeeded(put(*a_, "config", "x")));
    ASSERT_TRUE(run_until([&] { return stays.saw("config", "x"); }));
    EXPECT_FALSE(ended.saw("config", "x"));
    EXPECT_EQ(calls, 1);
}

// --- maybe done --------------------------------------------------------------------------------------------

TEST_P(StoreConformance, ASwapWhoseAnswerIsLostIsMaybeDoneAndARepetitionMayConflict) {
    if (!backend_->lose_next_answer()) GTEST_SKIP() << "this backend loses no answers on demand";
    const auto lost = swap(*a_, {"leader", IfAbsent{}, "m1", {}}, std::chrono::seconds(3));
    ASSERT_FALSE(lost);
    EXPECT_TRUE(lost.error().maybe_done()) << lost.error().message;
    EXPECT_TRUE(lost.error().code == ErrorCode::timeout || lost.error().code == ErrorCode::unavailable)
        << to_string(lost.error().code);
    ASSERT_TRUE(run_until([&] { return load(*b_).has_value(); }));
    EXPECT_EQ(value(*b_, "leader"), "m1");
    EXPECT_TRUE(failed(swap(*b_, {"leader", IfAbsent{}, "m2", {}}), ErrorCode::conflict));
}

// Both may be repeated, and then succeed; what they must not say is that nothing was done.
TEST_P(StoreConformance, AnAnswerThatIsLostDoesNotMakeARenewalOrAnEndUndone) {
    const auto lease = grant(*a_, std::chrono::seconds(30));
    ASSERT_TRUE(succeeded(lease));
    if (!backend_->lose_next_answer()) GTEST_SKIP() << "this backend loses no answers on demand";
    const Duration limit = std::chrono::seconds(3);
    const auto kept =
        wait<Duration>([&](Instant d, auto done) { a_->keep(*lease, d, std::move(done)); }, limit);
    if (!kept) EXPECT_TRUE(kept.error().maybe_done()) << kept.error().message;
    ASSERT_TRUE(run_until([&] { return keep(*a_, *lease).has_value(); }));
    backend_->lose_next_answer();
    const Status ended =
        wait<void>([&](Instant d, auto done) { a_->revoke(*lease, d, std::move(done)); }, limit);
    if (!ended) EXPECT_TRUE(ended.error().maybe_done()) << ended.error().message;
    ASSERT_TRUE(run_until([&] { return load(*b_).has_value(); }));
    EXPECT_TRUE(failed(keep(*b_, *lease), ErrorCode::not_found));
}

}  // namespace pgherd
