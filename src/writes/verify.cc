#include "writes/verify.h"

#include <fmt/format.h>

#include "base/text.h"
#include "writes/query.h"

namespace pgherd::writes {
namespace {

// The server folds the rows into ranges of consecutive values that are there equally often: a run of a day is
// a few lines.
constexpr const char* kRanges =
    "SELECT min(value), max(value), copies FROM"
    " (SELECT value, count(*) AS copies, value - row_number() OVER (PARTITION BY count(*) ORDER BY value) AS "
    "island"
    "  FROM {} WHERE run = $1 GROUP BY value) AS present"
    " GROUP BY copies, island ORDER BY 1";

Result<std::vector<TableRange>> read_table(const PGresult* result) {
    std::vector<TableRange> table;
    for (int row = 0; row < PQntuples(result); ++row) {
        std::int64_t columns[3];
        for (int column = 0; column < 3; ++column) {
            PGHERD_TRY(columns[column], parse_int(PQgetvalue(result, row, column)));
        }
        table.push_back({{columns[0], columns[1]}, columns[2]});
    }
    return table;
}

}  // namespace

std::string quoted_table(const std::string& table) {
    std::vector<std::string> parts = split(table, '.');
    for (std::string& part : parts) part = quote_identifier(part);
    return join(parts, ".");
}

Check check_table(const Options& options, const Expected& expected, StopSignals& signals) {
    Mono deadline = std::chrono::steady_clock::now() + options.wait;
    std::string sql = fmt::format(fmt::runtime(kRanges), quoted_table(expected.table));
    HostRace race(options.hosts, options.pace);
    std::string trouble;
    for (;;) {
        auto connected = race.run_until(deadline, signals.descriptor());
        if (signals.take()) return fail(ErrorCode::cancelled, "cannot check the table: interrupted");
        if (!connected)
            return fail(ErrorCode::unavailable,
                        fmt::format("cannot check the table: no host takes writes: {}",
                                    trouble.empty() ? race.troubles() : trouble));
        Answer answer =
            execute(connected->connection.get(), sql.c_str(), {expected.run}, deadline, signals.descriptor());
        if (answer.ok) {
            PGHERD_TRY(auto table, read_table(answer.result.get()));
            return compare(expected.acknowledged, expected.unknown, table);
        }
        if (signals.take()) return fail(ErrorCode::cancelled, "cannot check the table: interrupted");
        trouble = connected->label + ": " + answer.message;
        // 42: no such table, no permission: waiting will not help.
        if (answer.sqlstate.starts_with("42"))
            return fail(ErrorCode::failed, fmt::format("cannot check the table: {}", trouble));
    }
}

}  // namespace pgherd::writes
