// The configuration on disk, and getting a running server to take it over.
#include <csignal>

#include <algorithm>

#include <libpq-fe.h>

#include <fmt/format.h>

#include "base/text.h"
#include "postgres/datadir.h"
#include "postgres/instance.h"

namespace pgherd::postgres {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// "ANY 2 (\"a\",b)" → a, b. "*" stands for everybody.
std::vector<std::string> listed_names(std::string_view setting) {
    const auto open = setting.find('(');
    if (open != std::string_view::npos) setting = setting.substr(open + 1, setting.rfind(')') - open - 1);
    std::vector<std::string> names;
    for (const auto& part : split(setting, ',')) {
        std::string_view name = trim(part);
        if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
        if (!name.empty()) names.emplace_back(name);
    }
    return names;
}

}  // namespace

Status Instance::write_configuration() {
    const RenderInput input = render_input();
    PGHERD_CHECK(make_directory(identity_, config_dir()));
    const std::string conf = config_dir() + "/postgresql.conf";
    const std::string base = config_dir() + "/postgresql.base.conf";
    if (!exists(base)) {
        // The first start: initdb's (or the former owner's) file stays as what ours includes.
        const auto original = read_file(conf);
        PGHERD_CHECK(write_file(identity_, base, original.value_or("")));
    }
    const std::string auto_conf = data_dir() + "/postgresql.auto.conf";
    if (const auto text = read_file(auto_conf)) PGHERD_CHECK(write_file(identity_, auto_conf, purge_auto_conf(*text)));
    PGHERD_CHECK(write_file(identity_, password_file_path(config_), password_file(config_)));
    std::string text = postgresql_conf(input);
    for (const auto& [name, value] : custom_recovery_) text += fmt::format("{} = {}\n", name, quote_literal(value));
    PGHERD_CHECK(write_file(identity_, conf, text));
    PGHERD_CHECK(write_file(identity_, config_dir() + "/pg_hba.conf", hba_conf(input)));
    return write_file(identity_, config_dir() + "/pg_ident.conf", ident_conf(input));
}

// A brain that was started again finds in the server what the old one had set.
Async<void> Instance::learn_upstream() {
    if (spec_) co_return Status{};
    if (gone() || !exists(data_dir() + "/standby.signal")) {
        spec_ = StartSpec{.standby = exists(data_dir() + "/standby.signal")};
        co_return Status{};
    }
    PGHERD_CO_TRY(const Table answer, co_await query("SELECT current_setting('primary_conninfo') AS conninfo, current_setting('primary_slot_name') AS slot",
                                                     after(seconds(5))));
    StartSpec spec{.standby = true, .upstream = {.slot = answer.at(0, "slot")}};
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(PQconninfoParse(answer.at(0, "conninfo").c_str(), nullptr), PQconninfoFree);
    for (const PQconninfoOption* option = options.get(); option && option->keyword; ++option) {
        if (!option->val) continue;
        if (option->keyword == std::string_view("host")) spec.upstream.host = option->val;
        if (option->keyword == std::string_view("port")) spec.upstream.port = static_cast<std::uint16_t>(parse_uint(option->val).value_or(5432));
    }
    spec_ = std::move(spec);
    co_return Status{};
}

Async<void> Instance::follow(Upstream upstream) {
    if (gone()) co_return fail(ErrorCode::conflict, "cannot follow: PostgreSQL does not run");
    if (!exists(data_dir() + "/standby.signal")) co_return fail(ErrorCode::conflict, "cannot follow: PostgreSQL is no standby");
    spec_ = StartSpec{.standby = true, .upstream = std::move(upstream)};
    // Every supported version takes a new primary_conninfo over on reload.
    PGHERD_CO_CHECK(write_configuration());
    co_return co_await send_signal(SIGHUP);
}

Async<void> Instance::reload() {
    PGHERD_CO_CHECK(co_await learn_upstream());
    if (inspect(data_dir()) != DataDirectory::valid) co_return fail(ErrorCode::conflict, fmt::format("cannot reload: {} is no complete instance", data_dir()));
    PGHERD_CO_CHECK(write_configuration());
    if (gone()) co_return Status{};
    co_return co_await send_signal(SIGHUP);
}

// In force: a new session has the setting (so has everything that is forked from now on), and every walsender has
// worked out its own priority anew. A change that leaves the priorities alone (ANY 1 to ANY 2 of the same names) is
// invisible there; walsenders take a new configuration at their next turn, which is awaited by a pause.
Async<void> Instance::confirm_standby_names(const std::string& names, Instant deadline) {
    const auto listed = listed_names(names);
    const bool everybody = std::ranges::find(listed, "*") != listed.end();
    while (true) {
        PGHERD_CO_TRY(const auto session, co_await connect_local(deadline));
        PGHERD_CO_TRY(const Table shown, co_await session->query("SELECT current_setting('synchronous_standby_names') AS names", deadline));
        bool settled = shown.at(0, "names") == names;
        if (settled) {
            PGHERD_CO_TRY(const Table rows, co_await session->query("SELECT application_name, sync_priority > 0 AS chosen FROM pg_stat_replication WHERE state IN ('streaming', 'catchup')", deadline));
            for (std::size_t i = 0; i < rows.rows.size(); ++i) {
                const std::string name = to_lower(rows.at(i, "application_name"));
                const bool expected = everybody || std::ranges::any_of(listed, [&](const std::string& one) { return to_lower(one) == name; });
                settled = settled && (rows.at(i, "chosen") == "t") == expected;
            }
        }
        if (settled) co_return Status{};
        if (boottime_now() >= deadline) co_return fail(ErrorCode::timeout, "PostgreSQL does not take over synchronous_standby_names in time", Certainty::maybe_done);
        co_await pause_for(milliseconds(5));
    }
}

Async<Lsn> Instance::set_synchronous_standby_names(std::string names) {
    const Instant deadline = after(seconds(10));
    if (gone()) co_return fail(ErrorCode::conflict, "cannot set synchronous_standby_names: PostgreSQL does not run");
    PGHERD_CO_CHECK(co_await learn_upstream());
    wanted_.synchronous_standby_names = names;
    PGHERD_CO_CHECK(write_configuration());
    PGHERD_CO_CHECK(co_await send_signal(SIGHUP));
    PGHERD_CO_CHECK(co_await confirm_standby_names(names, deadline));
    co_await pause_for(milliseconds(20));
    PGHERD_CO_TRY(const Table answer, co_await query("SELECT pg_current_wal_flush_lsn() AS lsn", deadline));
    co_return parse_lsn(answer.at(0, "lsn"));
}

}  // namespace pgherd::postgres
