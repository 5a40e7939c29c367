#include "writes/hosts.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "base/text.h"

namespace pgherd::writes {
namespace {

using Parameters = std::map<std::string, std::string>;

constexpr std::array<std::pair<const char*, const char*>, 8> kDefaults{{
    {"target_session_attrs", "read-write"},
    {"connect_timeout", "1"},
    {"tcp_user_timeout", "1000"},
    {"keepalives", "1"},
    {"keepalives_idle", "1"},
    {"keepalives_interval", "1"},
    {"keepalives_count", "2"},
    {"fallback_application_name", "pgherd writes"},
}};

Result<Parameters> parse(const std::string& dsn) {
    char* why = nullptr;
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options{PQconninfoParse(dsn.c_str(), &why),
                                                                         PQconninfoFree};
    std::unique_ptr<char, decltype(&PQfreemem)> owned_why{why, PQfreemem};
    if (!options)
        return fail(ErrorCode::invalid, fmt::format("cannot read the connection string: {}",
                                                    trim(why ? std::string_view(why) : "out of memory")));
    Parameters parameters;
    for (const PQconninfoOption* option = options.get(); option->keyword; ++option)
        if (option->val) parameters[option->keyword] = option->val;
    return parameters;
}

std::vector<std::string> list(const Parameters& parameters, const std::string& key) {
    auto found = parameters.find(key);
    if (found == parameters.end() || found->second.empty()) return {};
    return split(found->second, ',');
}

}  // namespace

Result<std::vector<HostSettings>> split_hosts(const std::string& dsn) {
    PGHERD_TRY(auto shared, parse(dsn));
    for (auto [key, value] : kDefaults) shared.try_emplace(key, value);
    auto hosts = list(shared, "host");
    auto addresses = list(shared, "hostaddr");
    auto ports = list(shared, "port");
    std::size_t count = std::max({hosts.size(), addresses.size(), std::size_t(1)});
    if (!hosts.empty() && !addresses.empty() && hosts.size() != addresses.size())
        return fail(ErrorCode::invalid,
                    fmt::format("cannot read the connection string: {} hosts, but {} in hostaddr",
                                hosts.size(), addresses.size()));
    if (ports.size() > 1 && ports.size() != count)
        return fail(
            ErrorCode::invalid,
            fmt::format("cannot read the connection string: {} hosts, but {} ports", count, ports.size()));
    for (auto key : {"host", "hostaddr", "port"}) shared.erase(key);

    std::vector<HostSettings> result;
    for (std::size_t i = 0; i < count; ++i) {
        Parameters own = shared;
        if (!hosts.empty()) own["host"] = hosts[i];
        if (!addresses.empty()) own["hostaddr"] = addresses[i];
        if (!ports.empty()) own["port"] = ports.size() == 1 ? ports[0] : ports[i];
        std::string host = !hosts.empty() ? hosts[i] : !addresses.empty() ? addresses[i] : "the default host";
        std::string port = own.contains("port") ? ":" + own["port"] : "";
        result.push_back({host + port, {own.begin(), own.end()}});
    }
    return result;
}

}  // namespace pgherd::writes
