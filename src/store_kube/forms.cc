#include "store_kube/forms.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "base/utf8.h"
#include "codec/json.h"
#include "store_kube/hash.h"

namespace pgherd::kube {

namespace {

// The names of a form's annotations, in the order of the JSON object that they stand for.
std::vector<std::string> names_of(const Field& field) {
    switch (field.form) {
        case Form::plain: return {field.annotation};
        case Form::leader: return {"leader"};
        case Form::status: return {"optime", "slots", "retain_slots"};
        case Form::failover: return {"leader", "member", "scheduled_at"};
        case Form::sync: return {"leader", "quorum", "sync_standby"};
    }
    return {};
}

Json parsed_or(const Annotations& annotations, const std::string& name, Json otherwise) {
    const auto found = annotations.find(name);
    if (found == annotations.end()) return otherwise;
    auto json = parse_json(found->second);
    return json ? std::move(*json) : otherwise;
}

Json text_or_null(const Annotations& annotations, const std::string& name) {
    const auto found = annotations.find(name);
    return found == annotations.end() || found->second.empty() ? Json() : Json(found->second);
}

// As codec/records.h writes these records, so that nothing has to be kept beside them.
JsonObject compose(Form form, const Annotations& annotations) {
    JsonObject object;
    if (form == Form::status) {
        if (annotations.contains("optime")) object["optime"] = parsed_or(annotations, "optime", Json(0));
        object["slots"] = parsed_or(annotations, "slots", JsonObject{});
        object["retain_slots"] = parsed_or(annotations, "retain_slots", boost::json::array{});
    } else if (form == Form::sync) {
        object["leader"] = text_or_null(annotations, "leader");
        object["quorum"] = parsed_or(annotations, "quorum", Json(0));
        object["sync_standby"] = text_or_null(annotations, "sync_standby");
    } else {
        for (const char* name : {"leader", "member", "scheduled_at"})
            if (Json text = text_or_null(annotations, name); !text.is_null()) object[name] = std::move(text);
    }
    return object;
}

}  // namespace

AnnotationChanges to_annotations(const Field& field, const std::optional<std::string>& value) {
    AnnotationChanges changes;
    for (const std::string& name : names_of(field)) changes[name] = std::nullopt;
    if (!value || !is_utf8(*value)) return changes;
    if (field.form == Form::plain || field.form == Form::leader) {
        changes.begin()->second = *value;
        return changes;
    }
    const auto object = parse_json_object(*value);
    if (!object) return changes;
    for (auto& [name, text] : changes) {
        const Json* member = object->if_contains(name);
        if (!member || member->is_null()) continue;
        text = member->is_string() ? std::string(std::string_view(member->get_string())) : to_text(*member);
    }
    return changes;
}

std::optional<std::string> from_annotations(const Field& field, const Annotations& annotations) {
    const auto names = names_of(field);
    const bool any = std::ranges::any_of(names, [&](const auto& name) { return annotations.contains(name); });
    if (!any) return std::nullopt;
    if (field.form == Form::plain || field.form == Form::leader) return annotations.at(names.front());
    return to_text(compose(field.form, annotations));
}

std::string fingerprint(const Field& field, const Annotations& annotations) {
    auto names = names_of(field);
    if (field.form == Form::leader) names.emplace_back("acquireTime");
    std::uint64_t state = hash(field.key);
    for (const std::string& name : names) {
        const auto found = annotations.find(name);
        if (found == annotations.end()) continue;
        state = hash(std::string_view("\0", 1), hash(name, state));
        state = hash(std::string_view("\0", 1), hash(found->second, state));
    }
    return fmt::format("{:016x}", state);
}

}  // namespace pgherd::kube
