// `failover`: an operator's wish for a switchover or a failover.
#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"
#include "codec/records.h"
#include "codec/section.h"

namespace pgherd {
namespace {

constexpr std::string_view kContext = "cannot read the failover record";

FailoverRequest parse_legacy_failover(std::string_view value) {
    auto parts = split(value, ':');
    FailoverRequest request;
    request.leader = MemberName(trim(parts[0]));
    if (parts.size() > 1) request.candidate = MemberName(trim(parts[1]));
    return request;
}

}  // namespace

Result<FailoverRequest> parse_failover(std::string_view value) {
    value = trim(value);
    if (!value.starts_with('{')) return parse_legacy_failover(value);
    auto object = parse_json_object(value);
    if (!object) return std::unexpected(with_context(object.error(), kContext));
    Mistakes mistakes;
    Section section(*object, "", mistakes);
    std::string leader, candidate, at;
    section.read("leader", leader);
    section.read("member", candidate);
    section.read("scheduled_at", at);
    if (auto status = mistakes.status(); !status)
        return std::unexpected(with_context(status.error(), kContext));
    FailoverRequest request{MemberName(std::move(leader)), MemberName(std::move(candidate)), {}, {}};
    if (!at.empty()) {
        auto time = parse_iso(at);
        if (!time) return std::unexpected(with_context(time.error(), kContext));
        request.scheduled_at = *time;
    }
    return request;
}

std::string write_failover(const FailoverRequest& request) {
    JsonObject object;
    if (!request.leader.empty()) object["leader"] = request.leader.text();
    if (!request.candidate.empty()) object["member"] = request.candidate.text();
    if (request.scheduled_at) object["scheduled_at"] = to_iso(*request.scheduled_at);
    return to_text(object);
}

}  // namespace pgherd
