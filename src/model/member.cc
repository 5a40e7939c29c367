// Texts of a member's states and roles, and what its connection URL says.
#include "model/member.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "model/agent_config.h"

namespace pgherd {
namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<MemberState, 15> kStates{{
    {MemberState::initdb, "initializing new cluster"},
    {MemberState::initdb_failed, "initdb failed"},
    {MemberState::custom_bootstrap, "running custom bootstrap script"},
    {MemberState::custom_bootstrap_failed, "custom bootstrap failed"},
    {MemberState::creating_replica, "creating replica"},
    {MemberState::running, "running"},
    {MemberState::starting, "starting"},
    {MemberState::bootstrap_starting, "starting after custom bootstrap"},
    {MemberState::start_failed, "start failed"},
    {MemberState::restarting, "restarting"},
    {MemberState::restart_failed, "restart failed"},
    {MemberState::stopping, "stopping"},
    {MemberState::stopped, "stopped"},
    {MemberState::stop_failed, "stop failed"},
    {MemberState::crashed, "crashed"},
}};

constexpr Names<Role, 7> kRoles{{
    {Role::primary, "primary"},
    {Role::standby_leader, "standby_leader"},
    {Role::replica, "replica"},
    {Role::demoted, "demoted"},
    {Role::promoted, "promoted"},
    {Role::uninitialized, "uninitialized"},
    {Role::primary, "master"},  // before Patroni 4; read only
}};

template <class Enum, std::size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) {
    auto found = std::ranges::find(names, value, &std::pair<Enum, std::string_view>::first);
    PGHERD_ASSERT(found != names.end());
    return found->second;
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const Names<Enum, N>& names, std::string_view text) {
    auto found = std::ranges::find(names, text, &std::pair<Enum, std::string_view>::second);
    return found == names.end() ? std::nullopt : std::optional(found->first);
}

constexpr std::uint16_t kPostgresPort = 5432;

// scheme://user:password@HOST:PORT/database?options
std::optional<Endpoint> endpoint_of_url(std::string_view url) {
    auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return std::nullopt;
    url.remove_prefix(scheme + 3);
    url = url.substr(0, url.find_first_of("/?"));
    if (auto at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
    auto endpoint = parse_endpoint(url, kPostgresPort);
    return endpoint ? std::optional(*endpoint) : std::nullopt;
}

}  // namespace

std::string_view to_string(MemberState state) {
    return name_of(kStates, state);
}
std::string_view to_string(Role role) {
    return name_of(kRoles, role);
}
std::optional<MemberState> parse_member_state(std::string_view text) {
    return value_of(kStates, text);
}
std::optional<Role> parse_role(std::string_view text) {
    return value_of(kRoles, text);
}

std::string Member::host() const {
    auto endpoint = endpoint_of_url(conn_url);
    return endpoint ? endpoint->host : std::string();
}

std::uint16_t Member::port() const {
    auto endpoint = endpoint_of_url(conn_url);
    return endpoint ? endpoint->port : kPostgresPort;
}

}  // namespace pgherd
