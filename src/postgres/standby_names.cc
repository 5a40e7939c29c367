// Setting synchronous_standby_names, and knowing that it is in force.
//
// Who acts by it: a backend at commit asks only a flag in shared memory whether to wait at all, which the
// checkpointer sets; a walsender releases waiting backends by its own copy of the setting. So the setting is
// in force once the checkpointer and every walsender have taken it over. Each of them does at the top of its
// main loop, before it does anything else, but none tells. It is concluded from two looks at a process: it
// sleeps and has no SIGHUP pending, and after that the server says it waits in that main loop. (A signal
// makes that wait return, so one that sleeps in it has no reload before it.) Twice in a row, as the second
// look may catch it on its way into the wait.
//
// The order of the looks rests on the postmaster: a new session has the new setting only after the postmaster
// has sent SIGHUP to all of its children. A checkpointer that is in the middle of an immediate checkpoint
// takes nothing over until its end; switching synchronous replication on waits for that.
//
// The position that is given: what was acknowledged under the former setting had been flushed before, so it
// lies at or before the flushed position of a moment at which the new setting is in force.
#include "postgres/standby_names.h"

#include <csignal>

#include <fmt/format.h>

#include "base/files.h"
#include "base/text.h"
#include "postgres/instance.h"

namespace pgherd::postgres {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A walsender with so much to send that it is never seen waiting passes the top of its loop far more often
// than this.
constexpr Duration kOneTurn = milliseconds(100);

constexpr const char* kPosition =
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END "
    "AS lsn";
// Walsenders without a flushed position (a base backup's) show priority 0 and release nobody.
constexpr const char* kQuestion =
    "SELECT a.pid, a.backend_type, a.wait_event, r.application_name, r.sync_priority, "
    "current_setting('synchronous_standby_names') AS names,"
    " pg_is_in_recovery() AS standby FROM pg_stat_activity a LEFT JOIN pg_stat_replication r ON r.pid = "
    "a.pid WHERE a.backend_type = 'checkpointer'"
    " OR r.state IN ('catchup', 'streaming', 'stopping') AND r.flush_lsn IS NOT NULL";

enum class Look { pending, running, asleep };

// A process that has ended, or hides: then what the server says of it must do.
Look look_at(const std::string& pid) {
    const auto text = read_file(fmt::format("/proc/{}/status", pid));
    if (!text) return Look::asleep;
    bool asleep = false, pending = false;
    for (const auto& line : split(*text, '\n')) {
        const auto colon = line.find(':');
        if (colon == std::string::npos) continue;
        const std::string name = line.substr(0, colon), value(trim(line.substr(colon + 1)));
        if (name == "State") asleep = value.starts_with('S');
        if (name == "SigPnd" || name == "ShdPnd")
            pending = pending || (std::strtoull(value.c_str(), nullptr, 16) >> (SIGHUP - 1) & 1) != 0;
    }
    return pending ? Look::pending : asleep ? Look::asleep : Look::running;
}

bool waits_in_main_loop(const Table& table, std::size_t row) {
    const std::string event = table.at(row, "wait_event");
    return event == "CheckpointerMain" || event == "CheckpointWriteDelay" || event == "WalSenderMain";
}

// Which processes have taken the setting over.
class Settling {
  public:
    Settling(std::string names, bool checkpointer_matters)
        : names_(parse_standby_names(names)), checkpointer_matters_(checkpointer_matters) {}

    // Before the question…
    void look() {
        for (auto& [pid, one] : processes_) {
            one.look = look_at(pid);
            if (one.look == Look::pending)
                one.since.reset();
            else if (!one.since)
                one.since = boottime_now();
        }
    }
    // …and after it. True when everybody has it.
    bool judge(const Table& table) {
        bool all = true;
        for (std::size_t i = 0; i < table.rows.size(); ++i) {
            const bool checkpointer = table.at(i, "backend_type") == "checkpointer";
            if (checkpointer && !checkpointer_matters_) continue;
            Process& one = processes_[table.at(i, "pid")];
            one.seen = one.look == Look::asleep && waits_in_main_loop(table, i) ? one.seen + 1 : 0;
            const bool turned =
                one.seen >= 2 || (!checkpointer && one.since && boottime_now() - *one.since >= kOneTurn);
            all = all && turned && (checkpointer || has_priority(table, i));
        }
        return all;
    }

  private:
    struct Process {
        Look look = Look::pending;
        std::optional<Instant> since;  // no signal is pending
        int seen = 0;
    };

    bool has_priority(const Table& table, std::size_t row) const {
        const int expected =
            table.at(row, "standby") == "t" ? 0 : names_.priority(table.at(row, "application_name"));
        return table.at(row, "sync_priority") == std::to_string(expected);
    }

    StandbyNames names_;
    bool checkpointer_matters_;
    std::map<std::string, Process> processes_;
};

}  // namespace

StandbyNames parse_standby_names(std::string_view setting) {
    StandbyNames result;
    const auto open = setting.find('(');
    if (open != std::string_view::npos && setting.find('"') > open) {
        result.quorum = to_lower(trim(setting.substr(0, open))).starts_with("any");
        setting = setting.substr(open + 1, setting.rfind(')') - open - 1);
    }
    std::string name;
    bool quoted = false;
    const auto finish = [&] {
        if (!trim(name).empty()) result.names.emplace_back(trim(name));
        name.clear();
    };
    for (std::size_t i = 0; i < setting.size(); ++i) {
        const char c = setting[i];
        if (c == '"' && quoted && i + 1 < setting.size() && setting[i + 1] == '"')
            name += setting[++i];
        else if (c == '"')
            quoted = !quoted;
        else if (c == ',' && !quoted)
            finish();
        else
            name += c;
    }
    finish();
    return result;
}

int StandbyNames::priority(std::string_view application_name) const {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == "*" || iequals(names[i], application_name))
            return quorum ? 1 : static_cast<int>(i) + 1;
    return 0;
}

Async<Lsn> Instance::confirm_standby_names(const std::string& names, bool switched_on, Instant deadline) {
    Settling settling(names, switched_on);
    std::unique_ptr<Connection> session;
    while (true) {
        if (!session) {
            PGHERD_CO_TRY(session, co_await connect_local(deadline));
        }
        settling.look();
        PGHERD_CO_TRY(const Table table, co_await session->query(kQuestion, deadline));
        // An old session may have it before the postmaster has told the others; so only a new one proves it.
        if (table.at(0, "names") != names)
            session.reset();
        else if (settling.judge(table))
            break;
        if (boottime_now() >= deadline)
            co_return fail(ErrorCode::timeout,
                           "PostgreSQL does not take over synchronous_standby_names in time",
                           Certainty::maybe_done);
        co_await pause_for(milliseconds(1));
    }
    PGHERD_CO_TRY(const Table answer, co_await session->query(kPosition, deadline));
    const std::string position = answer.at(0, "lsn");
    co_return position.empty() ? Lsn{} : parse_lsn(position);
}

// On a standby there is nobody to release and nothing is committed; it gets the setting for after its
// promotion.
Async<Lsn> Instance::set_synchronous_standby_names(std::string names) {
    const Instant deadline = after(seconds(10));
    if (gone())
        co_return fail(ErrorCode::conflict, "cannot set synchronous_standby_names: PostgreSQL does not run");
    PGHERD_CO_CHECK(co_await learn_upstream());
    const bool switched_on = !names.empty() && (!names_in_force_ || names_in_force_->empty());
    wanted_.synchronous_standby_names = names;
    PGHERD_CO_CHECK(write_configuration());
    PGHERD_CO_CHECK(co_await send_signal(SIGHUP));
    PGHERD_CO_TRY(const Lsn position, co_await confirm_standby_names(names, switched_on, deadline));
    if (wanted_.synchronous_standby_names == names) names_in_force_ = names;
    co_return position;
}

}  // namespace pgherd::postgres
