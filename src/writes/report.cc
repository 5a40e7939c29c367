#include "writes/report.h"

#include <limits>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"

namespace pgherd::writes {
namespace {

// One key a line, whatever is in it: a report is read by people as well, and a list of ranges may be long.
class Lines {
  public:
    void add(std::string_view key, const std::string& json) {
        lines_.push_back(fmt::format("  \"{}\": {}", key, json));
    }
    std::string text() const { return "{\n" + join(lines_, ",\n") + "\n}\n"; }

  private:
    std::vector<std::string> lines_;
};

std::string quoted(const std::string& text) {
    return to_text(Json(text));
}
std::string number(double seconds) {
    return fmt::format("{:.6f}", seconds);
}
std::string list(const std::vector<std::string>& parts) {
    return "[" + join(parts, ", ") + "]";
}

std::string ranges(const ValueSet& values) {
    std::vector<std::string> parts;
    for (const ValueRange& range : values.ranges())
        parts.push_back(fmt::format("[{}, {}]", range.first, range.last));
    return list(parts);
}

std::string optional_time(const std::optional<Mono>& time) {
    return time ? number(seconds(*time)) : "null";
}

std::string gaps(const RunLog& log) {
    std::vector<std::string> parts;
    for (const Gap& gap : log.gaps.noteworthy()) {
        auto wall =
            log.started_wall + std::chrono::duration_cast<std::chrono::microseconds>(gap.start - log.started);
        parts.push_back(fmt::format("[{}, {}, {}]", number(seconds(gap.length)),
                                    number(seconds(gap.start - log.started)), quoted(to_iso(wall))));
    }
    return list(parts);
}

std::string hosts(const RunLog& log) {
    std::vector<std::string> parts;
    for (const auto& [when, label] : log.hosts)
        parts.push_back(fmt::format("[{}, {}]", number(seconds(when - log.started)), quoted(label)));
    return list(parts);
}

std::string errors(const RunLog& log) {
    std::vector<std::string> parts;
    for (const auto& [sqlstate_class, count] : log.errors)
        parts.push_back(fmt::format("{}: {}", quoted(sqlstate_class), count));
    return "{" + join(parts, ", ") + "}";
}

void add_check(Lines& lines, const Check& check) {
    auto count = [&](std::string_view key, auto value) {
        lines.add(key, check ? std::to_string(value(*check)) : "null");
    };
    lines.add("checked", check ? "true" : "false");
    if (!check) lines.add("check_error", quoted(check.error().message));
    count("lost", [](const Findings& found) { return found.lost.count(); });
    count("duplicated", [](const Findings& found) { return found.duplicated.count(); });
    count("unknown_present", [](const Findings& found) { return found.unknown_present.count(); });
    count("rows", [](const Findings& found) { return found.rows; });
    if (!check) return;
    lines.add("lost_values", ranges(check->lost));
    lines.add("duplicated_values", ranges(check->duplicated));
}

Result<ValueSet> read_ranges(const JsonObject& document, std::string_view key, const std::string& source) {
    auto wrong = [&] {
        return fail(
            ErrorCode::invalid,
            fmt::format("cannot use {}: \"{}\" is not a list of ascending [first, last] pairs", source, key));
    };
    const Json* list = document.if_contains(key);
    if (!list || !list->is_array()) return wrong();
    ValueSet values;
    std::int64_t previous = std::numeric_limits<std::int64_t>::min();
    for (const Json& item : list->get_array()) {
        if (!item.is_array() || item.get_array().size() != 2) return wrong();
        const Json& first = item.get_array()[0];
        const Json& last = item.get_array()[1];
        if (!first.is_int64() || !last.is_int64() || first.get_int64() > last.get_int64() ||
            first.get_int64() <= previous)
            return wrong();
        values.append({first.get_int64(), last.get_int64()});
        previous = last.get_int64();
    }
    return values;
}

Result<std::string> read_text(const JsonObject& document, std::string_view key, const std::string& source) {
    const Json* text = document.if_contains(key);
    if (!text || !text->is_string())
        return fail(
            ErrorCode::invalid,
            fmt::format("cannot use {}: \"{}\" is missing; is it a report of `pgherd writes`?", source, key));
    return std::string(text->get_string());
}

}  // namespace

std::string run_report(const RunLog& log, const Check& check) {
    Lines lines;
    lines.add("run", quoted(log.run));
    lines.add("table", quoted(log.table));
    lines.add("started", quoted(to_iso(log.started_wall)));
    lines.add("started_monotonic_s", number(seconds(log.started)));
    lines.add("ended_monotonic_s", number(seconds(log.ended)));
    lines.add("first_ack_monotonic_s", optional_time(log.gaps.first()));
    lines.add("last_ack_monotonic_s", optional_time(log.gaps.last()));
    lines.add("acknowledged", std::to_string(log.acknowledged.count()));
    lines.add("unknown", std::to_string(log.unknown.count()));
    add_check(lines, check);
    lines.add("longest_gap_s", number(seconds(log.gaps.longest().length)));
    lines.add("gaps_over_100ms", gaps(log));
    lines.add("connects", std::to_string(log.connects));
    lines.add("hosts", hosts(log));
    lines.add("errors", errors(log));
    lines.add("last_error", quoted(log.last_error));
    lines.add("acknowledged_values", ranges(log.acknowledged));
    lines.add("unknown_values", ranges(log.unknown));
    return lines.text();
}

std::string verify_report(const Expected& expected, const Check& check) {
    Lines lines;
    lines.add("run", quoted(expected.run));
    lines.add("table", quoted(expected.table));
    lines.add("acknowledged", std::to_string(expected.acknowledged.count()));
    lines.add("unknown", std::to_string(expected.unknown.count()));
    add_check(lines, check);
    return lines.text();
}

Result<Expected> read_report(const std::string& text, const std::string& source) {
    auto document = parse_json_object(text);
    if (!document) return std::unexpected(with_context(document.error(), "cannot read " + source));
    Expected expected;
    PGHERD_TRY(expected.run, read_text(*document, "run", source));
    PGHERD_TRY(expected.table, read_text(*document, "table", source));
    PGHERD_TRY(expected.acknowledged, read_ranges(*document, "acknowledged_values", source));
    PGHERD_TRY(expected.unknown, read_ranges(*document, "unknown_values", source));
    return expected;
}

}  // namespace pgherd::writes
