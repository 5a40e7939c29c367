#include "local/view.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"

namespace pgherd::local {
namespace {

std::string role_of(const ClusterView& cluster, const Member& member) {
    if (cluster.led_by(member.name)) return member.role == Role::standby_leader ? "standby leader" : "leader";
    if (cluster.sync.contains(member.name)) return "sync standby";
    return member.role == Role::uninitialized ? "" : "replica";
}

std::string state_of(const ClusterView& cluster, const Member& member) {
    bool leads = cluster.led_by(member.name);
    if (leads && member.running() && member.role != Role::primary && member.role != Role::standby_leader)
        return "being promoted";
    if (!leads && member.running() && member.role == Role::primary) return "running as primary";
    if (!leads && member.running() && !member.replication_state.empty()) return member.replication_state;
    return std::string(to_string(member.state));
}

MemberView describe(const LocalMember& local, const ClusterView& cluster) {
    MemberView view{local.name, local.port, "", "not there yet", "", ""};
    const Member* member = cluster.member(MemberName(local.name));
    if (!member) return view;
    view.role = role_of(cluster, *member);
    view.state = state_of(cluster, *member);
    if (member->timeline) view.timeline = std::to_string(member->timeline->value);
    auto position = member->replay_lsn ? member->replay_lsn : member->xlog_location;
    if (!cluster.led_by(member->name) && position && cluster.status.optime)
        view.lag = human_bytes(bytes_between(*position, *cluster.status.optime));
    return view;
}

std::string cut(std::string line, std::size_t width) {
    std::size_t characters = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        bool starts_character = (static_cast<unsigned char>(line[i]) & 0xC0) != 0x80;
        if (starts_character && characters++ == width) return line.substr(0, i);
    }
    return line;
}

}  // namespace

std::vector<MemberView> describe_members(const Description& description, const ClusterView& cluster,
                                         const std::map<std::string, std::string>& down) {
    std::vector<MemberView> members;
    for (const LocalMember& local : description.members) {
        members.push_back(describe(local, cluster));
        if (auto why = down.find(local.name); why != down.end()) members.back().state = why->second;
    }
    return members;
}

bool is_healthy(const std::vector<MemberView>& members) {
    return what_is_missing(members).empty();
}

std::string what_is_missing(const std::vector<MemberView>& members) {
    auto leads = [](const MemberView& member) { return member.role == "leader"; };
    auto leader = std::ranges::find_if(members, leads);
    if (leader == members.end()) return "there is no leader";
    if (leader->state != "running") return fmt::format("{}, the leader, is {}", leader->name, leader->state);
    for (const MemberView& member : members) {
        if (leads(member)) continue;
        if (member.state != "streaming") return fmt::format("{} is {}", member.name, member.state);
        if (member.timeline != leader->timeline)
            return fmt::format("{} is on timeline {}", member.name, member.timeline);
    }
    return {};
}

std::vector<std::string> changes(const std::vector<MemberView>& before,
                                 const std::vector<MemberView>& after) {
    std::vector<std::string> lines;
    for (const MemberView& now : after) {
        auto old = std::ranges::find(before, now.name, &MemberView::name);
        if (old != before.end() && old->role == now.role && old->state == now.state &&
            old->timeline == now.timeline)
            continue;
        std::string line = now.name + ": ";
        if (!now.role.empty()) line += now.role + ", ";
        line += now.state;
        if (!now.timeline.empty()) line += ", timeline " + now.timeline;
        lines.push_back(std::move(line));
    }
    return lines;
}

std::string human_bytes(std::uint64_t bytes) {
    constexpr std::array units{"kB", "MB", "GB", "TB"};
    if (bytes == 0) return "0";
    if (bytes < 1024) return fmt::format("{} B", bytes);
    double value = double(bytes) / 1024;
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
    return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string psql_line(const Directory& directory, const Description& description) {
    std::vector<std::string> hosts, ports;
    for (const LocalMember& member : description.members) {
        hosts.emplace_back("127.0.0.1");
        ports.push_back(std::to_string(member.port));
    }
    std::string passfile = directory.passfile().string();
    if (passfile.find_first_of(" '\\") != std::string::npos) {
        std::string quoted;
        for (char c : passfile) quoted.append(c == '\'' || c == '\\' ? "\\" : "").push_back(c);
        passfile = "'" + quoted + "'";
    }
    return fmt::format(
        "psql \"host={} port={} user=postgres dbname=postgres target_session_attrs=read-write passfile={}\"",
        join(hosts, ","), join(ports, ","), passfile);
}

std::string render(const View& view, std::size_t width) {
    std::vector<std::string> lines;
    lines.push_back(fmt::format("{} — {}", view.title, view.status));
    lines.emplace_back();
    constexpr const char* row = "  {:<12} {:<16} {:<8} {:<22} {:>3} {:>9}";
    auto add_row = [&](auto&&... cells) {
        std::string line = fmt::format(fmt::runtime(row), cells...);
        lines.emplace_back(line.substr(0, line.find_last_not_of(' ') + 1));
    };
    add_row("member", "role", "port", "state", "TL", "lag");
    for (const MemberView& member : view.members)
        add_row(member.name, member.role, std::to_string(member.port), member.state, member.timeline,
                member.lag);
    if (!view.events.empty()) lines.emplace_back();
    for (const std::string& event : view.events) lines.push_back("  " + event);
    if (!view.hints.empty()) lines.emplace_back();
    std::string text;
    for (std::string& line : lines) text += cut(std::move(line), width) + "\n";
    // What is there to be copied must stay whole.
    for (const std::string& hint : view.hints) text += hint + "\n";
    return text;
}

}  // namespace pgherd::local
