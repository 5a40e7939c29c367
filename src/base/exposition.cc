#include "base/exposition.h"

#include <iterator>

namespace pgherd {

namespace {

void append_labels(std::string& text, const Exposition::Labels& labels) {
    for (const auto& [name, value] : labels) {
        if (!text.empty()) text += ',';
        text += name;
        text += "=\"";
        for (const char c : value) {
            if (c == '\\' || c == '"') text += '\\';
            if (c == '\n')
                text += "\\n";
            else
                text += c;
        }
        text += '"';
    }
}

}  // namespace

Exposition::Exposition(std::string_view prefix, const Labels& common) : prefix_(prefix) {
    append_labels(common_, common);
}

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = prefix_ + std::string(name);
    fmt::format_to(std::back_inserter(text_), "# HELP {0} {2}\n# TYPE {0} {1}\n", name_, type, help);
}

void Exposition::comment(std::string_view text) {
    fmt::format_to(std::back_inserter(text_), "# {}\n", text);
}

void Exposition::add(std::string_view value, const Labels& labels) {
    std::string all = common_;
    append_labels(all, labels);
    if (!all.empty()) all = "{" + all + "}";
    fmt::format_to(std::back_inserter(text_), "{}{} {}\n", name_, all, value);
}

}  // namespace pgherd
