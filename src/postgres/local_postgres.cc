#include "postgres/local_postgres.h"

#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include "postgres/datadir.h"
#include "postgres/instance.h"

namespace pgherd::postgres {

namespace {

// Runs an operation and answers from the event loop, unless the port is gone by then. The instance lives as
// long as any of its coroutines.
template <class T>
asio::awaitable<void> answer(std::shared_ptr<Instance> instance, Async<T> operation, Done<T> done) {
    co_await asio::post(asio::use_awaitable);  // never from inside the call
    std::optional<Result<T>> result;
    try {
        co_await instance->begun();
        result.emplace(co_await std::move(operation));
    } catch (const std::exception& error) {
        if (!instance->closed()) result.emplace(fail(std::string("cannot do this: ") + error.what()));
    }
    if (result && !instance->closed()) done(std::move(*result));
}

template <class T>
void run(const std::shared_ptr<Instance>& instance, Async<T> operation, Done<T> done) {
    instance->tasks().spawn(answer<T>(instance, std::move(operation), std::move(done)));
}

asio::awaitable<void> keep(std::shared_ptr<Instance> instance, asio::awaitable<void> task) {
    co_await std::move(task);
    static_cast<void>(instance);
}

// Tools and the server run in directories of their own.
AgentConfig with_absolute_paths(AgentConfig config) {
    PostgresConfig& postgres = config.postgres;
    for (std::string* path :
         {&postgres.data_dir, &postgres.config_dir, &postgres.bin_dir, &postgres.pgpass, &config.log.dir}) {
        std::error_code error;
        if (const auto absolute = std::filesystem::absolute(*path, error); !path->empty() && !error)
            *path = absolute.lexically_normal().string();
    }
    return config;
}

}  // namespace

Result<std::unique_ptr<LocalPostgres>> LocalPostgres::create(EventLoop& loop, AgentConfig config,
                                                             guard::Client guard, Log& log) {
    config = with_absolute_paths(std::move(config));
    PGHERD_TRY(Identity identity, find_identity(config.postgres.run_as));
    PGHERD_TRY(const Binaries programs,
               find_binaries(config.postgres, data_version(config.postgres.data_dir).value_or(std::nullopt)));
    log.debug("postgres-found",
              "PostgreSQL " + std::to_string(programs.major()) + " in " + programs.directory());
    auto instance =
        std::make_shared<Instance>(loop, std::move(config), std::move(guard), log, std::move(identity));
    instance->tasks().spawn(keep(instance, instance->read_reports()));
    instance->tasks().spawn(keep(instance, instance->begin()));
    return std::unique_ptr<LocalPostgres>(new LocalPostgres(std::move(instance)));
}

LocalPostgres::~LocalPostgres() {
    instance_->close();
}

void LocalPostgres::reconfigure(AgentConfig config) {
    instance_->reconfigure(with_absolute_paths(std::move(config)));
}
void LocalPostgres::ready() {
    instance_->ready();
}
void LocalPostgres::on_event(Events events) {
    instance_->on_event(std::move(events));
}
void LocalPostgres::configure(const InstanceConfig& config) {
    instance_->configure(config);
}
void LocalPostgres::callback(std::string_view event, Role role) {
    instance_->callback(std::string(event), role);
}

void LocalPostgres::observe(Instant deadline, Done<PostgresState> done) {
    run(instance_, instance_->observe(deadline), std::move(done));
}
void LocalPostgres::arm(Instant deadline, Done<void> done) {
    run(instance_, instance_->arm(deadline), std::move(done));
}
void LocalPostgres::disarm(Done<void> done) {
    run(instance_, instance_->disarm(), std::move(done));
}
void LocalPostgres::bootstrap(Progress progress, Done<void> done) {
    run(instance_, instance_->bootstrap(std::move(progress)), std::move(done));
}
void LocalPostgres::registered() {
    instance_->registered();
}
void LocalPostgres::clone(const Upstream& source, Progress progress, Done<void> done) {
    run(instance_, instance_->clone(source, std::move(progress)), std::move(done));
}
void LocalPostgres::start(const StartSpec& spec, Duration timeout, Done<void> done) {
    run(instance_, instance_->start(spec, timeout), std::move(done));
}
void LocalPostgres::stop(StopMode mode, bool checkpoint, Instant deadline, Then safepoint, Done<void> done) {
    run(instance_, instance_->stop(mode, checkpoint, deadline, std::move(safepoint)), std::move(done));
}
void LocalPostgres::promote(Timeline claimed, Done<void> done) {
    run(instance_, instance_->promote(claimed), std::move(done));
}
void LocalPostgres::follow(const Upstream& upstream, Done<void> done) {
    run(instance_, instance_->follow(upstream), std::move(done));
}
void LocalPostgres::rewind(const Upstream& source, Progress progress, Done<void> done) {
    run(instance_, instance_->rewind(source, std::move(progress)), std::move(done));
}
void LocalPostgres::quarantine(Done<void> done) {
    run(instance_, instance_->quarantine(), std::move(done));
}
void LocalPostgres::restart(Duration timeout, Done<void> done) {
    run(instance_, instance_->restart(timeout), std::move(done));
}
void LocalPostgres::reload(Done<void> done) {
    run(instance_, instance_->reload(), std::move(done));
}
void LocalPostgres::checkpoint(Done<void> done) {
    run(instance_, instance_->checkpoint(), std::move(done));
}
void LocalPostgres::set_synchronous_standby_names(std::string names, Done<Lsn> done) {
    run(instance_, instance_->set_synchronous_standby_names(std::move(names)), std::move(done));
}
void LocalPostgres::sync_slots(std::map<std::string, Lsn> wanted, Done<void> done) {
    run(instance_, instance_->sync_slots(std::move(wanted)), std::move(done));
}
void LocalPostgres::upstream_history(const Upstream& upstream, Instant deadline, Done<UpstreamHistory> done) {
    run(instance_, instance_->upstream_history(upstream, deadline), std::move(done));
}
void LocalPostgres::pre_promote(Done<void> done) {
    run(instance_, instance_->pre_promote(), std::move(done));
}

}  // namespace pgherd::postgres
