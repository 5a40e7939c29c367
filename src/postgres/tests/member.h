// One member for tests: a real guard, the adapter, and PostgreSQL on a free port of the loopback, in a
// directory of its own.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "base/process_info.h"
#include "base/testing/program.h"
#include "eventloop/log.h"
#include "eventloop/loop.h"
#include "guard/tests/harness.h"
#include "postgres/identity.h"
#include "postgres/local_postgres.h"

namespace pgherd::postgres::testing {

using namespace std::chrono_literals;
using guard::testing::alive;
using guard::testing::GuardProcess;

// A directory that PostgreSQL's user owns; removed at the end.
class Directory {
  public:
    Directory() {
        char name[] = "/tmp/pgherd-postgres-XXXXXX";
        path_ = ::mkdtemp(name);
        const auto identity = find_identity("");
        if (identity && identity->change) [[maybe_unused]]
            const int done = ::chown(name, identity->uid, identity->gid);
        ::chmod(name, 0755);
    }
    ~Directory() {
        if (std::getenv("PGHERD_KEEP")) return;
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

class Member {
  public:
    Member(EventLoop& loop, const std::string& root, const std::string& name)
        : loop_(loop), log_(name, LogLevel::warning), config_(settings(root, name)) {
        connect();
    }

    static AgentConfig settings(const std::string& root, const std::string& name) {
        AgentConfig config;
        config.scope = "test";
        config.name = MemberName(name);
        config.postgres.port = free_port();
        config.postgres.data_dir = root + "/" + name;
        config.postgres.socket_dir = root;
        config.postgres.superuser = {"postgres", "super-s3cret", {}};
        config.postgres.replication = {"replicator", "repl-s3cret", {}};
        config.postgres.rewind = {"rewinder", "rewind-s3cret", {}};
        config.postgres.parameters = {{"fsync", "off"}, {"shared_buffers", "16MB"}};
        config.log.dir = root;
        config.has_bootstrap = true;
        return config;
    }

    // A new brain takes over (the first one, or after restart_brain()).
    void connect() {
        const auto lent = guard_.brain();
        PGHERD_ASSERT(lent.pid > 0);
        brain_ = lent.pid;
        auto created = LocalPostgres::create(loop_, config_, guard::Client(lent.fd), log_);
        PGHERD_ASSERT(created, created.error().message);
        postgres_ = std::move(*created);
        postgres_->on_event([this](PostgresEvent event) { events_.push_back(event); });
        postgres_->configure(instance_);
        postgres_->ready();
    }
    void restart_brain() {
        postgres_.reset();
        ::kill(brain_, SIGKILL);
        connect();
    }

    template <class T>
    Result<T> get(const std::function<void(Done<T>)>& call, Duration patience = 30s) {
        auto answer = std::make_shared<std::optional<Result<T>>>();
        call([answer](Result<T> result) { answer->emplace(std::move(result)); });
        if (!loop_.run_until([&] { return answer->has_value(); }, patience))
            return fail(ErrorCode::timeout, "the test has lost patience");
        return std::move(**answer);
    }
    Status act(const std::function<void(Done<void>)>& call) { return get<void>(call); }

    PostgresState observe() {
        return get<PostgresState>([&](Done<PostgresState> done) {
                   postgres_->observe(boottime_now() + 5s, std::move(done));
               })
            .value_or(PostgresState{});
    }
    bool becomes(const std::function<bool(const PostgresState&)>& condition, Duration patience = 15s) {
        const Instant end = boottime_now() + patience;
        while (boottime_now() < end) {
            if (condition(observe())) return true;
            loop_.run_until([] { return false; }, 20ms);
        }
        return false;
    }
    Status arm(Duration time = 60s) {
        return act([&](Done<void> done) { postgres_->arm(boottime_now() + time, std::move(done)); });
    }
    Status bootstrap() {
        if (auto armed = arm(); !armed) return armed;
        return act([&](Done<void> done) { postgres_->bootstrap(nullptr, std::move(done)); });
    }
    Upstream upstream(const std::string& slot = "") const {
        return {config_.name, "127.0.0.1", config_.postgres.port, slot};
    }
    Status clone(const Upstream& source) {
        return act([&](Done<void> done) {
            postgres_->clone(
                source, [this](std::string text) { progress_.push_back(text); }, std::move(done));
        });
    }
    Status start_standby(const Upstream& source) {
        return act([&](Done<void> done) { postgres_->start({true, source}, 20s, std::move(done)); });
    }
    Status start_primary() {
        return act([&](Done<void> done) { postgres_->start({false, {}}, 20s, std::move(done)); });
    }
    Status stop(StopMode mode, Then safepoint = nullptr, Duration time = 10s) {
        return act([&](Done<void> done) {
            postgres_->stop(mode, false, boottime_now() + time, std::move(safepoint), std::move(done));
        });
    }
    Status promote(Timeline claimed = {}) {
        if (auto armed = arm(); !armed) return armed;
        return act([&](Done<void> done) { postgres_->promote(claimed, std::move(done)); });
    }

    // As a client would, through psql.
    std::string sql(const std::string& statement) const {
        const std::string command = "PGPASSWORD=super-s3cret psql -X -q -A -t -h 127.0.0.1 -p " +
                                    std::to_string(config_.postgres.port) + " -U postgres -d postgres -c \"" +
                                    statement + "\" 2>&1";
        std::string text;
        const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "re"), ::pclose);
        char buffer[1024];
        while (std::fgets(buffer, sizeof buffer, pipe.get())) text += buffer;
        while (text.ends_with('\n')) text.pop_back();
        return text;
    }
    pid_t postmaster() const {
        std::ifstream file(config_.postgres.data_dir + "/postmaster.pid");
        pid_t pid = 0;
        file >> pid;
        return pid;
    }
    std::vector<pid_t> server_processes() const {
        std::vector<pid_t> found;
        for (const auto& process : all_processes())
            if (process.parent == postmaster()) found.push_back(process.pid);
        return found;
    }
    bool seen(PostgresEvent event) const { return std::ranges::find(events_, event) != events_.end(); }

    LocalPostgres& postgres() { return *postgres_; }
    EventLoop& loop() { return loop_; }
    GuardProcess& guard() { return guard_; }
    AgentConfig& config() { return config_; }
    InstanceConfig& instance() { return instance_; }
    std::vector<PostgresEvent>& events() { return events_; }
    const std::vector<std::string>& progress() const { return progress_; }
    const std::string& data_dir() const { return config_.postgres.data_dir; }

  private:
    EventLoop& loop_;
    LogWriter log_;
    AgentConfig config_;
    InstanceConfig instance_;
    GuardProcess guard_;
    pid_t brain_ = 0;
    std::unique_ptr<LocalPostgres> postgres_;
    std::vector<PostgresEvent> events_;
    std::vector<std::string> progress_;
};

}  // namespace pgherd::postgres::testing
