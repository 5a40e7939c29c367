// The suite that every store passes, on SQLite: each client is a connection of its own to one file.
#include <gtest/gtest.h>

#include "eventloop/loop.h"
#include "ports/testing/store_conformance.h"
#include "store_sqlite/store_sqlite.h"
#include "store_sqlite_testing.h"

namespace pgherd {
namespace {

class SqliteBackend final : public StoreBackend {
  public:
    std::unique_ptr<Store> client() override {
        auto store = open_sqlite_store(loop_, directory_.file("store.db"));
        EXPECT_TRUE(store) << (store ? "" : store.error().message);
        return store ? std::move(*store) : nullptr;
    }
    Clock& clock() override { return loop_.clock(); }
    bool run_until(const std::function<bool()>& condition, Duration limit) override {
        return loop_.run_until(condition, limit);
    }
    // Another program empties the log under everybody's feet.
    bool interrupt() override {
        RawFile(directory_.file("store.db")).run("PRAGMA wal_checkpoint(TRUNCATE)");
        return true;
    }
    Duration shortest_ttl() const override { return std::chrono::milliseconds(300); }
    Duration expiry_slack() const override { return std::chrono::milliseconds(700); }

  private:
    TemporaryDirectory directory_;
    EventLoop loop_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance,
                         ::testing::Values(StoreBackendCase{
                             "sqlite", [] { return std::make_unique<SqliteBackend>(); }}),
                         store_backend_name);

}  // namespace
}  // namespace pgherd
