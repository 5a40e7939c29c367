// What the tests of this module share.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/testing/temp_dir.h"
#include "eventloop/loop.h"
#include "store_sqlite/store_sqlite.h"

namespace pgherd {

// In memory where there is such a place: what a slow disk adds is only time, since no test cuts the power.
struct TemporaryDirectory : TempDir {
    TemporaryDirectory()
        : TempDir(::access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm"
                                                         : std::filesystem::temp_directory_path()) {}
};

// The file as another program would open it.
class RawFile {
  public:
    explicit RawFile(const std::string& path) { EXPECT_EQ(sqlite3_open(path.c_str(), &handle_), SQLITE_OK); }
    ~RawFile() { sqlite3_close(handle_); }
    RawFile(const RawFile&) = delete;
    RawFile& operator=(const RawFile&) = delete;

    // Gives the first column of the last row.
    std::string run(const std::string& sql) {
        std::string result;
        char* error = nullptr;
        const auto keep = [](void* out, int columns, char** values, char**) {
            if (columns > 0 && values[0] != nullptr) *static_cast<std::string*>(out) = values[0];
            return 0;
        };
        EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), keep, &result, &error), SQLITE_OK)
            << sql << ": " << (error != nullptr ? error : "");
        sqlite3_free(error);
        return result;
    }

  private:
    sqlite3* handle_ = nullptr;
};

// One store and its loop, with calls that wait.
class Client {
  public:
    explicit Client(const std::string& path) {
        auto opened = open_sqlite_store(loop, path);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        if (opened) store = std::move(*opened);
    }

    template <class T, class Call>
    Result<T> wait(Duration limit, Call call) {
        std::optional<Result<T>> answer;
        call(loop.clock().now() + limit, [&](Result<T> result) { answer.emplace(std::move(result)); });
        loop.run_until([&] { return answer.has_value(); }, limit + std::chrono::seconds(20));
        return answer ? std::move(*answer) : Result<T>(fail("no answer"));
    }
    Result<Revision> swap(Swap what, Duration limit = std::chrono::seconds(20)) {
        return wait<Revision>(
            limit, [&](Instant d, auto done) { store->swap(std::move(what), d, std::move(done)); });
    }
    Result<Revision> put(std::string key, std::string value, Duration limit = std::chrono::seconds(20)) {
        return swap({std::move(key), Always{}, std::move(value), {}}, limit);
    }
    Result<SnapshotPtr> load(Duration limit = std::chrono::seconds(20)) {
        return wait<SnapshotPtr>(limit, [&](Instant d, auto done) { store->load(d, std::move(done)); });
    }
    std::string value(const std::string& key) {
        const auto snapshot = load();
        if (!snapshot) return "error: " + snapshot.error().message;
        const auto it = (*snapshot)->records.find(key);
        return it == (*snapshot)->records.end() ? "(none)" : it->second.value;
    }

    EventLoop loop;
    std::unique_ptr<Store> store;
};

}  // namespace pgherd
