#include "postgres/instance.h"

#include <csignal>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/files.h"
#include "base/text.h"
#include "postgres/controldata.h"
#include "postgres/datadir.h"

namespace pgherd::postgres {

namespace {

std::string fill_mark(const std::string& data_dir) {
    return "PGHERD_FILLS=" + data_dir;
}

// As the server understands it, which works in its data directory. "@…" is no directory.
std::string socket_path(const std::string& data_dir, std::string_view directory) {
    if (directory.empty() || directory.starts_with('@')) return std::string(directory);
    return (std::filesystem::path(data_dir) / directory).lexically_normal().string();
}

}  // namespace

Instance::Instance(EventLoop& loop, AgentConfig config, guard::Client guard, Log& log, Identity identity)
    : loop_(loop),
      config_(std::move(config)),
      log_(log),
      identity_(std::move(identity)),
      tasks_(loop.context()),
      guard_(loop.context(), std::move(guard), [this](const guard::Report& report) { on_report(report); }) {
    callback_ = std::make_unique<Tasks>(loop.context());
    if (const auto known = read_file(password_file_path(config_)))
        former_passwords_.remember(config_.postgres, read_password_file(*known));
}

void Instance::close() {
    closed_ = true;
    callback_->close();
    tasks_.close();
}

void Instance::reconfigure(AgentConfig config) {
    config.postgres.data_dir = config_.postgres.data_dir;
    former_passwords_.change(config_.postgres, config.postgres);
    config_ = std::move(config);
}

asio::awaitable<void> Instance::begin() {
    const auto status = co_await guard_.confirmed(guard_.client().status());
    if (!status) {
        log_.error("guard", fmt::format("cannot ask the guard: {}", status.error().message));
    } else if (status->phase == guard::PostmasterPhase::none) {
        if (const auto pid = running_postmaster(data_dir()); pid && *pid) {
            const auto adopted = co_await adopt(**pid);
            if (!adopted) log_.error("guard", adopted.error().message);
        }
    }
    may_be_primary_ = !gone();
    begun_ = true;
    begun_changed_.notify();
}

asio::awaitable<void> Instance::begun() {
    while (!begun_) co_await begun_changed_.wait(after(std::chrono::seconds(5)));
}

Result<bool> Instance::in_use() const {
    PGHERD_TRY(const auto postmaster, running_postmaster(data_dir()));
    PGHERD_TRY(const auto single, running_single_user(data_dir()));
    return !gone() || postmaster || single;
}

// Tools of a brain that was killed end with it, but not what they have started: pg_basebackup's receiver of
// WAL, which keeps the slot for ever, or the recovery that pg_rewind runs. They would write into what comes
// next.
Async<void> Instance::take_directory(std::string_view purpose) {
    const Instant deadline = after(std::chrono::seconds(5));
    PGHERD_CO_TRY(const bool interrupted, is_there(journal_path(data_dir())));
    while (interrupted) {
        const auto left = processes_with(fill_mark(data_dir()));
        if (left && left->empty()) break;
        if (boottime_now() >= deadline) {
            if (!left)
                co_return std::unexpected(with_context(left.error(), fmt::format("cannot {}", purpose)));
            co_return fail(
                ErrorCode::conflict,
                fmt::format("cannot {}: process {}, which an interrupted operation has left behind, "
                            "does not end",
                            purpose, left->front()));
        }
        if (left)
            for (const pid_t pid : *left) ::kill(pid, SIGKILL);
        co_await pause_for(std::chrono::milliseconds(10));
    }
    PGHERD_CO_TRY(const bool used, in_use());
    if (used) co_return fail(ErrorCode::conflict, fmt::format("cannot {}: PostgreSQL runs", purpose));
    co_return remove_file(secret_path(data_dir()));
}

Status Instance::remove_former_locks() const {
    std::vector<std::string> socket_dirs =
        split(file_parameters(render_input())["unix_socket_directories"], ',');
    for (std::string& directory : socket_dirs) directory = socket_path(data_dir(), trim(directory));
    return remove_stale_locks(data_dir(), socket_dirs, config_.postgres.port);
}

std::vector<std::string> Instance::filling_environment(std::vector<std::string> extra) const {
    extra.push_back(fill_mark(data_dir()));
    return tool_environment(identity_, extra);
}

void Instance::on_report(const guard::Report& report) {
    if (report.type == guard::ReportType::fenced) {
        log_.error("postgres-fenced", "the guard has killed PostgreSQL: its deadline had passed");
        if (events_) events_(PostgresEvent::guard_fenced);
        return;
    }
    last_exit_ = report.status.last_exit;
    exit_text_ = report.text;
    crashed_ = !told_to_end_;
    may_be_primary_ = false;
    session_.reset();
    seen_timeline_ = {};
    names_in_force_.reset();
    if (told_to_end_) return;
    log_.warning("postgres-died", fmt::format("PostgreSQL has ended by itself: it {}", why_it_ended()));
    if (events_) events_(PostgresEvent::postmaster_died);
}

std::string Instance::why_it_ended() const {
    if (!exit_text_.empty()) return fmt::format("could not be executed: {}", exit_text_);
    if (WIFSIGNALED(last_exit_)) return fmt::format("was ended by signal {}", WTERMSIG(last_exit_));
    return fmt::format("exited with code {} (its log says why)", WEXITSTATUS(last_exit_));
}

Result<Binaries> Instance::binaries() const {
    PGHERD_TRY(const auto version, data_version(data_dir()));
    return find_binaries(config_.postgres, version);
}

std::string Instance::socket_dir() const {
    if (!config_.postgres.socket_dir.empty()) return socket_path(data_dir(), config_.postgres.socket_dir);
    return may_write(identity_, "/var/run/postgresql") ? "/var/run/postgresql" : "/tmp";
}

RenderInput Instance::render_input() const {
    RenderInput input{
        .agent = config_, .instance = wanted_, .socket_dir = socket_dir(), .user = identity_.user};
    if (spec_) {
        input.standby = spec_->standby;
        input.upstream = spec_->upstream;
    }
    input.control = control_;
    input.custom_recovery = custom_recovery_;
    return input;
}

Async<std::unique_ptr<Connection>> Instance::connect_local(Instant deadline, ConnectionParameters extra) {
    const PostgresConfig& postgres = config_.postgres;
    const Credentials superuser = former_passwords_.in_force(postgres.superuser);
    ConnectionParameters parameters = superuser.options;
    // Users' own pg_hba.conf may lack lines for the socket, as Patroni's examples do.
    if (postgres.use_unix_socket || default_hba(render_input())) {
        parameters["host"] = socket_dir();
    } else {
        const std::string host = postgres.listen_hosts.empty() ? "127.0.0.1" : postgres.listen_hosts.front();
        parameters["host"] = host == "*" || host == "0.0.0.0" || host == "localhost" ? "127.0.0.1"
                             : host == "::"                                          ? "::1"
                                                                                     : host;
    }
    parameters["port"] = std::to_string(postgres.port);
    parameters["user"] = superuser.username;
    parameters["password"] = superuser.password;
    parameters["dbname"] = "postgres";
    parameters["application_name"] = "pgherd";
    parameters["gssencmode"] = "disable";
    // Our own statements must wait for no standby, and resolve nothing through users' schemas.
    parameters["options"] =
        "-c search_path=pg_catalog -c synchronous_commit=local -c statement_timeout=10s -c "
        "log_statement=none";
    for (auto& [key, value] : extra) parameters[key] = value;
    std::string host = parameters["host"];
    auto connection = co_await Connection::open(std::move(parameters), deadline);
    if (connection || !refused_by_hba(connection.error())) co_return connection;
    co_return std::unexpected(with_context(
        std::move(connection).error(),
        fmt::format("postgresql.pg_hba must let the agent in, as \"{}\" from {}", superuser.username, host)));
}

Async<Table> Instance::query(std::string sql, Instant deadline, ConnectionParameters extra) {
    PGHERD_CO_TRY(const auto connection, co_await connect_local(deadline, std::move(extra)));
    co_return co_await connection->query(std::move(sql), deadline);
}

Async<ControlData> Instance::read_control() {
    struct stat info{};
    if (::stat((data_dir() + "/global/pg_control").c_str(), &info) != 0)
        co_return fail(ErrorCode::not_found, fmt::format("cannot read pg_control in {}", data_dir()));
    const std::int64_t changed = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
    if (control_ && changed == control_changed_) co_return *control_;
    PGHERD_CO_TRY(const Binaries programs, binaries());
    PGHERD_CO_TRY(const ChildResult result,
                  co_await run_child(identity_,
                                     {.argv = {programs.path("pg_controldata"), data_dir()},
                                      .environment = tool_environment(identity_, {"LC_ALL=C", "LANGUAGE=C"})},
                                     after(std::chrono::seconds(10))));
    if (!result.succeeded())
        co_return fail(
            fmt::format("cannot read pg_control in {}: pg_controldata {}", data_dir(), result.describe()));
    PGHERD_CO_TRY(control_, parse_controldata(result.output));
    control_changed_ = changed;
    co_return *control_;
}

// One flush per file system instead of one per file, which takes seconds on a busy disk. In a child, as it
// may block.
Async<void> Instance::sync_data() {
    std::vector<std::string> argv{"/bin/sync", "-f", data_dir(), data_dir() + "/pg_wal/"};
    std::error_code error;
    for (const auto& tablespace : std::filesystem::directory_iterator(data_dir() + "/pg_tblspc", error))
        argv.push_back(tablespace.path().string() + "/");
    PGHERD_CO_TRY(
        const ChildResult result,
        co_await run_child(identity_, {.argv = argv, .environment = tool_environment(identity_, {})},
                           after(std::chrono::hours(1))));
    if (!result.succeeded())
        co_return fail(fmt::format("cannot bring {} to disk: sync {}", data_dir(), result.describe()));
    co_return Status{};
}

Status Instance::prepare_directory() {
    PGHERD_TRY(const DataDirectory state, examine(data_dir()));
    if (state != DataDirectory::absent && state != DataDirectory::incomplete)
        return fail(
            ErrorCode::conflict,
            fmt::format("cannot fill {}: it is {}", data_dir(),
                        state == DataDirectory::valid ? "an instance already" : "not empty, and not ours"));
    if (state == DataDirectory::incomplete) PGHERD_CHECK(clear_incomplete(data_dir()));
    return make_directory(identity_, data_dir());
}

}  // namespace pgherd::postgres
