// A new cluster: initdb or the user's method, the first start, the users. What fails is moved aside whole.
#include <algorithm>
#include <csignal>
#include <cstdlib>

#include <fmt/format.h>

#include "base/text.h"
#include "postgres/datadir.h"
#include "postgres/instance.h"

namespace pgherd::postgres {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

bool has_option(const std::vector<std::string>& options, std::initializer_list<std::string_view> prefixes) {
    return std::ranges::any_of(options, [&](const std::string& option) {
        return std::ranges::any_of(prefixes,
                                   [&](std::string_view prefix) { return option.starts_with(prefix); });
    });
}

std::string create_or_alter(const std::string& user, const std::string& attributes,
                            const std::string& encrypted) {
    const std::string password = encrypted.empty() ? "" : " PASSWORD " + quote_literal(encrypted);
    const std::string name = quote_identifier(user);
    return fmt::format(
        "DO $pgherd$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = {0}) THEN ALTER ROLE {1} WITH "
        "{2}{3}; "
        "ELSE CREATE ROLE {1} WITH {2}{3}; END IF; END $pgherd$",
        quote_literal(user), name, attributes, password);
}

// What pg_rewind calls on the source (PostgreSQL documentation, pg_rewind).
std::string rewind_grants(const std::string& user) {
    std::string sql;
    for (const char* function :
         {"pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)", "pg_read_binary_file(text)",
          "pg_read_binary_file(text, bigint, bigint, boolean)"})
        sql +=
            fmt::format("GRANT EXECUTE ON FUNCTION pg_catalog.{} TO {};", function, quote_identifier(user));
    return sql;
}

// Removes the file when left.
class SecretFile {
  public:
    explicit SecretFile(std::string path) : path_(std::move(path)) {}
    ~SecretFile() { static_cast<void>(remove_file(path_)); }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace

Async<void> Instance::run_initdb() {
    PGHERD_CO_TRY(const Binaries programs, binaries());
    const auto& options = config_.bootstrap.initdb;
    const Credentials& superuser = config_.postgres.superuser;
    std::vector<std::string> argv{programs.path("initdb"), "--pgdata=" + data_dir(),
                                  "--username=" + superuser.username, "--no-sync"};
    const SecretFile secret(secret_path(data_dir()));
    if (superuser.password.empty()) {
        argv.insert(argv.end(), {"--auth-local=peer", "--auth-host=reject"});
    } else {
        PGHERD_CO_CHECK(write_file(identity_, secret.path(), superuser.password + "\n"));
        argv.insert(argv.end(), {"--auth=scram-sha-256", "--pwfile=" + secret.path()});
    }
    if (!has_option(options, {"--data-checksums", "-k", "--no-data-checksums"}))
        argv.push_back("--data-checksums");
    if (!has_option(options, {"--encoding", "-E"})) argv.push_back("--encoding=UTF8");
    // The same collation on every machine, whatever the environment of the first member says.
    if (!has_option(options, {"--locale", "--lc-", "--no-locale", "--icu"}))
        argv.push_back("--locale=C.UTF-8");
    for (const auto& option : options)
        if (option != "--no-data-checksums" || programs.major() >= 18) argv.push_back(option);
    PGHERD_CO_TRY(
        const ChildResult result,
        co_await run_child(identity_, {.argv = argv, .environment = filling_environment({"LC_MESSAGES=C"})},
                           after(minutes(10))));
    if (!result.succeeded())
        co_return fail(fmt::format("cannot create {}: initdb {}", data_dir(), result.describe()));
    co_return co_await sync_data();
}

Async<void> Instance::run_custom_bootstrap() {
    const ReplicaMethod& method = *config_.bootstrap.custom;
    PGHERD_CO_CHECK(co_await run_method(method, "bootstrap", {}, hours(24 * 7)));
    custom_recovery_ = config_.bootstrap.custom_recovery_conf;
    if (!custom_recovery_.empty() && !config_.bootstrap.custom_keep_existing_recovery_conf) {
        custom_recovery_.emplace("recovery_target_action", "promote");
        custom_recovery_.emplace("recovery_target_timeline", "latest");
        PGHERD_CO_CHECK(write_file(identity_, data_dir() + "/recovery.signal", ""));
    }
    co_return Status{};
}

Async<void> Instance::await_end_of_recovery(Instant deadline) {
    while (true) {
        PGHERD_CO_TRY(const Table answer, co_await query("SELECT pg_is_in_recovery() AS standby", deadline));
        if (answer.at(0, "standby") == "f") co_return Status{};
        if (gone()) co_return fail(fmt::format("cannot recover: PostgreSQL {}", why_it_ended()));
        co_await guard_.changed().wait(after(milliseconds(200)));
    }
}

Async<void> Instance::create_users() {
    const Instant deadline = after(minutes(1));
    PGHERD_CO_TRY(const auto session, co_await connect_local(deadline));
    const PostgresConfig& postgres = config_.postgres;
    const auto encrypted = [&](const Credentials& user) -> Result<std::string> {
        if (user.password.empty()) return std::string();
        return session->encrypt_password(user.username, user.password);
    };
    std::vector<std::string> statements;
    PGHERD_CO_TRY(const std::string superuser, encrypted(postgres.superuser));
    statements.push_back(create_or_alter(postgres.superuser.username, "LOGIN SUPERUSER", superuser));
    if (postgres.replication.username != postgres.superuser.username) {
        PGHERD_CO_TRY(const std::string replication, encrypted(postgres.replication));
        statements.push_back(
            create_or_alter(postgres.replication.username, "LOGIN REPLICATION", replication));
    }
    const Credentials& rewind = postgres.rewind;
    if (!rewind.username.empty() && rewind.username != postgres.superuser.username) {
        PGHERD_CO_TRY(const std::string password, encrypted(rewind));
        if (rewind.username != postgres.replication.username)
            statements.push_back(create_or_alter(rewind.username, "LOGIN", password));
        statements.push_back(rewind_grants(rewind.username));
    }
    for (const auto& statement : statements) {
        auto done = co_await session->query(statement, deadline);
        if (!done)
            co_return std::unexpected(with_context(std::move(done).error(), "cannot create the users"));
    }
    co_return Status{};
}

Async<void> Instance::run_post_bootstrap() {
    const std::string& command = config_.bootstrap.post_bootstrap;
    if (command.empty()) co_return Status{};
    const PostgresConfig& postgres = config_.postgres;
    const std::string dsn = conninfo_text({{"host", default_hba(render_input()) ? socket_dir() : "127.0.0.1"},
                                           {"port", std::to_string(postgres.port)},
                                           {"user", postgres.superuser.username},
                                           {"dbname", "postgres"}});
    PGHERD_CO_TRY(const ChildResult result,
                  co_await run_child(identity_,
                                     {.argv = shell_command(command, {dsn}),
                                      .environment = tool_environment(
                                          identity_, {"PGPASSFILE=" + password_file_path(config_)})},
                                     after(hours(24))));
    if (!result.succeeded())
        co_return fail(fmt::format("cannot finish the bootstrap: post_bootstrap {}", result.describe()));
    co_return Status{};
}

Async<void> Instance::bring_up_new_cluster() {
    const bool custom =
        !config_.bootstrap.method.empty() && config_.bootstrap.method != "initdb" && config_.bootstrap.custom;
    PGHERD_CO_CHECK(custom ? co_await run_custom_bootstrap() : co_await run_initdb());
    spec_ = StartSpec{.standby = false};
    PGHERD_CO_CHECK(co_await launch(
        true, after(custom ? Duration(hours(24)) : Duration(config_.postgres.pg_ctl_timeout))));
    if (custom) PGHERD_CO_CHECK(co_await await_end_of_recovery(after(hours(24 * 7))));
    custom_recovery_.clear();
    PGHERD_CO_CHECK(co_await create_users());
    PGHERD_CO_CHECK(co_await run_post_bootstrap());
    PGHERD_CO_CHECK(write_file(identity_, unregistered_path(data_dir()),
                               "a new cluster that the store does not know yet\n"));
    co_return clear_journal(data_dir());
}

void Instance::registered() {
    if (const auto removed = remove_file(unregistered_path(data_dir())); !removed)
        log_.warning("postgres-registered", removed.error().message);
}

Async<void> Instance::bootstrap(Progress progress) {
    PGHERD_CO_CHECK(co_await take_directory("bootstrap"));
    PGHERD_CO_CHECK(prepare_directory());
    PGHERD_CO_CHECK(write_journal(identity_, data_dir(), "bootstrap"));
    if (progress) progress("creating a new cluster");
    auto done = co_await bring_up_new_cluster();
    if (done) co_return done;
    custom_recovery_.clear();
    if (const auto stopped = co_await stop(StopMode::immediate, false, after(milliseconds(0)), nullptr);
        !stopped)
        co_return done;
    if (const auto moved = move_aside(data_dir()); !moved)
        co_return std::unexpected(with_context(moved.error(), done.error().message));
    co_return done;
}

}  // namespace pgherd::postgres
