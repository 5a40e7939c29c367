// Getting from a former password to the one that the configuration names (passwords.h).
#include <fmt/format.h>

#include "base/text.h"
#include "postgres/datadir.h"
#include "postgres/instance.h"

namespace pgherd::postgres {

namespace {

std::vector<const Credentials*> users_of(const PostgresConfig& config) {
    std::vector<const Credentials*> users{&config.superuser, &config.replication};
    if (!config.rewind.username.empty()) users.push_back(&config.rewind);
    return users;
}

}  // namespace

Status Instance::write_password_file() {
    AgentConfig in_force = config_;
    for (Credentials* user :
         {&in_force.postgres.superuser, &in_force.postgres.replication, &in_force.postgres.rewind})
        *user = former_passwords_.in_force(*user);
    return write_file(identity_, password_file_path(config_), password_file(in_force));
}

// The session is one of this server's superuser. On a primary the new passwords are set; on a standby it is
// seen whether they have arrived. A standby that follows nobody may have missed more than one change.
Async<void> Instance::change_passwords(Connection& session, bool streaming, Instant deadline) {
    for (const Credentials* user : users_of(config_.postgres)) {
        if (!former_passwords_.has(user->username)) continue;
        PGHERD_CO_TRY(
            const Table stored,
            co_await session.query(fmt::format("SELECT rolpassword FROM pg_authid WHERE rolname = {}",
                                               quote_literal(user->username)),
                                   deadline));
        if (!scram_accepts(stored.at(0, "rolpassword"), user->password)) {
            if (!may_be_primary_) continue;
            PGHERD_CO_TRY(const std::string secret, session.encrypt_password(user->username, user->password));
            PGHERD_CO_CHECK(co_await session.query(
                fmt::format("ALTER ROLE {} PASSWORD '{}'", quote_identifier(user->username), secret),
                deadline));
            log_.info("password-set", fmt::format("the new password of \"{}\" is set", user->username));
        }
        former_passwords_.forget(user->username);
    }
    if (!former_passwords_.empty() && !streaming && spec_ && spec_->standby)
        co_return co_await drop_refused_passwords(spec_->upstream, deadline);
    co_return write_password_file();
}

// Former passwords that the upstream refuses count no more. One that it still takes is kept, and so are all
// while it does not answer.
Async<void> Instance::drop_refused_passwords(Upstream upstream, Instant deadline) {
    for (const Credentials* user : users_of(config_.postgres)) {
        if (!former_passwords_.has(user->username) || upstream.host.empty()) continue;
        auto parameters = replication_conninfo(config_, upstream);
        parameters["user"] = user->username;
        parameters["password"] = former_passwords_.in_force(*user).password;
        parameters["application_name"] = "pgherd";
        if (user == &config_.postgres.replication)
            parameters["replication"] = "true";
        else
            parameters["dbname"] = "postgres";
        const auto session = co_await Connection::open(parameters, deadline);
        if (session || session.error().code != ErrorCode::denied) continue;
        log_.info("password-changed",
                  fmt::format("{} refuses the former password of \"{}\"", upstream.host, user->username));
        former_passwords_.forget(user->username);
    }
    co_return write_password_file();
}

}  // namespace pgherd::postgres
