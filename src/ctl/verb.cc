#include "ctl/verb.h"

#include <algorithm>

#include "base/text.h"

namespace pgherd::ctl {

int exit_code(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid: return 2;
        case ErrorCode::not_found:
        case ErrorCode::unavailable:
        case ErrorCode::timeout:
        case ErrorCode::denied: return 3;
        case ErrorCode::failed:
        case ErrorCode::conflict:
        case ErrorCode::cancelled: break;
    }
    return 1;
}

std::vector<std::string> member_names(const std::vector<std::string>& names, const std::string& scope,
                                      const ClusterView& view) {
    bool cluster_first = !names.empty() && names.front() == scope && !view.member(MemberName(names.front()));
    return {names.begin() + (cluster_first ? 1 : 0), names.end()};
}

std::vector<const Member*> members_with_role(const ClusterView& view, RoleFilter role) {
    bool standby_cluster = view.leader_member() && view.leader_member()->role == Role::standby_leader;
    std::vector<const Member*> members;
    for (const auto& [name, member] : view.members) {
        bool leads = view.led_by(name);
        bool fits = role == RoleFilter::any || (role == RoleFilter::replica && !leads) ||
                    (role == RoleFilter::leader && leads) ||
                    (role == RoleFilter::primary && leads && !standby_cluster) ||
                    (role == RoleFilter::standby_leader && leads && standby_cluster);
        if (fits) members.push_back(&member);
    }
    return members;
}

std::vector<const Member*> leader_first(const ClusterView& view) {
    std::vector<const Member*> members;
    for (const auto& [name, member] : view.members)
        if (!member.api_url.empty())
            members.insert(view.led_by(name) ? members.begin() : members.end(), &member);
    return members;
}

std::string listed(const std::vector<const Member*>& members) {
    std::vector<std::string> names;
    for (const Member* member : members) names.push_back(member->name.text());
    return join(names, ", ");
}

Result<std::vector<const Member*>> choose_members(Context& context, const ClusterView& view,
                                                  const MemberChoice& choice, std::string_view action) {
    auto eligible = members_with_role(view, choice.role);
    if (eligible.empty())
        return fail(choice.role == RoleFilter::any
                        ? "the cluster has no members"
                        : fmt::format("the cluster has no member with the role {}", to_string(choice.role)));
    if (!choice.force) show_list(context, view);
    std::vector<std::string> names = member_names(choice.names, context.scope, view);
    if (names.empty() && choice.all_by_default) return eligible;
    if (names.empty()) {
        PGHERD_TRY(auto answer,
                   ask(context.terminal,
                       fmt::format("Which member do you want to {} ({})", action, listed(eligible)), ""));
        names.push_back(answer);
    }
    std::vector<const Member*> chosen;
    for (const std::string& name : names) {
        const Member* member = view.member(MemberName(name));
        if (!member)
            return fail(ErrorCode::invalid,
                        fmt::format("\"{}\" is not a member of the cluster; members: {}", name,
                                    listed(members_with_role(view, RoleFilter::any))));
        if (std::ranges::find(eligible, member) == eligible.end())
            return fail(ErrorCode::invalid,
                        fmt::format("\"{}\" does not have the role {}", name, to_string(choice.role)));
        if (std::ranges::find(chosen, member) == chosen.end()) chosen.push_back(member);
    }
    return chosen;
}

Result<const Member*> one_member(const ClusterView& view, std::optional<RoleFilter> role,
                                 const std::string& name) {
    if (role && !name.empty()) return fail(ErrorCode::invalid, "--role and --member exclude each other");
    const Member* found = nullptr;
    if (!name.empty()) {
        found = view.member(MemberName(name));
    } else if (auto members = members_with_role(view, role.value_or(RoleFilter::leader)); !members.empty()) {
        found = members.front();
    }
    if (!found)
        return fail(name.empty() ? "no member has that role now"
                                 : fmt::format("\"{}\" is not a member of the cluster", name));
    if (found->host().empty())
        return fail(fmt::format("\"{}\" has published no address", found->name.text()));
    return found;
}

void show_list(Context& context, const ClusterView& view) {
    context.terminal.print(render_list(view, context.scope, {}, wall_now()));
}

Result<std::optional<WallTime>> parse_scheduled(const std::string& text) {
    if (text.empty() || text == "now") return std::nullopt;
    auto time = parse_iso(text);
    if (!time)
        return fail(ErrorCode::invalid,
                    fmt::format("--scheduled: {}; expected for instance 2026-01-31T04:00:00+01:00",
                                time.error().message));
    return *time;
}

WallTime wall_now() {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

void add_verbs(CommandLine& line) {
    for (auto add : {add_list, add_topology, add_switchover, add_failover, add_restart, add_reload,
                     add_reinit, add_pause, add_resume, add_edit_config, add_show_config, add_history,
                     add_dsn, add_query, add_flush, add_remove, add_version})
        add(line);
}

}  // namespace pgherd::ctl
