// JSON text in and out. Boost.JSON parses; writing is our own, because its floating point numbers ("9E-1")
// are correct but not what people and Patroni write.
#include "codec/json.h"

#include <algorithm>
#include <cmath>

#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace pgherd {
namespace {

constexpr std::size_t kMaxDepth = 64;

std::string position(std::string_view text, std::size_t offset) {
    auto before = text.substr(0, std::min(offset, text.size()));
    auto line = std::ranges::count(before, '\n') + 1;
    auto line_start = before.rfind('\n');
    auto column = line_start == std::string_view::npos ? before.size() + 1 : before.size() - line_start;
    return fmt::format("line {}, column {}", line, column);
}

std::string number_text(double value) {
    auto text = fmt::format("{}", value);
    if (text.find_first_of(".en") == std::string::npos) text += ".0";
    return text;
}

class Writer {
  public:
    explicit Writer(bool pretty) : pretty_(pretty) {}

    void write(const Json& json) {
        switch (json.kind()) {
            case boost::json::kind::object: return write(json.get_object());
            case boost::json::kind::array: return write(json.get_array());
            case boost::json::kind::double_: text_ += number_text(json.get_double()); return;
            default: text_ += boost::json::serialize(json); return;
        }
    }

    std::string take() { return std::move(text_); }

  private:
    void write(const JsonObject& object) {
        open('{');
        for (const auto& [key, value] : object) {
            next();
            text_ += boost::json::serialize(boost::json::string_view(key));
            text_ += pretty_ ? ": " : ":";
            write(value);
        }
        close('}');
    }

    void write(const boost::json::array& array) {
        open('[');
        for (const Json& value : array) {
            next();
            write(value);
        }
        close(']');
    }

    void open(char bracket) {
        text_ += bracket;
        ++depth_;
        first_ = true;
    }

    void next() {
        if (!first_) text_ += ',';
        first_ = false;
        new_line();
    }

    void close(char bracket) {
        --depth_;
        if (!first_) new_line();
        text_ += bracket;
        first_ = false;
    }

    void new_line() {
        if (pretty_) text_.append("\n").append(2 * depth_, ' ');
    }

    bool pretty_;
    bool first_ = true;
    std::size_t depth_ = 0;
    std::string text_;
};

std::string written(const Json& json, bool pretty) {
    Writer writer(pretty);
    writer.write(json);
    return writer.take();
}

// "1e999" is read as infinity, which no JSON text can say.
bool finite(const Json& json) {
    if (json.is_double()) return std::isfinite(json.get_double());
    if (json.is_array()) return std::ranges::all_of(json.get_array(), finite);
    if (!json.is_object()) return true;
    return std::ranges::all_of(json.get_object(), [](const auto& entry) { return finite(entry.value()); });
}

// Patroni compares the texts, so that 10 and "10" are no change.
bool same(const Json& a, const Json& b) {
    if (a == b) return true;
    if (a.is_string() && b.is_number()) return std::string_view(a.get_string()) == to_text(b);
    if (a.is_number() && b.is_string()) return same(b, a);
    return false;
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = kMaxDepth;
    boost::json::parser parser({}, options);
    boost::system::error_code error;
    auto consumed = parser.write_some(text.data(), text.size(), error);
    if (!error && consumed < text.size()) error = boost::json::error::extra_data;
    if (error)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot read JSON: {} at {}", error.message(), position(text, consumed)));
    Json json = parser.release();
    if (!finite(json)) return fail(ErrorCode::invalid, "cannot read JSON: a number is out of range");
    return json;
}

Result<JsonObject> parse_json_object(std::string_view text) {
    PGHERD_TRY(Json json, parse_json(text));
    if (!json.is_object()) return fail(ErrorCode::invalid, "cannot read JSON: expected an object");
    return std::move(json.get_object());
}

std::string to_text(const Json& json) {
    return written(json, false);
}
std::string to_pretty(const Json& json) {
    return written(json, true);
}

bool merge_patch(JsonObject& document, const JsonObject& patch) {
    bool changed = false;
    for (const auto& [key, value] : patch) {
        auto found = document.find(key);
        if (value.is_null()) {
            changed |= document.stable_erase(key) > 0;
        } else if (found == document.end()) {
            document.emplace(key, value);
            changed = true;
        } else if (value.is_object() && found->value().is_object()) {
            changed |= merge_patch(found->value().get_object(), value.get_object());
        } else if (!same(found->value(), value)) {
            found->value() = value;
            changed = true;
        }
    }
    return changed;
}

}  // namespace pgherd
