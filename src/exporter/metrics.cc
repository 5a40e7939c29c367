#include "exporter/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>

#include "base/exposition.h"

namespace pgherd::exporter {
namespace {

using postgres::Table;

constexpr std::string_view kPrefix = "pgbouncer_";
constexpr double kMicroseconds = 1e-6;

struct Metric {
    std::string_view question;
    std::string_view from;  // a column; of a list, the entry in its first column
    std::string_view name;
    std::string_view type;
    std::string_view help;
    double unit = 1;
};

constexpr std::array kColumns{
    Metric{"DATABASES", "pool_size", "databases_pool_size", "gauge",
           "Server connections that a pool of the database may have."},
    Metric{"DATABASES", "reserve_pool", "databases_reserve_pool", "gauge",
           "Server connections beyond pool_size."},
    Metric{"DATABASES", "reserve_pool_size", "databases_reserve_pool", "gauge",  // since 1.24
           "Server connections beyond pool_size."},
    Metric{"DATABASES", "max_connections", "databases_max_connections", "gauge",
           "Server connections that the database may have."},
    Metric{"DATABASES", "current_connections", "databases_current_connections", "gauge",
           "Server connections that the database has."},
    Metric{"DATABASES", "paused", "databases_paused", "gauge", "1 while the database is paused."},
    Metric{"DATABASES", "disabled", "databases_disabled", "gauge", "1 while the database is disabled."},
    Metric{"POOLS", "cl_active", "pools_client_active_connections", "gauge",
           "Clients that have a server connection or nothing to ask."},
    Metric{"POOLS", "cl_waiting", "pools_client_waiting_connections", "gauge",
           "Clients that wait for a server connection."},
    Metric{"POOLS", "cl_active_cancel_req", "pools_client_active_cancel_connections", "gauge",
           "Clients whose cancel request is on its way to the server."},
    Metric{"POOLS", "cl_waiting_cancel_req", "pools_client_waiting_cancel_connections", "gauge",
           "Clients whose cancel request waits to be passed on."},
    Metric{"POOLS", "sv_active", "pools_server_active_connections", "gauge",
           "Server connections that a client uses."},
    Metric{"POOLS", "sv_active_cancel", "pools_server_active_cancel_connections", "gauge",
           "Server connections that pass on a cancel request."},
    Metric{"POOLS", "sv_being_canceled", "pools_server_being_canceled_connections", "gauge",
           "Server connections kept back until a cancel request to them is done."},
    Metric{"POOLS", "sv_idle", "pools_server_idle_connections", "gauge",
           "Server connections ready for a client."},
    Metric{"POOLS", "sv_used", "pools_server_used_connections", "gauge",
           "Idle server connections to be checked before their next use."},
    Metric{"POOLS", "sv_tested", "pools_server_testing_connections", "gauge",
           "Server connections that run a reset or check query."},
    Metric{"POOLS", "sv_login", "pools_server_login_connections", "gauge", "Server connections that log in."},
    Metric{"POOLS", "maxwait", "pools_client_maxwait_seconds", "gauge",
           "How long the first client in the queue has waited."},
    Metric{"STATS", "total_server_assignment_count", "stats_server_assignments_total", "counter",
           "Server connections given to clients."},
    Metric{"STATS", "total_xact_count", "stats_sql_transactions_pooled_total", "counter", "Transactions."},
    Metric{"STATS", "total_query_count", "stats_queries_pooled_total", "counter", "Queries."},
    Metric{"STATS", "total_received", "stats_received_bytes_total", "counter", "Bytes received."},
    Metric{"STATS", "total_sent", "stats_sent_bytes_total", "counter", "Bytes sent."},
    Metric{"STATS", "total_xact_time", "stats_server_in_transaction_seconds_total", "counter",
           "Time in transactions, idle or not.", kMicroseconds},
    Metric{"STATS", "total_query_time", "stats_queries_duration_seconds_total", "counter", "Time in queries.",
           kMicroseconds},
    Metric{"STATS", "total_wait_time", "stats_client_wait_seconds_total", "counter",
           "Time in which clients waited for a server connection.", kMicroseconds},
    Metric{"STATS", "total_client_parse_count", "stats_client_parses_total", "counter",
           "Prepared statements that clients made."},
    Metric{"STATS", "total_server_parse_count", "stats_server_parses_total", "counter",
           "Prepared statements that PgBouncer made on servers."},
    Metric{"STATS", "total_bind_count", "stats_binds_total", "counter",
           "Prepared statements that clients ran."},
};

constexpr std::array kEntries{
    Metric{"CONFIG", "max_client_conn", "config_max_client_connections", "gauge",
           "Clients that PgBouncer takes."},
    Metric{"CONFIG", "max_user_connections", "config_max_user_connections", "gauge",
           "Server connections that a user may have; 0 is any number."},
    Metric{"LISTS", "databases", "databases", "gauge", "Databases."},
    Metric{"LISTS", "users", "users", "gauge", "Users."},
    Metric{"LISTS", "pools", "pools", "gauge", "Pools."},
    Metric{"LISTS", "free_clients", "free_clients", "gauge", "Client slots that are free."},
    Metric{"LISTS", "used_clients", "used_clients", "gauge", "Clients."},
    Metric{"LISTS", "login_clients", "login_clients", "gauge", "Clients that log in."},
    Metric{"LISTS", "free_servers", "free_servers", "gauge", "Server slots that are free."},
    Metric{"LISTS", "used_servers", "used_servers", "gauge", "Server connections."},
    Metric{"LISTS", "dns_names", "cached_dns_names", "gauge", "Host names in the cache."},
    Metric{"LISTS", "dns_zones", "cached_dns_zones", "gauge", "Zones in the cache."},
    Metric{"LISTS", "dns_queries", "in_flight_dns_queries", "gauge", "Host names being looked up."},
};

constexpr std::array<std::string_view, 6> kDatabaseLabels{"name",     "host",       "port",
                                                          "database", "force_user", "pool_mode"};
constexpr std::array<std::string_view, 2> kPoolLabels{"database", "user"};
constexpr std::array<std::string_view, 1> kStatLabels{"database"};

// The columns that tell one row from the others.
std::span<const std::string_view> labels_of(std::string_view question) {
    if (question == "DATABASES") return kDatabaseLabels;
    if (question == "POOLS") return kPoolLabels;
    return kStatLabels;
}

// Nothing for what is no number, such as the absence of a value.
std::optional<double> number(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
    return value;
}

void add_family(Exposition& out, const Metric& metric) {
    out.family(metric.name, metric.type, metric.help);
}

void add_row(Exposition& out, const Metric& metric, const Table& table, std::size_t row) {
    const auto value = number(table.at(row, metric.from));
    if (!value) return;
    std::vector<std::string> texts;
    for (const std::string_view column : labels_of(metric.question)) texts.push_back(table.at(row, column));
    Exposition::Labels labels;
    for (std::size_t i = 0; i < texts.size(); ++i)
        labels.emplace_back(labels_of(metric.question)[i], texts[i]);
    out.sample(*value * metric.unit, labels);
}

void add_columns(Exposition& out, const Answers& answers) {
    for (const Metric& metric : kColumns) {
        const auto found = answers.find(metric.question);
        if (found == answers.end()) continue;
        const Table& table = found->second;
        if (std::ranges::find(table.columns, metric.from) == table.columns.end()) continue;
        add_family(out, metric);
        for (std::size_t row = 0; row < table.rows.size(); ++row) add_row(out, metric, table, row);
    }
}

void add_entries(Exposition& out, const Answers& answers) {
    for (const Metric& metric : kEntries) {
        const auto found = answers.find(metric.question);
        if (found == answers.end()) continue;
        for (const auto& row : found->second.rows) {
            if (row.size() < 2 || row[0] != metric.from) continue;
            const auto value = number(row[1].value_or(""));
            if (!value) continue;
            add_family(out, metric);
            out.sample(*value);
        }
    }
}

void add_up(Exposition& out, bool up) {
    out.flag("up", "1 if PgBouncer answers.", up);
}

}  // namespace

const std::vector<std::string> kQuestions{"VERSION", "CONFIG", "LISTS", "DATABASES", "POOLS", "STATS"};

std::string metrics_text(const Answers& answers) {
    Exposition out(kPrefix);
    add_up(out, true);
    if (const auto version = answers.find("VERSION"); version != answers.end()) {
        out.family("version_info", "gauge", "PgBouncer's version.");
        const std::string text = version->second.at(0, "version");
        out.sample(1, {{"version", text}});
    }
    add_entries(out, answers);
    add_columns(out, answers);
    return out.take();
}

std::string down_text() {
    Exposition out(kPrefix);
    add_up(out, false);
    return out.take();
}

}  // namespace pgherd::exporter
