// Physical replication slots of members, and the history of another server.
//
// pgherd notes in a file of the data directory which slots it has made or was asked for; only those does it
// ever drop.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/files.h"
#include "base/text.h"
#include "postgres/datadir.h"
#include "postgres/instance.h"

namespace pgherd::postgres {

namespace {

std::set<std::string> read_names(const std::string& path) {
    std::set<std::string> names;
    if (const auto text = read_file(path))
        for (const auto& line : split(*text, '\n'))
            if (!trim(line).empty()) names.emplace(trim(line));
    return names;
}

Async<bool> in_recovery(Connection& session, Instant deadline) {
    PGHERD_CO_TRY(const Table answer,
                  co_await session.query("SELECT pg_catalog.pg_is_in_recovery() AS standby", deadline));
    co_return answer.at(0, "standby") == "t";
}

// All but the role, over a replication connection.
Async<UpstreamHistory> identify(Connection& link, Instant deadline) {
    UpstreamHistory history;
    PGHERD_CO_TRY(const Table system, co_await link.query("IDENTIFY_SYSTEM", deadline));
    PGHERD_CO_TRY(const std::uint64_t id, parse_uint(system.at(0, "systemid")));
    PGHERD_CO_TRY(const std::uint64_t timeline, parse_uint(system.at(0, "timeline")));
    PGHERD_CO_TRY(history.position, parse_lsn(system.at(0, "xlogpos")));
    history.system_id = SystemId(id);
    history.timeline = {static_cast<std::uint32_t>(timeline)};
    if (timeline > 1) {
        PGHERD_CO_TRY(const Table lines,
                      co_await link.query(fmt::format("TIMELINE_HISTORY {}", timeline), deadline));
        for (const auto& line : parse_history(lines.at(0, "content")))
            history.switchpoints.emplace_back(line.timeline, line.lsn);
    }
    co_return history;
}

}  // namespace

Async<void> Instance::sync_slots(std::map<std::string, Lsn> wanted) {
    const Instant deadline = after(std::chrono::seconds(10));
    const std::string notes = data_dir() + "/pgherd.slots";
    std::set<std::string> ours = read_names(notes);
    PGHERD_CO_TRY(const auto session, co_await connect_local(deadline));
    PGHERD_CO_TRY(const Table slots,
                  co_await session->query(
                      "SELECT slot_name, slot_type, active, restart_lsn, wal_status, pg_is_in_recovery() AS "
                      "standby FROM pg_replication_slots WHERE NOT temporary",
                      deadline));
    std::map<std::string, std::size_t> present;
    std::vector<std::string> statements;
    for (std::size_t i = 0; i < slots.rows.size(); ++i) {
        const std::string name = slots.at(i, "slot_name");
        if (slots.at(i, "slot_type") != "physical") {
            wanted.erase(name);
            continue;
        }
        const bool idle = slots.at(i, "active") == "f";
        const bool unwanted = !wanted.contains(name) && ours.contains(name);
        const bool lost = wanted.contains(name) && slots.at(i, "wal_status") == "lost";
        if ((unwanted || lost) && idle)
            statements.push_back(fmt::format("SELECT pg_drop_replication_slot({})", quote_literal(name)));
        if (unwanted && idle) ours.erase(name);
        if (!(lost && idle)) present[name] = i;
    }
    for (const auto& [name, lsn] : wanted) {
        ours.insert(name);
        const auto found = present.find(name);
        if (found == present.end())
            statements.push_back(
                fmt::format("SELECT pg_create_physical_replication_slot({}, true)", quote_literal(name)));
        // Only forwards, only an idle slot, only as far as this server itself has got; a race costs one
        // round.
        if (lsn.valid())
            statements.push_back(
                fmt::format("SELECT pg_replication_slot_advance(slot_name, {0}::pg_lsn) FROM "
                            "pg_replication_slots WHERE slot_name = {1} AND NOT active AND "
                            "restart_lsn < {0}::pg_lsn AND CASE WHEN pg_is_in_recovery() THEN "
                            "pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END >= {0}::pg_lsn",
                            quote_literal(to_string(lsn)), quote_literal(name)));
    }
    // Noted before they are made: a slot that nobody remembers would hold WAL for ever.
    std::set<std::string> noted = read_names(notes);
    noted.insert(ours.begin(), ours.end());
    if (noted != read_names(notes))
        PGHERD_CO_CHECK(write_file(identity_, notes, join({noted.begin(), noted.end()}, "\n") + "\n"));
    Status result;
    for (const auto& statement : statements) {
        auto done = co_await session->query(statement, deadline);
        if (!done && result)
            result =
                std::unexpected(with_context(std::move(done).error(), "cannot keep the replication slots"));
    }
    if (result && noted != ours)
        PGHERD_CO_CHECK(write_file(identity_, notes, join({ours.begin(), ours.end()}, "\n") + "\n"));
    co_return result;
}

// The role is asked before and after: during a promotion the new role shows only after the new timeline does,
// so one that was a primary before it named its timeline has named the last one.
Async<UpstreamHistory> Instance::upstream_history(Upstream upstream, Instant deadline) {
    // A new leader may be further than this standby, whose own pg_authid would learn of it from nobody else.
    if (!former_passwords_.empty()) PGHERD_CO_CHECK(co_await drop_refused_passwords(upstream, deadline));
    auto parameters = replication_conninfo(config_, upstream);
    parameters["password"] = former_passwords_.in_force(config_.postgres.replication).password;
    parameters["application_name"] = "pgherd";
    parameters["replication"] = "true";
    PGHERD_CO_TRY(const auto link, co_await Connection::open(parameters, deadline));
    const Credentials user = former_passwords_.in_force(
        config_.postgres.rewind.username.empty() ? config_.postgres.superuser : config_.postgres.rewind);
    parameters.erase("replication");
    parameters["dbname"] = "postgres";
    parameters["user"] = user.username;
    parameters["password"] = user.password;
    for (const auto& [key, value] : user.options) parameters[key] = value;
    PGHERD_CO_TRY(const auto session, co_await Connection::open(parameters, deadline));
    PGHERD_CO_TRY(bool before, co_await in_recovery(*session, deadline));
    while (true) {
        PGHERD_CO_TRY(UpstreamHistory history, co_await identify(*link, deadline));
        PGHERD_CO_TRY(history.in_recovery, co_await in_recovery(*session, deadline));
        if (history.in_recovery == before) co_return history;
        before = history.in_recovery;
    }
}

}  // namespace pgherd::postgres
