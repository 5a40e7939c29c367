#include "postgres/controldata.h"

#include <map>
#include <string>

#include <fmt/format.h>

#include "base/text.h"

namespace pgherd::postgres {

namespace {

const std::map<std::string_view, ControlState> kStates = {
    {"starting up", ControlState::starting_up},
    {"shut down", ControlState::shut_down},
    {"shut down in recovery", ControlState::shut_down_in_recovery},
    {"shutting down", ControlState::shutting_down},
    {"in crash recovery", ControlState::in_crash_recovery},
    {"in archive recovery", ControlState::in_archive_recovery},
    {"in production", ControlState::in_production},
};

// Label in pg_controldata's output → name of the setting.
const std::map<std::string_view, std::string> kLimits = {
    {"max_connections setting", "max_connections"},
    {"max_worker_processes setting", "max_worker_processes"},
    {"max_wal_senders setting", "max_wal_senders"},
    {"max_prepared_xacts setting", "max_prepared_transactions"},
    {"max_locks_per_xact setting", "max_locks_per_transaction"},
};

using Fields = std::map<std::string, std::string, std::less<>>;

Fields fields_of(std::string_view text) {
    Fields fields;
    for (const auto& line : split(text, '\n')) {
        const auto colon = line.find(": ");
        if (colon != std::string::npos)
            fields.emplace(line.substr(0, colon), trim(std::string_view(line).substr(colon + 1)));
    }
    return fields;
}

Result<std::string> field(const Fields& fields, std::string_view label) {
    const auto found = fields.find(label);
    if (found == fields.end())
        return fail(fmt::format("cannot understand pg_controldata: no line \"{}\"", label));
    return found->second;
}

Result<Lsn> lsn_field(const Fields& fields, std::string_view label) {
    PGHERD_TRY(const std::string text, field(fields, label));
    return parse_lsn(text);
}

Result<Timeline> timeline_field(const Fields& fields, std::string_view label) {
    PGHERD_TRY(const std::string text, field(fields, label));
    PGHERD_TRY(const std::uint64_t number, parse_uint(text));
    return Timeline{static_cast<std::uint32_t>(number)};
}

}  // namespace

Result<ControlData> parse_controldata(std::string_view text) {
    const Fields fields = fields_of(text);
    ControlData data;
    PGHERD_TRY(const std::string system_id, field(fields, "Database system identifier"));
    PGHERD_TRY(const std::uint64_t number, parse_uint(system_id));
    data.system_id = SystemId(number);
    PGHERD_TRY(const std::string state, field(fields, "Database cluster state"));
    const auto known = kStates.find(state);
    if (known == kStates.end())
        return fail(fmt::format("cannot understand pg_controldata: cluster state \"{}\"", state));
    data.state = known->second;
    PGHERD_TRY(data.timeline, timeline_field(fields, "Latest checkpoint's TimeLineID"));
    PGHERD_TRY(data.checkpoint, lsn_field(fields, "Latest checkpoint location"));
    PGHERD_TRY(data.min_recovery_end, lsn_field(fields, "Minimum recovery ending location"));
    PGHERD_TRY(data.min_recovery_timeline, timeline_field(fields, "Min recovery ending loc's timeline"));
    PGHERD_TRY(const std::string checksums, field(fields, "Data page checksum version"));
    data.checksums = checksums != "0";
    PGHERD_TRY(const std::string hints, field(fields, "wal_log_hints setting"));
    data.wal_log_hints = hints == "on";
    for (const auto& [label, name] : kLimits)
        if (const auto value = field(fields, label)) data.limits[name] = *value;
    return data;
}

}  // namespace pgherd::postgres
