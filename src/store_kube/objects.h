// Objects of the Kubernetes API as this module needs them, out of the API's JSON.
//
// Only names, versions, labels and annotations count; the rest of an object is left alone. Versions
// (resourceVersion) are taken as numbers: they grow with every change of a kind of objects, which Kubernetes
// has kept since its beginning and documents since 1.35.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/member.h"

namespace pgherd::kube {

struct Object {
    std::string name;
    std::string uid;
    std::int64_t version = 0;
    std::map<std::string, std::string> labels;
    std::map<std::string, std::string> annotations;
    std::string pod_ip;  // of a pod, as the two below
    std::string node_name;
    std::string hostname;
    Json subsets;  // of Endpoints

    const std::string* annotation(const std::string& key) const {
        const auto found = annotations.find(key);
        return found == annotations.end() ? nullptr : &found->second;
    }
};

struct ObjectList {
    std::int64_t version = 0;
    std::vector<Object> objects;
};

struct Event {
    enum class Type { changed, deleted, bookmark, gone };  // gone: what is missed is not there any more
    Type type = Type::changed;
    Object object;  // of a bookmark: only its version
};

Result<Object> parse_object(const JsonObject& json);
Result<ObjectList> parse_list(const JsonObject& json);
// One line of a watch. An error ends the stream.
Result<Event> parse_event(std::string_view line);
// The API's own words for why it refuses; empty when the body is none of its reports.
std::string failure_message(std::string_view body);

const JsonObject* object_in(const JsonObject& object, std::string_view key);
std::string text_in(const JsonObject& object, std::string_view key);

}  // namespace pgherd::kube
