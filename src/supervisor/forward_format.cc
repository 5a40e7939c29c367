#include "supervisor/forward_format.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "supervise/go_text.h"
#include "supervisor/log_format.h"
#include "supervisor/log_lines.h"

namespace pgherd::supervisor {

namespace {

constexpr std::size_t kMaxSyslogText = 4000;  // a datagram that everybody takes

void append_string(std::string& target, std::string_view text) {
    target += '"';
    append_json_escaped(target, text, std::numeric_limits<std::uint32_t>::max());
    target += '"';
}

std::string nanoseconds(WallTime time) {
    return fmt::format("{}", std::chrono::nanoseconds(time.time_since_epoch()).count());
}

// The lines of each service together, services in the order of their first line.
std::vector<std::pair<std::string, std::vector<const ForwardedLine*>>> by_service(
    const std::vector<ForwardedLine>& lines) {
    std::vector<std::pair<std::string, std::vector<const ForwardedLine*>>> groups;
    for (const ForwardedLine& line : lines) {
        auto group = std::ranges::find(groups, line.service, [](const auto& one) { return one.first; });
        if (group == groups.end()) group = groups.insert(groups.end(), {line.service, {}});
        group->second.push_back(&line);
    }
    return groups;
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// A name of a syslog header or parameter: visible ASCII without what has a meaning there.
std::string syslog_name(std::string_view text, std::size_t limit) {
    std::string name;
    for (const char c : text.substr(0, limit))
        name += c > ' ' && c < 0x7f && c != '=' && c != ']' && c != '"' ? c : '_';
    return name.empty() ? "-" : name;
}

void append_attribute(std::string& target, std::string_view key, std::string_view value) {
    target += "{\"key\":";
    append_string(target, key);
    target += ",\"value\":{\"stringValue\":";
    append_string(target, value);
    target += "}}";
}

}  // namespace

std::string expand_label(std::string_view text, const LogLabels& environment) {
    std::string expanded;
    while (!text.empty()) {
        const std::size_t dollar = std::min(text.find('$'), text.size());
        expanded += text.substr(0, dollar);
        text.remove_prefix(dollar);
        if (text.empty()) break;
        const bool braces = text.starts_with("${");
        const std::size_t begin = braces ? 2 : 1;
        std::size_t end = begin;
        while (end < text.size() && is_name_character(text[end])) ++end;
        if (end == begin || (braces && (end == text.size() || text[end] != '}'))) {
            expanded += '$';
            text.remove_prefix(1);
            continue;
        }
        if (const auto found = environment.find(text.substr(begin, end - begin)); found != environment.end())
            expanded += found->second;
        text.remove_prefix(end + (braces ? 1 : 0));
    }
    return expanded;
}

std::string loki_body(const std::vector<ForwardedLine>& lines, const LabelsOf& labels_of) {
    std::string body = "{\"streams\":[";
    for (const auto& [service, group] : by_service(lines)) {
        body += body.ends_with('[') ? "{\"stream\":{" : ",{\"stream\":{";
        for (const auto& [key, value] : labels_of(service)) {
            append_string(body, key);
            body += ':';
            append_string(body, value);
            body += ',';
        }
        body += "\"pebble_service\":";
        append_string(body, service);
        body += "},\"values\":[";
        for (const ForwardedLine* line : group) {
            body += body.ends_with('[') ? "[\"" : ",[\"";
            body += nanoseconds(line->time);
            body += "\",";
            append_string(body, line->text);
            body += ']';
        }
        body += "]}";
    }
    return body + "]}";
}

std::string opentelemetry_body(const std::vector<ForwardedLine>& lines, const LabelsOf& labels_of) {
    std::string body = "{\"resourceLogs\":[";
    for (const auto& [service, group] : by_service(lines)) {
        body += body.ends_with('[') ? "{\"resource\":{\"attributes\":[" : ",{\"resource\":{\"attributes\":[";
        append_attribute(body, "service.name", service);
        for (const auto& [key, value] : labels_of(service)) {
            body += ',';
            append_attribute(body, key, value);
        }
        body += "]},\"scopeLogs\":[{\"scope\":{\"name\":\"pebble\"},\"logRecords\":[";
        for (const ForwardedLine* line : group) {
            body += body.ends_with('[') ? "{\"timeUnixNano\":\"" : ",{\"timeUnixNano\":\"";
            body += nanoseconds(line->time);
            body += "\",\"body\":{\"stringValue\":";
            append_string(body, line->text);
            body += "}}";
        }
        body += "]}]}";
    }
    return body + "]}";
}

std::string syslog_message(const ForwardedLine& line, const LogLabels& labels, std::string_view host) {
    std::string message = fmt::format("<13>1 {} {} {} - - ", supervise::rfc3339(line.time),
                                      syslog_name(host, 255), syslog_name(line.service, 48));
    if (labels.empty()) {
        message += '-';
    } else {
        message += "[pebble@28978";
        for (const auto& [key, value] : labels) {
            message += ' ';
            message += syslog_name(key, 32);
            message += "=\"";
            for (const char c : value) {
                if (c == '"' || c == '\\' || c == ']') message += '\\';
                message += c;
            }
            message += '"';
        }
        message += ']';
    }
    message += ' ';
    message += std::string_view(line.text).substr(0, cut_before(line.text, kMaxSyslogText));
    return message;
}

}  // namespace pgherd::supervisor
