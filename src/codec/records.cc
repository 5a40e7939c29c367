// All records of a cluster at once. An unreadable record counts as absent; only for `config` the reason is
// kept, because there going on with the previous one is better than with nothing.
#include "codec/records.h"

#include "base/text.h"
#include "codec/dynamic_config.h"
#include "codec/json.h"

namespace pgherd {
namespace {

constexpr std::string_view kMembers = "members/";

void read_initialize(ClusterView& view, const StoredRecord& record) {
    view.initialize_exists = true;
    view.initialize_lease = record.lease;
    if (auto id = parse_uint(trim(record.value))) view.initialize = SystemId(*id);
}

void read_config(ClusterView& view, const StoredRecord& record) {
    view.config_revision = record.modified;
    auto document = parse_json_object(record.value);
    auto config = document ? parse_dynamic_config(*document) : std::unexpected(document.error());
    if (config)
        view.config = std::move(*config);
    else
        view.config_error = config.error().message;
}

void read_failsafe(ClusterView& view, const StoredRecord& record) {
    auto object = parse_json_object(record.value);
    if (!object) return;
    for (const auto& [name, api_url] : *object)
        if (api_url.is_string())
            view.failsafe[MemberName(std::string_view(name))] = std::string(api_url.get_string());
}

void read_member(ClusterView& view, std::string_view key, const StoredRecord& record) {
    MemberName name(key.substr(kMembers.size()));
    auto member = parse_member(name, record.value);
    if (member && !name.empty()) view.members.emplace(std::move(name), std::move(*member));
}

}  // namespace

ClusterView parse_cluster(Revision revision, const std::map<std::string, StoredRecord>& records) {
    ClusterView view;
    view.revision = revision;
    for (const auto& [key, record] : records) {
        if (key.starts_with(kMembers)) {
            read_member(view, key, record);
        } else if (key == "leader") {
            view.leader = LeaderRecord{MemberName(record.value), record.modified, record.lease};
        } else if (key == "initialize") {
            read_initialize(view, record);
        } else if (key == "config") {
            read_config(view, record);
        } else if (key == "failover") {
            if (auto request = parse_failover(record.value)) view.failover = std::move(*request);
            if (view.failover) view.failover->modified = record.modified;
        } else if (key == "sync") {
            // Its revision matters for the next swap even when its value cannot be read.
            if (auto sync = parse_sync(record.value)) view.sync = std::move(*sync);
            view.sync.modified = record.modified;
        } else if (key == "status" || (key == "optime/leader" && !records.contains("status"))) {
            if (auto status = parse_status(record.value)) view.status = std::move(*status);
        } else if (key == "history") {
            if (auto history = parse_history(record.value)) view.history = std::move(*history);
        } else if (key == "timeline") {
            if (auto claim = parse_timeline(record.value)) view.claim = std::move(*claim);
            view.claim.modified = record.modified;
        } else if (key == "failsafe") {
            read_failsafe(view, record);
        }
    }
    return view;
}

}  // namespace pgherd
