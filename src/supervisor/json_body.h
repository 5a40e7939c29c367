// The JSON body of a request, read field by field.
//
// A field that is missing or null is empty. One of the wrong type makes the body wrong: the first such
// mistake is kept and told by `status`, so that a handler reads all its fields first and asks once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/member.h"

namespace pgherd::supervisor {

class JsonBody {
  public:
    using StringMap = std::map<std::string, std::string, std::less<>>;

    // The only way in for JSON from clients. Errors are of code invalid.
    static Result<JsonBody> parse(std::string_view text);

    std::string text(std::string_view key);
    bool flag(std::string_view key);
    std::optional<int> number(std::string_view key);
    std::vector<std::string> texts(std::string_view key);
    StringMap text_map(std::string_view key);
    std::vector<JsonBody> objects(std::string_view key);
    bool has(std::string_view key) const { return find(key) != nullptr; }
    const Json* find(std::string_view key) const;  // null counts as missing

    Status status() const;

  private:
    explicit JsonBody(JsonObject object) : object_(std::move(object)) {}
    void wrong(std::string_view key, const Json& value, std::string_view wanted);

    JsonObject object_;
    std::string mistake_;
};

}  // namespace pgherd::supervisor
