#include "ctl/list_table.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "model/agent_config.h"

namespace pgherd::ctl {
namespace {

constexpr std::size_t kLongestReason = 50;

struct Shown {
    const Member* member;
    std::string name;  // with the branches of a tree in front, in a topology
};

bool is_leader(const ClusterView& view, const Member& member) {
    return view.led_by(member.name);
}

std::vector<Shown> in_order(const ClusterView& view) {
    std::vector<Shown> shown;
    for (const auto& [name, member] : view.members) shown.push_back({&member, name.text()});
    return shown;
}

// The leader, below it what follows it, and below a standby what is tagged to replicate from it.
std::vector<Shown> as_tree(const ClusterView& view) {
    const Member* leader = view.leader_member();
    std::map<const Member*, std::vector<const Member*>> followers;
    for (const auto& [name, member] : view.members) {
        if (&member == leader) continue;
        const Member* parent = view.member(member.tags.replicatefrom);
        followers[parent && parent != &member ? parent : leader].push_back(&member);
    }
    std::vector<Shown> shown;
    std::set<const Member*> seen;
    std::function<void(const Member*, std::size_t)> add = [&](const Member* member, std::size_t depth) {
        if (member && !seen.insert(member).second) return;
        if (member)
            shown.push_back({member, depth == 0
                                         ? member->name.text()
                                         : std::string((depth - 1) * 2, ' ') + "+ " + member->name.text()});
        for (const Member* follower : followers[member]) add(follower, depth + 1);
    };
    add(leader, 0);
    // Two that replicate from each other hang below nobody.
    for (const auto& [name, member] : view.members) add(&member, 1);
    return shown;
}

std::string state_text(const ClusterView& view, const Member& member) {
    bool leads = role_text(view, member) == "Leader";
    return !leads && !member.replication_state.empty() ? member.replication_state
                                                       : std::string(to_string(member.state));
}

struct Positions {
    Json receive_lsn, receive_lag, replay_lsn, replay_lag;
};

Json megabytes(Lsn from, Lsn to) {
    return std::int64_t(std::nearbyint(double(bytes_between(from, to)) / 1048576));
}

Positions positions(const ClusterView& view, const Member& member) {
    if (is_leader(view, member)) return {};
    Positions shown{"unknown", nullptr, "unknown", nullptr};
    Lsn cluster = view.status.optime.value_or(Lsn{});
    auto show = [&](const std::optional<Lsn>& lsn, Json& text, Json& lag) {
        if (!lsn || !lsn->valid()) return false;
        text = Json(to_string(*lsn));
        lag = megabytes(*lsn, cluster);
        return true;
    };
    bool received = show(member.receive_lsn, shown.receive_lsn, shown.receive_lag);
    bool replayed = show(member.replay_lsn, shown.replay_lsn, shown.replay_lag);
    // A member of an older version publishes one position only.
    if (!received && !replayed) {
        if (member.replication_state == "streaming")
            show(member.xlog_location, shown.receive_lsn, shown.receive_lag);
        else
            show(member.xlog_location, shown.replay_lsn, shown.replay_lag);
    }
    return shown;
}

std::string restart_reasons(const Member& member, Format format) {
    std::vector<std::string> lines;
    for (const auto& [name, reason] : member.pending_restart_reason) {
        std::string line = fmt::format("{}: {}->{}", name, reason.old_value, reason.new_value);
        bool hide = (format == Format::pretty || format == Format::topology) && line.size() > kLongestReason;
        lines.push_back(hide ? name + ": [hidden - too long]" : line);
    }
    return join(lines, "\n");
}

std::string scheduled_restart(const Member& member) {
    if (!member.scheduled_restart) return "";
    std::string text = to_iso(member.scheduled_restart->at);
    if (auto version = member.scheduled_restart->postgres_version; !version.empty())
        text += " if version < " + version;
    return text;
}

// The port is left out where everybody has the usual one on a host of their own.
bool ports_matter(const ClusterView& view) {
    std::set<std::string> hosts;
    std::size_t reachable = 0;
    for (const auto& [name, member] : view.members) {
        if (member.host().empty()) continue;
        if (member.port() != 5432) return true;
        ++reachable;
        hosts.insert(member.host());
    }
    return hosts.size() < reachable;
}

struct Extras {
    bool pending, reason, scheduled, tags;
};

Extras extras(const ClusterView& view, bool all) {
    Extras wanted{all, all, all, all};
    for (const auto& [name, member] : view.members) {
        if (member.host().empty()) continue;
        wanted.pending |= member.pending_restart;
        wanted.reason |= !member.pending_restart_reason.empty();
        wanted.scheduled |= member.scheduled_restart.has_value();
        wanted.tags |= !member.tags.all.empty();
    }
    return wanted;
}

std::string initialized_text(const ClusterView& view) {
    if (view.initialize) return std::to_string(view.initialize->value());
    return view.initialize_exists ? "initializing" : "uninitialized";
}

bool for_people(Format format) {
    return format == Format::pretty || format == Format::topology;
}

std::vector<Column> columns(Format format, const Extras& extra) {
    bool people = for_people(format);
    std::vector<Column> columns;
    if (!people) columns.push_back({"Cluster"});
    for (auto title : {"Member", "Host", "Role", "State"}) columns.push_back({title});
    columns.push_back({"TL", true});
    columns.push_back({"Receive LSN", true});
    columns.push_back({people ? "Lag" : "Receive Lag", true});
    columns.push_back({"Replay LSN", true});
    columns.push_back({people ? "Lag" : "Replay Lag", true});
    if (extra.pending) columns.push_back({"Pending restart"});
    if (extra.reason) columns.push_back({"Pending restart reason"});
    if (extra.scheduled) columns.push_back({"Scheduled restart"});
    if (extra.tags) columns.push_back({"Tags"});
    return columns;
}

std::vector<Json> row(const ClusterView& view, const std::string& scope, const Shown& shown, Format format,
                      const Extras& extra, bool ports) {
    const Member& member = *shown.member;
    Positions position = positions(view, member);
    std::string host = member.host();
    if (ports && !host.empty()) host = to_string(Endpoint{host, member.port()});
    std::vector<Json> row;
    if (!for_people(format)) row.push_back(Json(scope));
    row.insert(row.end(),
               {Json(shown.name), Json(host), Json(role_text(view, member)), Json(state_text(view, member)),
                member.timeline ? Json(std::int64_t(member.timeline->value)) : Json(), position.receive_lsn,
                position.receive_lag, position.replay_lsn, position.replay_lag});
    if (extra.pending) row.push_back(Json(member.pending_restart ? "*" : ""));
    if (extra.reason) row.push_back(Json(restart_reasons(member, format)));
    if (extra.scheduled) row.push_back(Json(scheduled_restart(member)));
    if (extra.tags) row.push_back(member.tags.all.empty() ? Json() : Json(member.tags.all));
    return row;
}

std::string service_lines(const ClusterView& view) {
    std::string text;
    if (view.config && view.config->pause) text += " Maintenance mode: on\n";
    if (view.failover && view.failover->scheduled_at) {
        text += fmt::format(" Switchover scheduled at: {}\n", to_iso(*view.failover->scheduled_at));
        if (!view.failover->leader.empty())
            text += fmt::format("{:>24}: {}\n", "from", view.failover->leader.text());
        if (!view.failover->candidate.empty())
            text += fmt::format("{:>24}: {}\n", "to", view.failover->candidate.text());
    }
    return text;
}

}  // namespace

std::string role_text(const ClusterView& view, const Member& member) {
    const DynamicConfig* config = view.config ? &*view.config : nullptr;
    if (is_leader(view, member)) return config && config->standby_cluster ? "Standby Leader" : "Leader";
    if (config && config->synchronous_mode != SynchronousMode::off && view.sync.contains(member.name))
        return config->synchronous_mode == SynchronousMode::quorum ? "Quorum Standby" : "Sync Standby";
    return "Replica";
}

std::string render_list(const ClusterView& view, const std::string& scope, const ListOptions& options,
                        WallTime now) {
    Extras extra = extras(view, options.extended);
    Table table{
        fmt::format(" Cluster: {} ({}) ", scope, initialized_text(view)), columns(options.format, extra), {}};
    bool ports = ports_matter(view);
    for (const Shown& shown : options.format == Format::topology ? as_tree(view) : in_order(view))
        table.rows.push_back(row(view, scope, shown, options.format, extra, ports));
    std::string text;
    if (options.timestamp && for_people(options.format)) text += to_iso_with_blank(now) + "\n";
    text += render(table, options.format, false);
    if (for_people(options.format)) text += service_lines(view);
    return text;
}

}  // namespace pgherd::ctl
