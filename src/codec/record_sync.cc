// `sync`: who may take over without losing an acknowledged commit.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"
#include "codec/records.h"
#include "codec/section.h"

namespace pgherd {

Result<SyncRecord> parse_sync(std::string_view value) {
    constexpr std::string_view kContext = "cannot read the sync record";
    auto object = parse_json_object(value);
    if (!object) return std::unexpected(with_context(object.error(), kContext));
    Mistakes mistakes;
    Section section(*object, "", mistakes);
    SyncRecord record;
    std::string leader;
    std::vector<std::string> standbys;
    section.read("leader", leader);
    section.read("quorum", record.quorum);
    section.read_list_or_text("sync_standby", standbys);
    if (auto status = mistakes.status(); !status)
        return std::unexpected(with_context(status.error(), kContext));
    record.leader = MemberName(std::move(leader));
    for (auto& name : standbys) record.standbys.emplace_back(std::move(name));
    std::ranges::sort(record.standbys);
    return record;
}

std::string write_sync(const SyncRecord& record) {
    std::vector<std::string> names;
    for (const MemberName& name : record.standbys) names.push_back(name.text());
    std::ranges::sort(names);
    JsonObject object;
    object["leader"] = record.leader.empty() ? Json() : Json(record.leader.text());
    object["quorum"] = record.quorum;
    object["sync_standby"] = names.empty() ? Json() : Json(join(names, ","));
    return to_text(object);
}

}  // namespace pgherd
