#include "codec/yaml.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"
#include "codec/agent_config.h"

namespace pgherd {
namespace {

constexpr int kMaxDepth = 64;
constexpr int kMaxNodes = 20'000;  // after the expansion of aliases

struct Refused : std::runtime_error {
    Refused(const YAML::Mark& where, const std::string& what) : std::runtime_error(what), mark(where) {}
    YAML::Mark mark;
};

class Converter {
  public:
    explicit Converter(Places& places) : places_(places) {}

    Json convert(const YAML::Node& node, const std::string& path, int depth = 0) {
        if (depth > kMaxDepth) throw Refused(node.Mark(), "nested too deeply");
        if (++nodes_ > kMaxNodes) throw Refused(node.Mark(), "too large (do aliases multiply each other?)");
        if (!path.empty()) places_.places.insert_or_assign(path, place(node.Mark()));
        switch (node.Type()) {
            case YAML::NodeType::Map: return mapping(node, path, depth);
            case YAML::NodeType::Sequence: return list(node, path, depth);
            case YAML::NodeType::Scalar: return scalar(node);
            default: return nullptr;
        }
    }

  private:
    std::string place(const YAML::Mark& mark) const {
        return mark.is_null() ? places_.source : fmt::format("{}:{}", places_.source, mark.line + 1);
    }

    static Json scalar(const YAML::Node& node) {
        const std::string& text = node.Scalar();
        bool plain = node.Tag() == "?" || node.Tag().empty();
        return plain ? plain_scalar(text) : Json(text);
    }

    Json list(const YAML::Node& node, const std::string& path, int depth) {
        boost::json::array array;
        for (const auto& item : node)
            array.push_back(convert(item, fmt::format("{}[{}]", path, array.size()), depth + 1));
        return array;
    }

    Json mapping(const YAML::Node& node, const std::string& path, int depth) {
        JsonObject object;
        JsonObject merged;
        for (const auto& entry : node) {
            if (!entry.first.IsScalar()) throw Refused(entry.first.Mark(), "a key must be a text");
            const std::string& key = entry.first.Scalar();
            if (key == "<<" && entry.first.Tag() != "!") {
                merge(entry.second, path, depth, merged);
                continue;
            }
            auto inner = path.empty() ? key : fmt::format("{}.{}", path, key);
            object.insert_or_assign(key, convert(entry.second, inner, depth + 1));
            places_.places.insert_or_assign(inner,
                                            place(entry.first.Mark()));  // the key's line, not its value's
        }
        for (auto& [key, value] : merged)
            if (!object.contains(key)) object.emplace(key, value);
        return object;
    }

    // "<<: *defaults" and "<<: [*a, *b]": of several, the first one that has a key counts.
    void merge(const YAML::Node& node, const std::string& path, int depth, JsonObject& merged) {
        if (node.IsSequence()) {
            for (const auto& item : node) merge(item, path, depth + 1, merged);
            return;
        }
        if (!node.IsMap() || depth > kMaxDepth) throw Refused(node.Mark(), "\"<<\" needs a mapping");
        Json source = convert(node, path, depth + 1);
        for (auto& [key, value] : source.get_object())
            if (!merged.contains(key)) merged.emplace(key, value);
    }

    Places& places_;
    int nodes_ = 0;
};

// The line number of the first line that is indented with a tab; 0 = none.
std::size_t tab_indented_line(std::string_view yaml) {
    std::size_t number = 0;
    for (const auto& line : split(yaml, '\n')) {
        ++number;
        auto text = line.find_first_not_of(" \t");
        if (text != std::string::npos && line[text] != '#' && line.find('\t') < text) return number;
    }
    return 0;
}

Error syntax_error(std::string_view yaml, const std::string& source, const YAML::Mark& mark,
                   std::string_view what) {
    if (auto line = tab_indented_line(yaml); line != 0)
        return {ErrorCode::invalid,
                fmt::format("{}:{}: cannot read YAML: indented with a tab; YAML wants blanks", source, line)};
    if (mark.is_null()) return {ErrorCode::invalid, fmt::format("{}: cannot read YAML: {}", source, what)};
    return {ErrorCode::invalid,
            fmt::format("{}:{}:{}: cannot read YAML: {}", source, mark.line + 1, mark.column + 1, what)};
}

// Behind some mistakes yaml-cpp finds empty documents for ever, and LoadAll would take them all.
class Ignored final : public YAML::EventHandler {
  public:
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

// 0, 1, or 2 for more than one.
int documents(const std::string& yaml) {
    std::istringstream stream(yaml);
    YAML::Parser parser(stream);
    Ignored ignored;
    int count = 0;
    while (count < 2 && parser.HandleNextDocument(ignored)) ++count;
    return count;
}

// yaml-cpp takes a quote that is never closed for complete when the file ends with a line end, and would
// swallow what follows it. Without the line end it notices.
Result<YAML::Node> load(std::string_view yaml, const std::string& source) {
    try {
        documents(std::string(yaml.substr(0, yaml.find_last_not_of(" \t\r\n") + 1)));
    } catch (const YAML::Exception& error) {
        if (error.msg == YAML::ErrorMsg::EOF_IN_SCALAR)
            throw YAML::ParserException(error.mark, "a quote is never closed");
    }
    const std::string text(yaml);
    switch (documents(text)) {
        case 0: return YAML::Node();
        case 1: return YAML::Load(text);
        default:
            return fail(ErrorCode::invalid,
                        fmt::format("{}: cannot read YAML: more than one document", source));
    }
}

// yaml-cpp's words, with a hint where wrong indentation is the usual reason.
std::string explained(const std::string& what) {
    for (auto word : {"illegal map value", "end of map not found", "end of sequence not found",
                      "illegal block entry", "block sequence"})
        if (what.find(word) != std::string::npos) return what + " (is the indentation right?)";
    return what;
}

bool is_decimal(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    return digits && (text == "0" || text.front() != '0');
}

// A point is needed ("1e3" is a text to PyYAML), an exponent needs a sign.
bool is_float(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    auto point = text.find('.');
    if (point == std::string_view::npos || text.size() < 2) return false;
    auto exponent = text.find_first_of("eE");
    auto mantissa = text.substr(0, exponent);
    if (mantissa.size() < 2 || mantissa.find_first_not_of("0123456789.") != std::string_view::npos ||
        mantissa.rfind('.') != point)
        return false;
    if (exponent == std::string_view::npos) return true;
    auto power = text.substr(exponent + 1);
    return power.size() > 1 && (power[0] == '+' || power[0] == '-') &&
           power.substr(1).find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Json plain_scalar(std::string_view text) {
    static constexpr std::array<std::string_view, 5> nulls{"", "~", "null", "Null", "NULL"};
    static constexpr std::array<std::string_view, 9> yes{"yes",  "Yes", "YES", "true", "True",
                                                         "TRUE", "on",  "On",  "ON"};
    static constexpr std::array<std::string_view, 9> no{"no",    "No",  "NO",  "false", "False",
                                                        "FALSE", "off", "Off", "OFF"};
    if (std::ranges::find(nulls, text) != nulls.end()) return nullptr;
    if (std::ranges::find(yes, text) != yes.end()) return true;
    if (std::ranges::find(no, text) != no.end()) return false;
    if (is_decimal(text)) {
        if (auto number = parse_int(text)) return *number;
    } else if (is_float(text)) {
        double number = 0;
        auto digits = text.starts_with('+') ? text.substr(1) : text;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc{})
            return number;
    }
    return Json(text);
}

Result<YamlDocument> read_yaml(std::string_view yaml, const std::string& source) {
    YamlDocument document{nullptr, {source, {}}};
    try {
        PGHERD_TRY(const YAML::Node node, load(yaml, source));
        document.json = Converter(document.places).convert(node, "");
        return document;
    } catch (const Refused& error) {
        return fail(ErrorCode::invalid,
                    fmt::format("{}:{}: cannot read YAML: {}", source, error.mark.line + 1, error.what()));
    } catch (const YAML::Exception& error) {
        return std::unexpected(syntax_error(yaml, source, error.mark, explained(error.msg)));
    } catch (const std::exception& error) {
        return std::unexpected(syntax_error(yaml, source, YAML::Mark::null_mark(), error.what()));
    }
}

Result<Json> parse_yaml(std::string_view yaml, const std::string& source) {
    PGHERD_TRY(YamlDocument document, read_yaml(yaml, source));
    return std::move(document.json);
}

}  // namespace pgherd
