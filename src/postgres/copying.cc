// Becoming a copy of another member: pg_basebackup or a user's method, pg_rewind, and moving a directory
// aside.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.h"
#include "postgres/datadir.h"
#include "postgres/instance.h"
#include "postgres/tablespaces.h"

namespace pgherd::postgres {

namespace {

constexpr Duration kCopyLimit = std::chrono::hours(24 * 7);

std::string size_text(double kilobytes) {
    if (kilobytes >= 1024.0 * 1024.0) return fmt::format("{:.1f} GB", kilobytes / (1024.0 * 1024.0));
    return fmt::format("{:.1f} MB", kilobytes / 1024.0);
}

// "12345/67890 kB (18%), 0/1 tablespace" in the last line of output → "copying 12.1 MB of 66.3 MB (18 %)".
// Also pg_rewind's.
std::optional<std::string> progress_text(std::string_view output) {
    const auto unit = output.rfind(" kB (");
    if (unit == std::string_view::npos) return std::nullopt;
    const auto start = output.find_last_of("\r\n", unit);
    const std::string_view numbers =
        trim(output.substr(start == std::string_view::npos ? 0 : start + 1,
                           unit - (start == std::string_view::npos ? 0 : start + 1)));
    const auto slash = numbers.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto done = parse_uint(trim(numbers.substr(0, slash)));
    const auto total = parse_uint(trim(numbers.substr(slash + 1)));
    if (!done || !total || *total == 0) return std::nullopt;
    return fmt::format("copying {} of {} ({} %)", size_text(static_cast<double>(*done)),
                       size_text(static_cast<double>(*total)),
                       std::min<std::uint64_t>(100, *done * 100 / *total));
}

// Passes progress on, once a second at most.
std::function<void(std::string_view)> reporter(Postgres::Progress progress) {
    return [progress = std::move(progress), next = Instant{}](std::string_view piece) mutable {
        if (!progress || boottime_now() < next) return;
        if (const auto text = progress_text(piece)) {
            next = boottime_now() + std::chrono::seconds(1);
            progress(*text);
        }
    };
}

// Whether words have come, wherever the pieces of output part them, and however much has come since.
class Watchword {
  public:
    explicit Watchword(std::string_view words) : words_(words) {}
    void read(std::string_view piece) {
        tail_ += piece;
        seen_ = seen_ || tail_.find(words_) != std::string::npos;
        if (tail_.size() > words_.size()) tail_.erase(0, tail_.size() - words_.size());
    }
    bool seen() const { return seen_; }

  private:
    std::string words_;
    std::string tail_;
    bool seen_ = false;
};

// In the words of libpq, under LC_ALL=C.
bool lost_its_connection(std::string_view output) {
    static constexpr std::string_view kWords[] = {
        "connection to server", "server closed the connection",   "could not receive data from server",
        "could not send data",  "no connection to the server",    "could not connect to server",
        "SSL SYSCALL error",    "SSL connection has been closed", "terminating connection"};
    return std::ranges::any_of(
        kWords, [&](std::string_view words) { return output.find(words) != std::string_view::npos; });
}

}  // namespace

Async<void> Instance::run_basebackup(const Upstream& source, const std::string& slot,
                                     const Progress& progress) {
    PGHERD_CO_TRY(const Binaries programs, binaries());
    auto conninfo = replication_conninfo(config_, source);
    std::vector<std::string> argv{programs.path("pg_basebackup"),
                                  "--pgdata=" + data_dir(),
                                  "--wal-method=stream",
                                  "--checkpoint=fast",
                                  "--progress",
                                  "--no-sync",
                                  "--no-password",
                                  "--dbname=" + conninfo_text(conninfo)};
    if (!slot.empty()) argv.push_back("--slot=" + slot);
    const auto& options = config_.postgres.basebackup;
    argv.insert(argv.end(), options.begin(), options.end());
    PGHERD_CO_TRY(
        const ChildResult result,
        co_await run_child(
            identity_,
            {.argv = argv,
             .environment = filling_environment({"PGPASSFILE=" + password_file_path(config_), "LC_ALL=C"}),
             .on_output = reporter(progress)},
            after(kCopyLimit)));
    if (result.succeeded()) co_return co_await sync_data();
    // The slot is made by the leader, which may not have heard of this member yet; a temporary one does as
    // well.
    const bool slot_is_missing =
        !slot.empty() && (result.output.find("does not exist") != std::string::npos ||
                          result.output.find("is active for") != std::string::npos);
    if (slot_is_missing) {
        PGHERD_CO_CHECK(clear_incomplete(data_dir()));
        co_return co_await run_basebackup(source, "", progress);
    }
    co_return fail(
        fmt::format("cannot copy from {}:{}: pg_basebackup {}", source.host, source.port, result.describe()));
}

// `arguments`: what this kind of method is told beside the cluster's name and the directory.
Async<void> Instance::run_method(const ReplicaMethod& method, std::string verb,
                                 std::vector<std::string> arguments, Duration limit) {
    if (method.no_params) {
        arguments.clear();
    } else {
        arguments.insert(arguments.begin(), {"--scope=" + config_.scope, "--datadir=" + data_dir()});
        for (const auto& [key, value] : method.options)
            arguments.push_back(fmt::format("--{}={}", key, value));
    }
    PGHERD_CO_TRY(const ChildResult result,
                  co_await run_child(
                      identity_,
                      {.argv = shell_command(method.command, arguments),
                       .environment = filling_environment({"PGPASSFILE=" + password_file_path(config_)})},
                      after(limit)));
    if (!result.succeeded())
        co_return fail(
            fmt::format("cannot {} by \"{}\": the command {}", verb, method.name, result.describe()));
    PGHERD_CO_TRY(const auto version, data_version(data_dir()));
    if (!version)
        co_return fail(
            fmt::format("cannot {} by \"{}\": it left no instance in {}", verb, method.name, data_dir()));
    co_return Status{};
}

Async<void> Instance::run_replica_method(const ReplicaMethod& method, const Upstream& source) {
    std::vector<std::string> arguments{"--role=replica"};
    if (!source.none())
        arguments.push_back("--connstring=" + conninfo_text(replication_conninfo(config_, source)));
    return run_method(method, "copy", std::move(arguments), kCopyLimit);
}

Async<void> Instance::copy_by_any_method(const Upstream& source, const Progress& progress) {
    auto methods = config_.postgres.create_replica_methods;
    if (methods.empty()) methods.push_back({.name = "basebackup"});
    Status last = fail("cannot copy: no method is usable without a leader");
    for (const auto& method : methods) {
        const bool own = method.name == "basebackup" && method.command.empty();
        if (source.none() && (own || !method.no_leader)) continue;
        if (!method.keep_data) {
            PGHERD_CO_CHECK(clear_incomplete(data_dir()));
            PGHERD_CO_CHECK(make_directory(identity_, data_dir()));
        }
        last = own ? co_await run_basebackup(source, source.slot, progress)
                   : co_await run_replica_method(method, source);
        if (last) break;
        log_.warning("clone", last.error().message);
    }
    co_return last;
}

// The places outside the data directory that are empty now: what is in them after an interruption is the
// copy's own. Without an answer none is known, and what an interrupted copy has left there an operator
// removes.
Async<std::vector<std::string>> Instance::tablespaces_to_fill(const Upstream& source) {
    std::vector<std::string> places;
    if (source.none()) co_return places;
    const auto session = co_await log_in_as_rewind(source);
    if (!session) co_return places;
    const auto answer = co_await (*session)->query(
        "SELECT pg_tablespace_location(oid) AS location FROM pg_tablespace", after(std::chrono::seconds(5)));
    if (!answer) co_return places;
    for (std::size_t row = 0; row < answer->rows.size(); ++row) {
        const std::string place = mapped_tablespace(answer->at(row, "location"), config_.postgres.basebackup);
        if (place.starts_with('/') && place.find('\n') == std::string::npos && may_be_filled(place))
            places.push_back(place);
    }
    co_return places;
}

Async<void> Instance::clone(Upstream source, Progress progress) {
    PGHERD_CO_CHECK(co_await take_directory("copy"));
    PGHERD_CO_CHECK(prepare_directory());
    // What an interrupted quarantine has left in them.
    PGHERD_CO_CHECK(move_tablespaces_aside(data_dir() + ".failed"));
    PGHERD_CO_CHECK(co_await drop_refused_passwords(source, after(std::chrono::seconds(5))));
    PGHERD_CO_TRY(const auto tablespaces, co_await tablespaces_to_fill(source));
    PGHERD_CO_CHECK(write_journal(identity_, data_dir(), "clone", tablespaces));
    PGHERD_CO_CHECK(co_await copy_by_any_method(source, progress));
    PGHERD_CO_CHECK(write_file(identity_, data_dir() + "/standby.signal", ""));
    spec_ = StartSpec{.standby = true, .upstream = source};
    control_.reset();
    crashed_ = false;
    co_return clear_journal(data_dir());
}

ConnectionParameters Instance::rewind_conninfo(const Upstream& source) const {
    const PostgresConfig& postgres = config_.postgres;
    const Credentials& user = postgres.rewind.username.empty() ? postgres.superuser : postgres.rewind;
    auto conninfo = replication_conninfo(config_, source);
    conninfo["user"] = user.username;
    conninfo["dbname"] = "postgres";
    conninfo["application_name"] = "pgherd rewind";
    for (const auto& [key, value] : user.options) conninfo[key] = value;
    return conninfo;
}

Async<std::unique_ptr<Connection>> Instance::log_in_as_rewind(const Upstream& source) {
    const PostgresConfig& postgres = config_.postgres;
    const Credentials& user = postgres.rewind.username.empty() ? postgres.superuser : postgres.rewind;
    auto parameters = rewind_conninfo(source);
    parameters["password"] = former_passwords_.in_force(user).password;
    return Connection::open(std::move(parameters), after(std::chrono::seconds(5)));
}

Async<void> Instance::reach_for_rewind(const Upstream& source) {
    const auto session = co_await log_in_as_rewind(source);
    if (!session)
        co_return fail(ErrorCode::unavailable, fmt::format("cannot rewind to {}:{}: {}", source.host,
                                                           source.port, session.error().message));
    co_return Status{};
}

Result<std::vector<std::string>> Instance::rewind_command(const Upstream& source) const {
    PGHERD_TRY(const Binaries programs, binaries());
    std::vector<std::string> argv{programs.path("pg_rewind"), "--target-pgdata=" + data_dir(),
                                  "--source-server=" + conninfo_text(rewind_conninfo(source)), "--progress",
                                  "--no-sync"};
    if (recovery_parameters(render_input()).contains("restore_command"))
        argv.push_back("--restore-target-wal");
    if (config_dir() != data_dir() && programs.major() >= 15)
        argv.push_back("--config-file=" + config_dir() + "/postgresql.conf");
    const auto& options = config_.postgres.rewind_options;
    argv.insert(argv.end(), options.begin(), options.end());
    return argv;
}

// When it fails before it has changed anything, the journal goes: pg_rewind names what it will copy before it
// writes, and only the end of its output is kept. Then it is told whether the source was out of reach, or
// pg_rewind cannot do it (`invalid`).
Async<void> Instance::run_rewind(const Upstream& source, std::vector<std::string> argv,
                                 const Progress& progress) {
    Watchword writes("need to copy");
    const auto result = co_await run_child(
        identity_,
        {.argv = std::move(argv),
         .environment = filling_environment({"PGPASSFILE=" + password_file_path(config_), "LC_ALL=C"}),
         .on_output =
             [&writes, report = reporter(progress)](std::string_view piece) {
                 writes.read(piece);
                 report(piece);
             }},
        after(kCopyLimit));
    if (result && result->succeeded()) co_return co_await sync_data();
    const std::string why = fmt::format("cannot rewind to {}:{}: {}", source.host, source.port,
                                        result ? "pg_rewind " + result->describe() : result.error().message);
    if (writes.seen()) co_return fail(why);
    PGHERD_CO_CHECK(clear_journal(data_dir()));
    if (!result || lost_its_connection(result->output)) co_return fail(ErrorCode::unavailable, why);
    const auto reached = co_await reach_for_rewind(source);
    co_return fail(reached ? ErrorCode::invalid : ErrorCode::unavailable, why);
}

Async<void> Instance::rewind(Upstream source, Progress progress) {
    PGHERD_CO_CHECK(co_await take_directory("rewind"));
    PGHERD_CO_TRY(const DataDirectory state, examine(data_dir()));
    if (state != DataDirectory::valid)
        co_return fail(ErrorCode::conflict,
                       fmt::format("cannot rewind: {} is no complete instance", data_dir()));
    // pg_rewind would run crash recovery in single-user mode, which damages an instance that starts from a
    // backup.
    PGHERD_CO_TRY(const bool starts_from_backup, is_there(data_dir() + "/backup_label"));
    if (starts_from_backup)
        co_return fail(
            ErrorCode::invalid,
            "cannot rewind: the instance has not finished starting from a backup (backup_label exists)");
    PGHERD_CO_TRY(const bool was_standby, is_there(data_dir() + "/standby.signal"));
    spec_ = StartSpec{.standby = true, .upstream = source};
    PGHERD_CO_TRY(control_, co_await read_control());
    PGHERD_CO_CHECK(write_configuration());
    PGHERD_CO_CHECK(co_await drop_refused_passwords(source, after(std::chrono::seconds(5))));
    PGHERD_CO_CHECK(co_await reach_for_rewind(source));
    PGHERD_CO_TRY(auto command, rewind_command(source));
    // After a crash pg_rewind has the instance recovered, and that takes the lock.
    PGHERD_CO_CHECK(remove_former_locks());
    PGHERD_CO_CHECK(write_journal(identity_, data_dir(), "rewind"));
    // Single-user mode refuses standbys; the file is back before anything is started.
    if (auto removed = remove_file(data_dir() + "/standby.signal"); !removed) {
        PGHERD_CO_CHECK(clear_journal(data_dir()));
        co_return removed;
    }
    if (progress) progress("rewinding");
    if (const auto done = co_await run_rewind(source, std::move(command), progress); !done) {
        if (was_standby) PGHERD_CO_CHECK(write_file(identity_, data_dir() + "/standby.signal", ""));
        co_return std::unexpected(done.error());
    }
    PGHERD_CO_CHECK(write_file(identity_, data_dir() + "/standby.signal", ""));
    PGHERD_CO_CHECK(write_configuration());
    control_.reset();
    crashed_ = false;
    co_return clear_journal(data_dir());
}

Async<void> Instance::quarantine() {
    PGHERD_CO_CHECK(co_await take_directory("move the data directory aside"));
    PGHERD_CO_TRY(const DataDirectory state, examine(data_dir()));
    if (state == DataDirectory::foreign)
        co_return fail(ErrorCode::conflict, fmt::format("cannot move {} aside: it is not ours", data_dir()));
    PGHERD_CO_CHECK(move_aside(data_dir()));
    control_.reset();
    crashed_.reset();
    co_return Status{};
}

}  // namespace pgherd::postgres
