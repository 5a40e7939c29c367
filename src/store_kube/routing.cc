#include "store_kube/routing.h"

#include <algorithm>

#include <boost/json/array.hpp>

#include "codec/records.h"

namespace pgherd::kube {

namespace {

bool makes_its_data(MemberState state) {
    return state == MemberState::initdb || state == MemberState::custom_bootstrap ||
           state == MemberState::bootstrap_starting || state == MemberState::creating_replica;
}

JsonObject to_json(const KubernetesPort& port) {
    JsonObject object{{"port", port.port}};
    if (!port.name.empty()) object["name"] = port.name;
    object["protocol"] = port.protocol.empty() ? "TCP" : port.protocol;
    return object;
}

// Without what only tells where the pod runs, and in one order.
std::string essence(const Json& subsets) {
    const auto* list = subsets.if_array();
    if (!list || list->size() != 1 || !list->front().is_object()) return {};
    std::vector<std::string> parts;
    const JsonObject& subset = list->front().get_object();
    for (const char* key : {"addresses", "ports"}) {
        const Json* entries = subset.if_contains(key);
        if (!entries || !entries->is_array()) continue;
        for (const Json& entry : entries->get_array()) {
            if (!entry.is_object()) continue;
            const Json* port = entry.get_object().if_contains("port");
            const std::string number = port && port->is_number() ? boost::json::serialize(*port) : "";
            parts.push_back(text_in(entry.get_object(), "ip") + " " + number + " " +
                            text_in(entry.get_object(), "name") + " " +
                            text_in(entry.get_object(), "protocol"));
        }
    }
    std::ranges::sort(parts);
    std::string all;
    for (const std::string& part : parts) all += part + "\n";
    return all;
}

}  // namespace

AnnotationChanges role_labels(const KubernetesConfig& config, const std::optional<std::string>& member,
                              bool holds_lock) {
    std::optional<std::string> role;
    std::optional<std::string> tmp_role;
    const auto parsed = member ? parse_member(MemberName("x"), *member) : fail("");
    const bool leads = parsed && (parsed->role == Role::primary || parsed->role == Role::promoted ||
                                  parsed->role == Role::standby_leader);
    if (leads && holds_lock && parsed->running()) {
        role = parsed->role == Role::standby_leader ? config.standby_leader_label_value
                                                    : config.leader_label_value;
        tmp_role = "primary";
    } else if (parsed && !leads && parsed->running() && parsed->role == Role::replica) {
        role = config.follower_label_value;
        tmp_role = "replica";
    }
    AnnotationChanges labels{{config.role_label, role}};
    if (!config.tmp_role_label.empty()) labels[config.tmp_role_label] = tmp_role;
    for (const auto& [name, value] : config.bootstrap_labels)
        labels[name] = parsed && makes_its_data(parsed->state) ? std::optional(value) : std::nullopt;
    return labels;
}

std::optional<Json> leader_addresses(const KubernetesConfig& config, const std::string& name_space,
                                     const Json& present, const std::string& ip, const Object* pod) {
    const std::string used = !ip.empty() ? ip : pod ? pod->pod_ip : std::string();
    if (used.empty()) return std::nullopt;
    JsonObject address{{"ip", used}};
    if (pod) {
        if (!pod->hostname.empty()) address["hostname"] = pod->hostname;
        if (!pod->node_name.empty()) address["nodeName"] = pod->node_name;
        address["targetRef"] =
            JsonObject{{"kind", "Pod"}, {"namespace", name_space}, {"name", pod->name}, {"uid", pod->uid}};
    }
    boost::json::array ports;
    for (const KubernetesPort& port : config.ports) ports.push_back(to_json(port));
    Json wanted = boost::json::array{
        JsonObject{{"addresses", boost::json::array{std::move(address)}}, {"ports", std::move(ports)}}};
    if (essence(wanted) == essence(present)) return std::nullopt;
    return wanted;
}

std::optional<Json> no_addresses(const Json& present) {
    const auto* list = present.if_array();
    return list && !list->empty() ? std::optional<Json>(boost::json::array{}) : std::nullopt;
}

}  // namespace pgherd::kube
