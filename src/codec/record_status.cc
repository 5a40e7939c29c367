// `status` (what the leader last said of itself), `history` (how leadership went) and `failsafe` (whom to ask
// when the store is away).
#include <limits>

#include <fmt/format.h>

#include "codec/json.h"
#include "codec/records.h"
#include "codec/section.h"

namespace pgherd {
namespace {

std::optional<Lsn> lsn_of(const Json& json) {
    auto number = scalar_int(json);
    return number && *number >= 0 ? std::optional(Lsn{std::uint64_t(*number)}) : std::nullopt;
}

// [timeline, lsn, reason, time, new leader]; the last two only where the promotion was seen.
std::optional<HistoryLine> parse_history_line(const Json& json) {
    const auto* array = json.if_array();
    if (!array || array->size() < 3) return std::nullopt;
    auto timeline = scalar_int((*array)[0]);
    auto lsn = lsn_of((*array)[1]);
    if (!timeline || *timeline < 1 || *timeline > std::numeric_limits<std::uint32_t>::max() || !lsn)
        return std::nullopt;
    auto text = [&](std::size_t index) {
        return index < array->size() ? scalar_text((*array)[index]).value_or("") : std::string();
    };
    return HistoryLine{{std::uint32_t(*timeline)}, *lsn, text(2), text(3), MemberName(text(4))};
}

}  // namespace

Result<StatusRecord> parse_status(std::string_view value) {
    auto json = parse_json(value);
    if (!json) return std::unexpected(with_context(json.error(), "cannot read the status record"));
    StatusRecord record;
    if (!json->is_object()) {  // `optime/leader`, before Patroni 2.1: the bare position
        record.optime = lsn_of(*json);
        if (!record.optime)
            return fail(ErrorCode::invalid, "cannot read the status record: expected an object");
        return record;
    }
    const JsonObject& object = json->get_object();
    if (const Json* optime = object.if_contains("optime")) record.optime = lsn_of(*optime);
    if (const Json* slots = object.if_contains("slots"); slots && slots->is_object())
        for (const auto& [name, position] : slots->get_object())
            if (auto lsn = lsn_of(position)) record.slots[std::string(name)] = *lsn;
    if (const Json* retain = object.if_contains("retain_slots"); retain && retain->is_array())
        for (const Json& name : retain->get_array())
            if (auto text = scalar_text(name)) record.retain_slots.push_back(std::move(*text));
    return record;
}

std::string write_status(const StatusRecord& record) {
    JsonObject object;
    if (record.optime) object["optime"] = record.optime->value;
    JsonObject slots;
    for (const auto& [name, lsn] : record.slots) slots[name] = lsn.value;
    object["slots"] = std::move(slots);
    object["retain_slots"] = boost::json::array(record.retain_slots.begin(), record.retain_slots.end());
    return to_text(object);
}

Result<std::vector<HistoryLine>> parse_history(std::string_view value) {
    auto json = parse_json(value);
    if (!json) return std::unexpected(with_context(json.error(), "cannot read the history record"));
    if (!json->is_array()) return fail(ErrorCode::invalid, "cannot read the history record: expected a list");
    std::vector<HistoryLine> history;
    for (const Json& line : json->get_array())
        if (auto parsed = parse_history_line(line)) history.push_back(std::move(*parsed));
    return history;
}

// {"timeline":3,"member":"a"}
Result<TimelineClaim> parse_timeline(std::string_view value) {
    auto json = parse_json_object(value);
    if (!json) return std::unexpected(with_context(json.error(), "cannot read the timeline record"));
    const Json* number = json->if_contains("timeline");
    auto timeline = number ? scalar_int(*number) : std::nullopt;
    if (!timeline || *timeline < 1 || *timeline > std::numeric_limits<std::uint32_t>::max())
        return fail(ErrorCode::invalid, "cannot read the timeline record: no timeline in it");
    const Json* member = json->if_contains("member");
    return TimelineClaim{
        {std::uint32_t(*timeline)}, MemberName(member ? scalar_text(*member).value_or("") : ""), {}};
}

std::string write_timeline(const TimelineClaim& claim) {
    JsonObject object;
    object["timeline"] = claim.timeline.value;
    object["member"] = claim.member.text();
    return to_text(object);
}

std::string write_history(const std::vector<HistoryLine>& history) {
    boost::json::array lines;
    for (const HistoryLine& line : history) {
        boost::json::array fields{line.timeline.value, line.lsn.value, line.reason};
        if (!line.timestamp.empty()) fields.emplace_back(line.timestamp);
        if (!line.timestamp.empty() && !line.leader.empty()) fields.emplace_back(line.leader.text());
        lines.push_back(std::move(fields));
    }
    return to_text(lines);
}

std::string write_failsafe(const std::map<MemberName, std::string>& members) {
    JsonObject object;
    for (const auto& [name, api_url] : members) object[name.text()] = api_url;
    return to_text(object);
}

}  // namespace pgherd
