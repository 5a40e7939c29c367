#include "pebble_cli/text.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>

#include <fmt/format.h>

#include "codec/json.h"
#include "supervise/go_text.h"
#include "supervise/go_yaml.h"

namespace pgherd::pebble_cli {
namespace {

constexpr std::size_t kNarrowest = 5;
constexpr std::size_t kGap = 2;
constexpr int kDaysShown = 60;

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::tm local(WallTime time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    return parts;
}

std::string formatted(const std::tm& time, const char* format) {
    std::array<char, 64> text{};
    return {text.data(), std::strftime(text.data(), text.size(), format, &time)};
}

// A number for each day of the calendar.
long day_number(const std::tm& time) {
    using namespace std::chrono;
    return sys_days(year_month_day(year(time.tm_year + 1900), month(static_cast<unsigned>(time.tm_mon + 1)),
                                   day(static_cast<unsigned>(time.tm_mday))))
        .time_since_epoch()
        .count();
}

std::string scalar(const Json& json) {
    return json.is_string() ? supervise::yaml_scalar(std::string_view(json.get_string())) : to_text(json);
}

void write_yaml(const Json& json, std::size_t indent, bool first_on_line, std::string& out) {
    const auto begin_line = [&] {
        if (!first_on_line) out.append(indent, ' ');
        first_on_line = false;
    };
    const auto nested = [](const Json& value) {
        return (value.is_object() && !value.get_object().empty()) ||
               (value.is_array() && !value.get_array().empty());
    };
    if (json.is_object()) {
        for (const auto& [key, value] : json.get_object()) {
            begin_line();
            out += supervise::yaml_scalar(std::string_view(key)) + ":";
            if (nested(value)) {
                out += '\n';
                write_yaml(value, indent + 4, false, out);
            } else {
                out += ' ' + scalar(value) + '\n';
            }
        }
        return;
    }
    for (const Json& item : json.get_array()) {
        begin_line();
        out += "- ";
        if (nested(item))
            write_yaml(item, indent + 2, true, out);
        else
            out += scalar(item) + '\n';
    }
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows)
        for (std::size_t column = 0; column + 1 < row.size(); ++column) {
            if (widths.size() <= column) widths.resize(column + 1, kNarrowest);
            widths[column] = std::max(widths[column], width(row[column]) + kGap);
        }
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t column = 0; column < row.size(); ++column) {
            text += row[column];
            if (column + 1 < row.size()) text.append(widths[column] - width(row[column]), ' ');
        }
        text += '\n';
    }
    return text;
}

std::string human_time(WallTime time, WallTime now) {
    const std::tm then = local(time);
    const long days = day_number(local(now)) - day_number(then);
    if (std::abs(days) > kDaysShown) return formatted(then, "%Y-%m-%d");
    const std::string clock = formatted(then, "%H:%M %Z");
    if (days == 0) return "today at " + clock;
    if (days == 1) return "yesterday at " + clock;
    if (days == -1) return "tomorrow at " + clock;
    return days > 0 ? fmt::format("{} days ago, at {}", days, clock)
                    : fmt::format("in {} days, at {}", -days, clock);
}

std::string shown_time(std::string_view rfc3339, bool absolute, WallTime now) {
    const auto time = supervise::parse_rfc3339(rfc3339);
    if (!time || rfc3339.starts_with("0001-")) return "-";
    return absolute ? formatted(local(*time), "%Y-%m-%dT%H:%M:%S") + [&] {
        const std::string offset = formatted(local(*time), "%z");  // "+0100"
        return offset == "+0000" ? std::string("Z") : offset.substr(0, 3) + ":" + offset.substr(3);
    }()
                    : human_time(*time, now);
}

std::string shown_size(std::int64_t bytes) {
    if (bytes < 1000) return fmt::format("{}B", bytes);
    double value = static_cast<double>(bytes);
    std::string_view units = "kMGTPE";
    value /= 1000;
    while (value >= 999.95 && units.size() > 1) {
        value /= 1000;
        units.remove_prefix(1);
    }
    return value < 99.95 ? fmt::format("{:.1f}{}B", value, units.front())
                         : fmt::format("{:.0f}{}B", value, units.front());
}

std::string shown_mode(std::string_view type, std::string_view permissions) {
    static constexpr std::array<std::pair<std::string_view, char>, 7> kTypes{{{"file", '-'},
                                                                              {"directory", 'd'},
                                                                              {"symlink", 'l'},
                                                                              {"socket", 's'},
                                                                              {"named-pipe", 'p'},
                                                                              {"device", 'D'},
                                                                              {"unknown", '?'}}};
    const auto found = std::ranges::find(kTypes, type, [](const auto& each) { return each.first; });
    std::string text(1, found == kTypes.end() ? '?' : found->second);
    for (char digit : permissions)
        for (int bit = 2; bit >= 0; --bit) text += ((digit - '0') >> bit) & 1 ? "xwr"[bit] : '-';
    return text;
}

std::string yaml(const Json& json) {
    const bool empty =
        (json.is_object() && json.get_object().empty()) || (json.is_array() && json.get_array().empty());
    if (empty || (!json.is_object() && !json.is_array())) return scalar(json) + "\n";
    std::string out;
    write_yaml(json, 0, false, out);
    return out;
}

}  // namespace pgherd::pebble_cli
