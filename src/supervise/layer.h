// Layers as values: what a user wrote, and, with the same types, the plan that several layers make together.
//
// Everything is as written: a field that nobody set is empty and stays so, also in the plan, because clients
// compare what they sent with what they get back. Defaults are applied where a value is used (the functions
// with `effective` in their names), never stored. Values that may be wrong (an action, a level) are texts
// until plan.h has checked them, as a mistake must be told with the user's own word.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace pgherd::supervise {

using StringMap = std::map<std::string, std::string, std::less<>>;

// Whom a service, a check or a command runs as; resolved against the system's users only when it starts.
struct UserGroup {
    std::optional<int> user_id;
    std::string user;
    std::optional<int> group_id;
    std::string group;
    bool operator==(const UserGroup&) const = default;
    bool empty() const { return *this == UserGroup{}; }
};

struct Service {
    std::string summary;
    std::string description;
    std::string startup;   // "enabled", "disabled", "" = disabled
    std::string override;  // "merge", "replace"
    std::string command;
    std::vector<std::string> after;
    std::vector<std::string> before;
    std::vector<std::string> requirements;  // `requires`
    std::string workload;
    StringMap environment;
    UserGroup owner;
    std::string working_dir;
    std::string on_success;  // "restart", "shutdown", "failure-shutdown", "ignore"
    std::string on_failure;  // "restart", "shutdown", "success-shutdown", "ignore"
    StringMap on_check_failure;
    std::optional<Duration> backoff_delay;
    std::optional<double> backoff_factor;
    std::optional<Duration> backoff_limit;
    std::optional<Duration> kill_delay;
    bool operator==(const Service&) const = default;

    bool enabled() const { return startup == "enabled"; }
    Duration effective_backoff_delay() const {
        return backoff_delay.value_or(std::chrono::milliseconds(500));
    }
    double effective_backoff_factor() const { return backoff_factor.value_or(2.0); }
    Duration effective_backoff_limit() const { return backoff_limit.value_or(std::chrono::seconds(30)); }
    Duration effective_kill_delay() const { return kill_delay.value_or(std::chrono::seconds(5)); }
};

struct HttpCheck {
    std::string url;
    StringMap headers;
    bool operator==(const HttpCheck&) const = default;
};
struct TcpCheck {
    int port = 0;
    std::string host;  // "" = localhost
    bool operator==(const TcpCheck&) const = default;
};
struct ExecCheck {
    std::string command;
    std::string service_context;
    StringMap environment;
    UserGroup owner;
    std::string working_dir;
    bool operator==(const ExecCheck&) const = default;
};

struct Check {
    std::string override;
    std::string level;    // "alive", "ready", ""
    std::string startup;  // "enabled", "disabled", "" = enabled
    std::optional<Duration> period;
    std::optional<Duration> timeout;
    int threshold = 0;  // 0 = not set
    std::optional<HttpCheck> http;
    std::optional<TcpCheck> tcp;
    std::optional<ExecCheck> exec;
    bool operator==(const Check&) const = default;

    bool enabled() const { return startup != "disabled"; }
    int effective_threshold() const { return threshold > 0 ? threshold : 3; }
    Duration effective_period() const { return period.value_or(std::chrono::seconds(10)); }
    // Never longer than the period.
    Duration effective_timeout() const {
        return std::min(timeout.value_or(std::chrono::seconds(3)), effective_period());
    }
    std::string_view kind() const { return http ? "HTTP" : tcp ? "TCP" : "exec"; }
};

struct LogTarget {
    std::string type;  // "loki", "opentelemetry", "syslog"
    std::string location;
    std::vector<std::string> services;  // "svc", "-svc", "all", "-all"; the last that matches decides
    std::string override;
    StringMap labels;
    bool operator==(const LogTarget&) const = default;

    bool wants(std::string_view service) const;
};

struct Workload {
    std::string override;
    StringMap environment;
    UserGroup owner;
    bool operator==(const Workload&) const = default;
};

// The sections of a layer, and of a plan. The maps' order is go-yaml's "natural" one only when rendered.
struct Sections {
    std::map<std::string, Service, std::less<>> services;
    std::map<std::string, Check, std::less<>> checks;
    std::map<std::string, LogTarget, std::less<>> log_targets;
    std::map<std::string, Workload, std::less<>> workloads;
    std::string pairing_mode;  // "", "disabled", "single", "multiple"
    bool operator==(const Sections&) const = default;
};

struct Layer {
    int order = 0;
    std::string label;
    std::string summary;
    std::string description;
    Sections sections;
    bool operator==(const Layer&) const = default;
};

using Plan = Sections;

// The environment, user and group of a service are those of its workload with its own over them.
StringMap effective_environment(const Plan& plan, const Service& service);
UserGroup effective_owner(const Plan& plan, const Service& service);

}  // namespace pgherd::supervise
