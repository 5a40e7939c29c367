// The dynamic configuration: what pgherd understands of the document.
#include "codec/dynamic_config.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "codec/dynamic_config_section.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;

// Patroni's limits are 20, 1 and 3 s; the guard makes the shorter ones safe.
constexpr Duration kMinTtl = 2s;
constexpr Duration kMinLoopWait = 1s;
constexpr Duration kMinRetryTimeout = 1s;

// The first of `keys` that is there: a setting and its older names.
template <std::size_t N>
std::string_view spelled(const Section& section, const std::array<std::string_view, N>& keys) {
    auto found = std::ranges::find_if(keys, [&](auto key) { return section.has(key); });
    return found == keys.end() ? keys.front() : *found;
}

// loop_wait + 2 * retry_timeout <= ttl, or a leader that cannot reach the store would lose its lease between
// two attempts. loop_wait gives way first.
void apply_limits(DynamicConfig& config) {
    config.ttl = std::max(config.ttl, kMinTtl);
    config.loop_wait = std::max(config.loop_wait, kMinLoopWait);
    config.retry_timeout = std::max(config.retry_timeout, kMinRetryTimeout);
    const Duration longest = (config.ttl - kMinLoopWait) / 2;
    if (config.retry_timeout > longest) {
        config.loop_wait = kMinLoopWait;
        config.retry_timeout = longest;
    } else {
        config.loop_wait = std::min(config.loop_wait, config.ttl - 2 * config.retry_timeout);
    }
}

void read_synchronous_mode(const Section& section, SynchronousMode& mode) {
    const Json* value = section.find("synchronous_mode");
    if (!value) return;
    auto text = scalar_text(*value);
    if (auto flag = scalar_bool(*value))
        mode = *flag ? SynchronousMode::on : SynchronousMode::off;
    else if (text == "quorum")
        mode = SynchronousMode::quorum;
    else
        section.mistake("synchronous_mode",
                        fmt::format("expected off, on or quorum, got {}", describe(*value)));
}

SlotSpec read_slot(const Section& slot) {
    SlotSpec spec;
    slot.read("database", spec.database);
    slot.read("plugin", spec.plugin);
    std::string type = spec.database.empty() || spec.plugin.empty() ? "physical" : "logical";
    slot.read_choice("type", type, {"physical", "logical"});
    spec.logical = type == "logical";
    if (spec.logical && spec.database.empty())
        slot.mistake("database", "missing; a logical slot belongs to a database");
    if (spec.logical && spec.plugin.empty())
        slot.mistake("plugin", "missing; a logical slot has an output plugin");
    return spec;
}

void read_slots(const Section& section, DynamicConfig& config) {
    constexpr std::array<std::string_view, 3> names{"slots", "permanent_replication_slots",
                                                    "permanent_slots"};
    Section slots = section.section(spelled(section, names));
    for (const auto& [name, value] : slots.object())  // null means a physical slot
        config.slots[std::string(name)] = read_slot(slots.section(std::string_view(name)));
}

void read_ignore_slots(const Section& section, DynamicConfig& config) {
    const Json* value = section.find("ignore_slots");
    if (!value) return;
    if (!value->is_array())
        return section.mistake("ignore_slots", fmt::format("expected a list, got {}", describe(*value)));
    for (const Json& matcher : value->get_array()) {
        auto element = fmt::format("ignore_slots[{}]", config.ignore_slots.size());
        if (!matcher.is_object())
            return section.mistake(
                element, fmt::format("expected name, type, database or plugin, got {}", describe(matcher)));
        auto& target = config.ignore_slots.emplace_back();
        for (const auto& [key, wanted] : matcher.get_object())
            if (auto text = scalar_text(wanted)) target[std::string(key)] = std::move(*text);
    }
}

void read_standby_cluster(const Section& section, DynamicConfig& config) {
    Section standby = section.section("standby_cluster");
    StandbyClusterSpec spec;
    std::vector<std::string> hosts;
    standby.read_list_or_text("host", hosts);
    spec.host = fmt::format("{}", fmt::join(hosts, ","));
    standby.read("port", spec.port);
    standby.read("primary_slot_name", spec.primary_slot_name);
    standby.read("restore_command", spec.restore_command);
    standby.read("archive_cleanup_command", spec.archive_cleanup_command);
    standby.read("recovery_min_apply_delay", spec.recovery_min_apply_delay);
    standby.read_list_or_text("create_replica_methods", spec.create_replica_methods);
    // Without any source there is nothing to follow: not a standby cluster.
    if (standby.has("host") || standby.has("port") || standby.has("restore_command"))
        config.standby_cluster = std::move(spec);
}

void read_postgresql(const Section& postgresql, DynamicConfig& config) {
    postgresql.read("use_pg_rewind", config.use_pg_rewind);
    postgresql.read("use_slots", config.use_slots);
    postgresql.read("parameters", config.parameters);
    postgresql.read("pg_hba", config.pg_hba);
    postgresql.read("pg_ident", config.pg_ident);
    postgresql.read("recovery_conf", config.recovery_conf);
}

}  // namespace

DynamicConfig read_dynamic_config(const Section& section) {
    DynamicConfig config;
    config.document = section.object();
    section.read("ttl", config.ttl);
    section.read("loop_wait", config.loop_wait);
    section.read("retry_timeout", config.retry_timeout);
    section.read_bytes("maximum_lag_on_failover", config.maximum_lag_on_failover);
    section.read_bytes("maximum_lag_on_syncnode", config.maximum_lag_on_syncnode);
    section.read("max_timelines_history", config.max_timelines_history);
    section.read("check_timeline", config.check_timeline);
    section.read(
        spelled(section, std::array<std::string_view, 2>{"primary_start_timeout", "master_start_timeout"}),
        config.primary_start_timeout);
    section.read(
        spelled(section, std::array<std::string_view, 2>{"primary_stop_timeout", "master_stop_timeout"}),
        config.primary_stop_timeout);
    read_synchronous_mode(section, config.synchronous_mode);
    section.read("synchronous_mode_strict", config.synchronous_mode_strict);
    section.read("synchronous_node_count", config.synchronous_node_count);
    section.read("failsafe_mode", config.failsafe_mode);
    section.read("member_slots_ttl", config.member_slots_ttl);
    section.read("pause", config.pause);
    read_slots(section, config);
    read_ignore_slots(section, config);
    read_standby_cluster(section, config);
    read_postgresql(section.section("postgresql"), config);

    config.synchronous_node_count = std::max(config.synchronous_node_count, 1);
    config.max_timelines_history = std::max(config.max_timelines_history, 0);
    config.primary_start_timeout = std::max(config.primary_start_timeout, Duration{});
    config.primary_stop_timeout = std::max(config.primary_stop_timeout, Duration{});
    config.member_slots_ttl = std::max(config.member_slots_ttl, Duration{});
    apply_limits(config);
    return config;
}

Result<DynamicConfig> parse_dynamic_config(const JsonObject& document) {
    Mistakes mistakes;
    DynamicConfig config = read_dynamic_config(Section(document, "", mistakes));
    PGHERD_CHECK(mistakes.status());
    return config;
}

}  // namespace pgherd
