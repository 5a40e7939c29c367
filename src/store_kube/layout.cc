#include "store_kube/layout.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "store_kube/hash.h"

namespace pgherd::kube {

namespace {

constexpr std::string_view kMembers = "members/";
constexpr std::string_view kConfigKeys[] = {"config", "history", "initialize"};
constexpr std::size_t kLongestSlug = 60;

bool small_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Such a key cannot be mistaken for anything else after "<scope>-".
bool simple(std::string_view key) {
    return !key.empty() && key.size() <= kLongestSlug && std::ranges::all_of(key, small_letter_or_digit);
}

// What people recognize the key by; the hash makes it unique.
std::string slug(std::string_view key) {
    std::string text;
    for (const char c : to_lower(key.substr(0, kLongestSlug)))
        if (small_letter_or_digit(c))
            text += c;
        else if (!text.empty() && text.back() != '-')
            text += '-';
    while (!text.empty() && text.back() == '-') text.pop_back();
    return text.empty() ? "x" : text;
}

}  // namespace

std::optional<std::string> pod_of(std::string_view key) {
    if (!key.starts_with(kMembers)) return std::nullopt;
    const std::string_view name = key.substr(kMembers.size());
    const bool names_a_pod =
        !name.empty() && name.size() <= 253 && small_letter_or_digit(name.front()) &&
        small_letter_or_digit(name.back()) &&
        std::ranges::all_of(name, [](char c) { return small_letter_or_digit(c) || c == '-' || c == '.'; });
    return names_a_pod ? std::optional(std::string(name)) : std::nullopt;
}

Layout::Layout(const KubernetesConfig& config, std::string scope)
    : scope_(std::move(scope)),
      scope_label_(config.scope_label),
      endpoints_(config.use_endpoints),
      labels_(config.labels),
      leader_object_(endpoints_ ? scope_ : scope_ + "-leader") {
    labels_[config.scope_label] = scope_;
}

std::string Layout::selector() const {
    std::vector<std::string> parts;
    for (const auto& [name, value] : labels_) parts.push_back(name + "=" + value);
    return join(parts, ",");
}

bool Layout::belongs(const std::map<std::string, std::string>& labels) const {
    return std::ranges::all_of(labels_, [&](const auto& label) {
        const auto found = labels.find(label.first);
        return found != labels.end() && found->second == label.second;
    });
}

std::optional<std::string> Layout::other_cluster(const std::map<std::string, std::string>& labels) const {
    const auto found = labels.find(scope_label_);
    return found == labels.end() || found->second == scope_ ? std::nullopt : std::optional(found->second);
}

std::string Layout::object_of(std::string_view key) const {
    if (key == "leader" || key == "status" || key == "failsafe") return leader_object_;
    if (std::ranges::find(kConfigKeys, key) != std::end(kConfigKeys)) return config_object();
    if (simple(key)) return fmt::format("{}-{}", scope_, key);
    return fmt::format("{}-r-{}-{:016x}", scope_, slug(key), hash(key));
}

Field Layout::field_of(std::string_view key) const {
    const std::string name(key);
    if (key == "leader") return {name, Form::leader, {}};
    if (key == "status") return {name, Form::status, {}};
    if (key == "failover") return {name, Form::failover, {}};
    if (key == "sync") return {name, Form::sync, {}};
    if (key == "failsafe" || std::ranges::find(kConfigKeys, key) != std::end(kConfigKeys))
        return {name, Form::plain, name};
    return {name, Form::plain, "value"};
}

std::vector<Field> Layout::fields_of(const std::string& object, const std::vector<std::string>& known) const {
    if (object == leader_object_) return {field_of("leader"), field_of("status"), field_of("failsafe")};
    if (object == config_object()) return {field_of("config"), field_of("history"), field_of("initialize")};
    if (object == scope_ + "-failover") return {field_of("failover")};
    if (object == sync_object()) return {field_of("sync")};
    if (known.size() == 1 && object_of(known.front()) == object) return {field_of(known.front())};
    return {};
}

std::vector<Field> Layout::fields_of_pod(const std::string& pod) {
    return {{std::string(kMembers) + pod, Form::plain, "status"}};
}

bool Layout::own_object(std::string_view key) const {
    return key != "failover" && key != "sync" && field_of(key).annotation == "value";
}

std::string Layout::lease_object(LeaseId lease) const {
    return fmt::format("{}-lease-{:016x}", scope_, lease.value());
}

std::optional<LeaseId> Layout::lease_of(std::string_view object) const {
    const std::string prefix = scope_ + "-lease-";
    if (!object.starts_with(prefix) || object.size() != prefix.size() + 16) return std::nullopt;
    std::int64_t id = 0;
    for (const char c : object.substr(prefix.size())) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
        id = static_cast<std::int64_t>((static_cast<std::uint64_t>(id) << 4U) |
                                       static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10));
    }
    return id > 0 ? std::optional(LeaseId(id)) : std::nullopt;
}

}  // namespace pgherd::kube
