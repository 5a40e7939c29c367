// JSON to YAML in block style, as people edit it (`ctl edit-config`, the files of `pgherd up`).
#include <algorithm>

#include <boost/json/serialize.hpp>

#include "codec/agent_config.h"
#include "codec/json.h"
#include "codec/yaml.h"

namespace pgherd {
namespace {

bool is_container(const Json& json) {
    return (json.is_object() && !json.get_object().empty()) || (json.is_array() && !json.get_array().empty());
}

// A text that is written without quotes means itself: not a number, a boolean or a piece of syntax.
bool needs_quotes(std::string_view text) {
    if (!plain_scalar(text).is_string()) return true;
    if (text.back() == ' ' || text.back() == ':') return true;
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/_";
    if (letters.find(text.front()) == std::string_view::npos) return true;
    if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos) return true;
    return std::ranges::any_of(text,
                               [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// YAML's double quotes understand all of JSON's escapes.
std::string scalar(const Json& json) {
    if (!json.is_string() || needs_quotes(json.get_string())) return to_text(json);
    return std::string(json.get_string());
}

void write(const Json& json, std::size_t indent, std::string& out);

void write_value(const Json& value, std::size_t indent, std::string& out) {
    if (!is_container(value)) {
        out += ' ' + scalar(value) + '\n';
        return;
    }
    out += '\n';
    write(value, indent, out);
}

// A list stands as deep as its key, as people write it.
void write_object(const JsonObject& object, std::size_t indent, std::string& out) {
    for (const auto& [key, value] : object) {
        out.append(indent, ' ') += scalar(Json(key)) + ':';
        write_value(value, value.is_array() ? indent : indent + 2, out);
    }
}

void write_list(const boost::json::array& array, std::size_t indent, std::string& out) {
    for (const Json& item : array) {
        if (is_container(item)) {
            std::string inner;
            write(item, indent + 2, inner);
            inner[indent] = '-';  // "  key: …" becomes "- key: …"
            out += inner;
        } else {
            out.append(indent, ' ') += "- " + scalar(item) + '\n';
        }
    }
}

void write(const Json& json, std::size_t indent, std::string& out) {
    if (!is_container(json))
        out.append(indent, ' ') += scalar(json) + '\n';
    else if (json.is_object())
        write_object(json.get_object(), indent, out);
    else
        write_list(json.get_array(), indent, out);
}

}  // namespace

std::string to_yaml(const Json& json) {
    std::string out;
    write(json, 0, out);
    return out;
}

}  // namespace pgherd
