#include "codec/section.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"

namespace pgherd {

std::string Places::of(std::string_view path) const {
    // A section that only variables made has no place of its own.
    auto inner = fmt::format("{}.", path);
    if (auto found = places.lower_bound(inner);
        !places.contains(path) && found != places.end() && found->first.starts_with(inner))
        return found->second;
    for (;;) {
        if (auto found = places.find(path); found != places.end()) return found->second;
        auto end = path.find_last_of(".[");
        if (end == std::string_view::npos) return source;
        path = path.substr(0, end);
    }
}

void Mistakes::add(std::string_view path, std::string_view what) {
    if (first_) return;
    auto message = path.empty() ? std::string(what) : fmt::format("key \"{}\": {}", path, what);
    first_ = Error{ErrorCode::invalid, places_ ? fmt::format("{}: {}", places_->of(path), message) : message};
}

Status Mistakes::status() const {
    if (first_) return std::unexpected(*first_);
    return {};
}

std::optional<std::string> scalar_text(const Json& json) {
    switch (json.kind()) {
        case boost::json::kind::string: return std::string(json.get_string());
        case boost::json::kind::bool_: return json.get_bool() ? "on" : "off";
        case boost::json::kind::int64:
        case boost::json::kind::uint64:
        case boost::json::kind::double_: return to_text(json);
        default: return std::nullopt;
    }
}

std::optional<bool> scalar_bool(const Json& json) {
    if (json.is_bool()) return json.get_bool();
    auto text = scalar_text(json);
    if (!text) return std::nullopt;
    for (auto yes : {"on", "true", "yes", "1"})
        if (iequals(*text, yes)) return true;
    for (auto no : {"off", "false", "no", "0"})
        if (iequals(*text, no)) return false;
    return std::nullopt;
}

std::optional<std::int64_t> scalar_int(const Json& json) {
    if (json.is_int64()) return json.get_int64();
    if (!json.is_string()) return std::nullopt;
    auto number = parse_int(trim(json.get_string()));
    return number ? std::optional(*number) : std::nullopt;
}

std::string describe(const Json& json) {
    switch (json.kind()) {
        case boost::json::kind::array: return "a list";
        case boost::json::kind::object: return "a mapping";
        case boost::json::kind::null: return "nothing";
        case boost::json::kind::bool_: return json.get_bool() ? "true" : "false";
        case boost::json::kind::string: return fmt::format("\"{}\"", std::string_view(json.get_string()));
        default: return to_text(json);
    }
}

const Json* Section::find(std::string_view key) const {
    const Json* value = object_->if_contains(boost::json::string_view(key.data(), key.size()));
    return value && !value->is_null() ? value : nullptr;
}

std::string Section::path_of(std::string_view key) const {
    if (path_.empty() || key.empty()) return path_ + std::string(key);
    return fmt::format("{}.{}", path_, key);
}

Section Section::section(std::string_view key) const {
    static const JsonObject empty;
    const Json* value = find(key);
    if (value && !value->is_object())
        mistake(key, fmt::format("expected a section (a mapping), got {}", describe(*value)));
    return Section(value && value->is_object() ? value->get_object() : empty, path_of(key), *mistakes_);
}

void Section::read(std::string_view key, std::string& target) const {
    const Json* value = find(key);
    if (!value) return;
    auto text = scalar_text(*value);
    if (!text) return mistake(key, fmt::format("expected a text, got {}", describe(*value)));
    target = std::move(*text);
}

void Section::read(std::string_view key, bool& target) const {
    const Json* value = find(key);
    if (!value) return;
    auto flag = scalar_bool(*value);
    if (!flag) return mistake(key, fmt::format("expected true or false, got {}", describe(*value)));
    target = *flag;
}

void Section::read(std::string_view key, std::int64_t& target) const {
    const Json* value = find(key);
    if (!value) return;
    auto number = scalar_int(*value);
    if (!number) return mistake(key, fmt::format("expected a whole number, got {}", describe(*value)));
    target = *number;
}

void Section::read(std::string_view key, int& target) const {
    std::int64_t number = target;
    read(key, number);
    if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max())
        return mistake(key, fmt::format("{} is out of range", number));
    target = int(number);
}

void Section::read(std::string_view key, std::uint16_t& target) const {
    if (!has(key)) return;
    std::int64_t number = target;
    read(key, number);
    if (number < 1 || number > 65535)
        return mistake(key, fmt::format("expected a port (1 to 65535), got {}", number));
    target = std::uint16_t(number);
}

void Section::read(std::string_view key, Duration& target) const {
    const Json* value = find(key);
    if (!value) return;
    auto text = value->is_bool() ? std::nullopt : scalar_text(*value);
    if (!text) return mistake(key, fmt::format("expected seconds, got {}", describe(*value)));
    auto duration = parse_duration(*text);
    if (!duration) return mistake(key, fmt::format("expected seconds, but {}", duration.error().message));
    target = *duration;
}

void Section::read_bytes(std::string_view key, std::int64_t& target) const {
    const Json* value = find(key);
    if (!value) return;
    auto text = value->is_bool() ? std::nullopt : scalar_text(*value);
    if (!text) return mistake(key, fmt::format("expected bytes, got {}", describe(*value)));
    auto bytes = parse_bytes(*text);
    if (!bytes) return mistake(key, fmt::format("expected bytes, but {}", bytes.error().message));
    target = *bytes;
}

void Section::read(std::string_view key, std::vector<std::string>& target) const {
    const Json* value = find(key);
    if (!value) return;
    if (!value->is_array()) return mistake(key, fmt::format("expected a list, got {}", describe(*value)));
    std::vector<std::string> list;
    for (const Json& item : value->get_array()) {
        auto text = scalar_text(item);
        if (!text) {
            auto element = fmt::format("{}[{}]", key, list.size());
            return mistake(element, fmt::format("expected a text, got {}", describe(item)));
        }
        list.push_back(std::move(*text));
    }
    target = std::move(list);
}

void Section::read(std::string_view key, std::map<std::string, std::string>& target) const {
    Section inner = section(key);
    for (const auto& [name, value] : inner.object()) {
        if (value.is_null()) continue;
        auto text = scalar_text(value);
        if (!text) {
            inner.mistake(std::string_view(name),
                          fmt::format("expected a text or a number, got {}", describe(value)));
            continue;
        }
        target[std::string(name)] = std::move(*text);
    }
}

void Section::read(std::string_view key, Endpoint& target, std::uint16_t default_port) const {
    const Json* value = find(key);
    if (!value) return;
    if (!value->is_string()) return mistake(key, fmt::format("expected host:port, got {}", describe(*value)));
    auto endpoint = parse_endpoint(value->get_string(), default_port);
    if (!endpoint) return mistake(key, fmt::format("expected host:port, but {}", endpoint.error().message));
    target = std::move(*endpoint);
}

void Section::read_list_or_text(std::string_view key, std::vector<std::string>& target) const {
    const Json* value = find(key);
    if (!value || !value->is_string()) return read(key, target);
    target.clear();
    for (const auto& part : split(value->get_string(), ','))
        if (auto text = trim(part); !text.empty()) target.emplace_back(text);
}

void Section::read_arguments(std::string_view key, std::vector<std::string>& target) const {
    const Json* value = find(key);
    if (!value) return;
    std::vector<std::string> arguments;
    auto add_all = [&](const JsonObject& options) {
        for (const auto& [name, option] : options) {
            auto text = option.is_bool() && option.get_bool() ? std::string() : scalar_text(option);
            if (!text) return false;
            arguments.push_back(
                fmt::format("--{}{}{}", std::string_view(name), text->empty() ? "" : "=", *text));
        }
        return true;
    };
    bool good = value->is_object() && add_all(value->get_object());
    if (value->is_array())
        good = std::ranges::all_of(value->get_array(), [&](const Json& item) {
            if (item.is_object()) return add_all(item.get_object());
            if (!item.is_string() || item.get_string().empty()) return false;
            std::string_view name = item.get_string();
            arguments.push_back(name.starts_with('-') ? std::string(name) : fmt::format("--{}", name));
            return true;
        });
    if (!good) return mistake(key, "expected a list of options, each a name or \"name: value\"");
    target = std::move(arguments);
}

void Section::read_choice(std::string_view key, std::string& target,
                          std::initializer_list<std::string_view> choices) const {
    std::string text = target;
    read(key, text);
    for (auto choice : choices)
        if (iequals(choice, text)) {
            target = choice;
            return;
        }
    mistake(key, fmt::format("expected one of {}, got \"{}\"", fmt::join(choices, ", "), text));
}

}  // namespace pgherd
