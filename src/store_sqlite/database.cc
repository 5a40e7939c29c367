#include "store_sqlite/database.h"

#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/text.h"

namespace pgherd::sqlite {

namespace {

constexpr std::string_view kApplication = "1885825124";  // "pghd"
constexpr std::int64_t kFormat = 1;

Result<std::string> boot_id() {
    const auto id = read_file("/proc/sys/kernel/random/boot_id");
    if (!id || trim(*id).empty())
        return fail(ErrorCode::unavailable, "cannot read /proc/sys/kernel/random/boot_id");
    return std::string(trim(*id));
}

std::int64_t count(Instant instant) {
    return instant.time_since_epoch().count();
}

std::unexpected<Error> too_late() {
    return fail(ErrorCode::timeout, "the deadline passed before it was done");
}

Status expect(const Swap& swap, const std::optional<Record>& found) {
    const auto lost = [&](std::string why) -> Status { return fail(ErrorCode::conflict, std::move(why)); };
    if (std::holds_alternative<IfAbsent>(swap.expect) && found) return lost("it exists");
    if (const auto* expected = std::get_if<IfRevision>(&swap.expect)) {
        const Revision actual = found ? found->modified : Revision{};
        if (actual != expected->modified)
            return lost(
                fmt::format("it is at revision {}, not {}", actual.value(), expected->modified.value()));
    }
    if (const auto* expected = std::get_if<IfValue>(&swap.expect)) {
        if (!found) return lost("it does not exist");
        if (found->value != expected->value) return lost("it has another value");
    }
    return {};
}

}  // namespace

// --- opening -----------------------------------------------------------------------------------------------

Status Database::open(const std::string& path, Call& call) {
    be_patient_for(call);
    PGHERD_CHECK(connection_.open(path));
    PGHERD_CHECK(refuse_foreign_file());
    PGHERD_CHECK(connection_.use_log());
    PGHERD_CHECK(connection_.begin_write());
    Status status = refuse_foreign_file();
    if (status) status = create_tables();
    if (status) status = end_leases_of_other_boots();
    if (status) return connection_.commit();
    connection_.rollback();
    return status;
}

Status Database::refuse_foreign_file() {
    // In this order: another process may create everything, in one transaction, between the two reads.
    PGHERD_TRY(const std::string tables, connection_.pragma("SELECT count(*) FROM sqlite_schema"));
    PGHERD_TRY(const std::string application, connection_.pragma("PRAGMA application_id"));
    if (application != kApplication && (application != "0" || tables != "0"))
        return fail(ErrorCode::invalid, "the file is a database of another program");
    PGHERD_TRY(const std::string version, connection_.pragma("PRAGMA user_version"));
    PGHERD_TRY(const std::int64_t format, parse_int(version));
    if (format > kFormat)
        return fail(
            ErrorCode::invalid,
            fmt::format("the file was made by a newer pgherd (format {}, known is {})", format, kFormat));
    return {};
}

Status Database::create_tables() {
    PGHERD_TRY(const std::string version, connection_.pragma("PRAGMA user_version"));
    if (version != "0") return {};
    for (const char* sql : {
             "PRAGMA application_id = 1885825124",
             "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, boot_id "
             "TEXT NOT NULL)",
             "INSERT INTO meta VALUES (1, 1, '')",
             // AUTOINCREMENT: the id of a lease that has ended never comes back.
             "CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_ns INTEGER NOT NULL, "
             "expires_boottime_ns INTEGER NOT NULL)",
             "CREATE TABLE record (key TEXT PRIMARY KEY, value BLOB NOT NULL, created INTEGER NOT NULL, "
             "modified INTEGER NOT NULL, lease INTEGER NOT NULL) WITHOUT ROWID",
             "PRAGMA user_version = 1",
         })
        PGHERD_CHECK(connection_.run(sql));
    return {};
}

// CLOCK_BOOTTIME began anew, so no time in the file means anything any more. Nobody held a lease through the
// reboot.
Status Database::end_leases_of_other_boots() {
    PGHERD_TRY(const std::string current, boot_id());
    PGHERD_TRY(const std::string known, connection_.pragma("SELECT boot_id FROM meta"));
    if (known == current) return {};
    PGHERD_CHECK(connection_.run("DELETE FROM record WHERE lease <> 0"));
    PGHERD_CHECK(connection_.run("DELETE FROM lease"));
    PGHERD_CHECK(raise_revision());
    return connection_.run(connection_.sql("UPDATE meta SET boot_id = ?").bind(current));
}

void Database::be_patient_for(const Call& call) {
    connection_.set_patience([this, &call] { return call.may_go_on() && !closing_; });
}

// --- transactions ------------------------------------------------------------------------------------------

template <class T, class Work>
Result<T> Database::write(Call& call, bool announced, Work work) {
    if (!call.may_go_on()) return too_late();
    be_patient_for(call);
    PGHERD_CHECK(connection_.still_there());
    PGHERD_CHECK(connection_.begin_write());
    // Only now: waiting for the lock took time, and a lease is judged when nobody else can renew it.
    const Instant now = boottime_now();
    const auto ended = end_expired(now);
    Result<T> result = ended ? work(now) : std::unexpected(ended.error());
    const bool refused = !result && (result.error().code == ErrorCode::conflict ||
                                     result.error().code == ErrorCode::not_found);
    if (!result && !(refused && *ended)) {
        connection_.rollback();
        return result;
    }
    if (!call.commit()) {
        connection_.rollback();
        return too_late();
    }
    auto committed = connection_.commit();
    if (announced || *ended) announce();
    if (result && !committed) return std::unexpected(std::move(committed).error());
    return result;
}

// Tells the other processes. A commit itself cannot be watched: the log is written before the commit becomes
// visible, and what makes it visible is shared memory. So its time stamp is touched afterwards.
void Database::announce() const {
    utimensat(AT_FDCWD, connection_.path().c_str(), nullptr, 0);
}

Result<bool> Database::end_expired(Instant now) {
    bool ended = false;
    while (true) {
        Statement expired = connection_.sql("SELECT id FROM lease WHERE expires_boottime_ns <= ? LIMIT 1");
        if (!expired.bind(count(now)).next()) {
            if (expired.code() != SQLITE_OK) return std::unexpected(connection_.error(expired.code()));
            return ended;
        }
        PGHERD_CHECK(delete_lease(expired.number(0)));
        ended = true;
    }
}

Status Database::delete_lease(std::int64_t lease) {
    PGHERD_CHECK(connection_.run(connection_.sql("DELETE FROM record WHERE lease = ?").bind(lease)));
    if (connection_.changes() > 0) PGHERD_CHECK(raise_revision());
    return connection_.run(connection_.sql("DELETE FROM lease WHERE id = ?").bind(lease));
}

Result<Revision> Database::revision() {
    Statement row = connection_.sql("SELECT revision FROM meta");
    if (!row.next())
        return row.code() == SQLITE_OK ? Result<Revision>(fail("the file is damaged: no revision"))
                                       : std::unexpected(connection_.error(row.code()));
    return Revision(row.number(0));
}

Result<Revision> Database::raise_revision() {
    PGHERD_CHECK(connection_.run("UPDATE meta SET revision = revision + 1"));
    return revision();
}

// --- reading -----------------------------------------------------------------------------------------------

Result<Glance> Database::look(Call& call, std::optional<Revision> known) {
    while (true) {
        if (!call.may_go_on()) return too_late();
        be_patient_for(call);
        PGHERD_CHECK(connection_.still_there());
        PGHERD_CHECK(connection_.begin_read());
        auto glance = read(known);
        connection_.rollback();
        if (!glance || !glance->first_expiry || *glance->first_expiry > boottime_now()) return glance;
        // A lease has ended: its records must not be seen, so they go first.
        Call ending(call.deadline());
        PGHERD_CHECK(write<bool>(ending, false, [](Instant) { return Result<bool>(true); }));
    }
}

Result<Glance> Database::read(std::optional<Revision> known) {
    Glance glance;
    PGHERD_TRY(const Revision current, revision());
    {
        Statement first =
            connection_.sql("SELECT expires_boottime_ns FROM lease ORDER BY expires_boottime_ns LIMIT 1");
        if (first.next()) glance.first_expiry = Instant{Duration{first.number(0)}};
        if (first.code() != SQLITE_OK) return std::unexpected(connection_.error(first.code()));
    }
    if (current == known) return glance;
    PGHERD_TRY(glance.snapshot, snapshot(current));
    return glance;
}

Result<SnapshotPtr> Database::snapshot(Revision current) {
    auto result = std::make_shared<Snapshot>();
    result->revision = current;
    Statement row = connection_.sql("SELECT key, value, created, modified, lease FROM record");
    while (row.next())
        result->records.emplace(row.text(0), Record{row.text(1), Revision(row.number(2)),
                                                    Revision(row.number(3)), LeaseId(row.number(4))});
    if (row.code() != SQLITE_OK) return std::unexpected(connection_.error(row.code()));
    return result;
}

Result<std::optional<Record>> Database::record(const std::string& key) {
    Statement row = connection_.sql("SELECT value, created, modified, lease FROM record WHERE key = ?");
    if (row.bind(key).next())
        return Record{row.text(0), Revision(row.number(1)), Revision(row.number(2)), LeaseId(row.number(3))};
    if (row.code() != SQLITE_OK) return std::unexpected(connection_.error(row.code()));
    return std::nullopt;
}

// --- writing -----------------------------------------------------------------------------------------------

Result<Revision> Database::swap(Call& call, const Swap& swap) {
    return write<Revision>(call, true, [&](Instant) -> Result<Revision> {
        PGHERD_TRY(const auto found, record(swap.key));
        PGHERD_CHECK(expect(swap, found));
        if (!swap.value) {
            if (!found) return revision();
            PGHERD_CHECK(connection_.run(connection_.sql("DELETE FROM record WHERE key = ?").bind(swap.key)));
            return raise_revision();
        }
        if (swap.lease != LeaseId{}) {
            PGHERD_TRY(const bool exists, lease_exists(swap.lease));
            if (!exists)
                return fail(ErrorCode::not_found, fmt::format("lease {} has ended", swap.lease.value()));
        }
        PGHERD_TRY(const Revision next, raise_revision());
        const Revision created = found ? found->created : next;
        PGHERD_CHECK(connection_.run(connection_.sql("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)")
                                         .bind(swap.key)
                                         .bind_blob(*swap.value)
                                         .bind(created.value())
                                         .bind(next.value())
                                         .bind(swap.lease.value())));
        return next;
    });
}

Result<bool> Database::lease_exists(LeaseId lease) {
    Statement row = connection_.sql("SELECT 1 FROM lease WHERE id = ?");
    const bool exists = row.bind(lease.value()).next();
    if (row.code() != SQLITE_OK) return std::unexpected(connection_.error(row.code()));
    return exists;
}

Result<LeaseId> Database::grant(Call& call, Duration ttl) {
    // Announced: watchers have to learn when it ends.
    return write<LeaseId>(call, true, [&](Instant now) -> Result<LeaseId> {
        PGHERD_CHECK(
            connection_.run(connection_.sql("INSERT INTO lease (ttl_ns, expires_boottime_ns) VALUES (?, ?)")
                                .bind(ttl.count())
                                .bind(count(now + ttl))));
        return LeaseId(connection_.last_id());
    });
}

Result<Duration> Database::keep(Call& call, LeaseId lease) {
    // Not announced: a watcher that knows an earlier end looks then, and learns the later one.
    return write<Duration>(call, false, [&](Instant now) -> Result<Duration> {
        std::int64_t ttl = 0;
        {
            Statement row = connection_.sql("SELECT ttl_ns FROM lease WHERE id = ?");
            if (row.bind(lease.value()).next()) ttl = row.number(0);
            if (row.code() != SQLITE_OK) return std::unexpected(connection_.error(row.code()));
        }
        if (ttl == 0) return fail(ErrorCode::not_found, "it has ended");
        PGHERD_CHECK(connection_.run(connection_.sql("UPDATE lease SET expires_boottime_ns = ? WHERE id = ?")
                                         .bind(count(now) + ttl)
                                         .bind(lease.value())));
        return Duration{ttl};
    });
}

Status Database::revoke(Call& call, LeaseId lease) {
    return write<void>(call, true, [&](Instant) -> Status {
        PGHERD_TRY(const bool exists, lease_exists(lease));
        if (!exists) return fail(ErrorCode::not_found, "it has ended");
        return delete_lease(lease.value());
    });
}

}  // namespace pgherd::sqlite
