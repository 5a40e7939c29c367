// What all verbs share: what they work with, how they end, and how they find the members they are about.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>

#include "ctl/command_line.h"
#include "ctl/list_table.h"
#include "ctl/remote.h"
#include "ctl/terminal.h"

namespace pgherd::ctl {

struct Context {
    Remote& remote;
    Terminal& terminal;
    std::string scope;

    template <class... Arguments>
    void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        terminal.print(fmt::format(format, std::forward<Arguments>(arguments)...) + "\n");
    }
};

int exit_code(ErrorCode code);

// `names` without the cluster's, where it stands first and no member is called so.
std::vector<std::string> member_names(const std::vector<std::string>& names, const std::string& scope,
                                      const ClusterView& view);

std::vector<const Member*> members_with_role(const ClusterView& view, RoleFilter role);
// The leader first; only those with an address.
std::vector<const Member*> leader_first(const ClusterView& view);

// The members that a verb is about, after showing the list and asking which (when none is named) unless
// `force`. `action`: "restart". Errors: a name that is no member, or not of the role.
struct MemberChoice {
    std::vector<std::string> names;
    RoleFilter role = RoleFilter::any;
    bool force = false;
    bool all_by_default = true;
};
Result<std::vector<const Member*>> choose_members(Context& context, const ClusterView& view,
                                                  const MemberChoice& choice, std::string_view action);
std::string listed(const std::vector<const Member*>& members);

// The one member that a query or a connection string is about: the leader, if neither is given.
Result<const Member*> one_member(const ClusterView& view, std::optional<RoleFilter> role,
                                 const std::string& name);
void show_list(Context& context, const ClusterView& view);

// "now", an empty text, or a point in time with a zone.
Result<std::optional<WallTime>> parse_scheduled(const std::string& text);
WallTime wall_now();

// Each in a file of its own, verb_<name>.cc; verb_read.cc has those that only read a record.
void add_list(CommandLine& line);
void add_topology(CommandLine& line);
void add_switchover(CommandLine& line);
void add_failover(CommandLine& line);
void add_restart(CommandLine& line);
void add_reload(CommandLine& line);
void add_reinit(CommandLine& line);
void add_pause(CommandLine& line);
void add_resume(CommandLine& line);
void add_edit_config(CommandLine& line);
void add_show_config(CommandLine& line);
void add_history(CommandLine& line);
void add_dsn(CommandLine& line);
void add_query(CommandLine& line);
void add_flush(CommandLine& line);
void add_remove(CommandLine& line);
void add_version(CommandLine& line);

}  // namespace pgherd::ctl
