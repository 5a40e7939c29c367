#include "ctl/table.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "codec/agent_config.h"
#include "codec/json.h"

namespace pgherd::ctl {
namespace {

bool empty(const Json& cell) {
    return cell.is_null() || (cell.is_string() && cell.get_string().empty());
}

// Code points, which is what a terminal shows as one column of the scripts that occur in names.
std::size_t width(std::string_view text) {
    return std::size_t(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string records(const Table& table, Format format, bool keep_empty) {
    boost::json::array list;
    for (const auto& row : table.rows) {
        JsonObject object;
        for (std::size_t i = 0; i < row.size(); ++i)
            if (keep_empty || !empty(row[i])) object[table.columns[i].title] = row[i];
        list.push_back(std::move(object));
    }
    if (format == Format::json) return to_text(list) + "\n";
    std::string yaml = to_yaml(sorted_keys(list));
    return yaml.ends_with('\n') ? yaml : yaml + "\n";
}

std::string separated(const Table& table, char delimiter) {
    std::string text;
    auto line = [&](const auto& cells, auto show) {
        std::vector<std::string> parts;
        for (const auto& cell : cells) parts.push_back(show(cell));
        text += join(parts, std::string(1, delimiter)) + "\n";
    };
    if (!table.columns.empty()) line(table.columns, [](const Column& column) { return column.title; });
    for (const auto& row : table.rows) line(row, cell_text);
    return text;
}

// A cell may have several lines: tags as a YAML block, reasons of a pending restart.
class Drawing {
  public:
    explicit Drawing(const Table& table, Format format) : table_(table) {
        std::vector<std::vector<std::string>> titles;
        for (const Column& column : table.columns) titles.push_back({column.title});
        rows_.push_back(std::move(titles));
        for (const auto& row : table.rows) rows_.push_back(cells(row, format));
        widths_.resize(table.columns.size());
        for (const auto& row : rows_)
            for (std::size_t i = 0; i < row.size(); ++i)
                for (const std::string& line : row[i]) {
                    widths_[i] = std::max(widths_[i], width(line));
                    if (row[i].size() > 1) rules_everywhere_ = true;
                }
    }

    std::string text() const {
        std::string text = first_rule() + line_of(0) + rule();
        for (std::size_t i = 1; i < rows_.size(); ++i) {
            text += line_of(i);
            if (rules_everywhere_ && i + 1 < rows_.size()) text += rule();
        }
        return text + rule();
    }

  private:
    static std::vector<std::vector<std::string>> cells(const std::vector<Json>& row, Format format) {
        std::vector<std::vector<std::string>> texts;
        for (const Json& cell : row) {
            bool block = cell.is_object() && format == Format::pretty;
            std::string text = block ? to_yaml(sorted_keys(cell)) : cell_text(cell);
            while (text.ends_with('\n')) text.pop_back();
            texts.push_back(split(text, '\n'));
        }
        return texts;
    }

    std::string rule() const {
        std::string rule = "+";
        for (std::size_t cell : widths_) rule += std::string(cell + 2, '-') + "+";
        return rule + "\n";
    }

    std::string first_rule() const {
        std::string line = rule();
        std::string caption = table_.caption.substr(0, line.size() > 3 ? line.size() - 3 : 0);
        return line.replace(1, width(caption), caption);
    }

    std::string line_of(std::size_t row) const {
        std::size_t height = 1;
        for (const auto& cell : rows_[row]) height = std::max(height, cell.size());
        std::string text;
        for (std::size_t line = 0; line < height; ++line) {
            text += "|";
            for (std::size_t i = 0; i < widths_.size(); ++i) {
                const auto& lines = rows_[row][i];
                std::string part = line < lines.size() ? lines[line] : "";
                std::string padding(widths_[i] - width(part), ' ');
                text += table_.columns[i].right ? " " + padding + part + " |" : " " + part + padding + " |";
            }
            text += "\n";
        }
        return text;
    }

    const Table& table_;
    std::vector<std::vector<std::vector<std::string>>>
        rows_;  // row, column, line; the first row is the titles
    std::vector<std::size_t> widths_;
    bool rules_everywhere_ = false;
};

}  // namespace

Json sorted_keys(const Json& value) {
    if (value.is_array()) {
        boost::json::array array;
        for (const Json& inner : value.get_array()) array.push_back(sorted_keys(inner));
        return array;
    }
    if (!value.is_object()) return value;
    std::map<std::string_view, const Json*> ordered;
    for (const auto& [key, inner] : value.get_object()) ordered[key] = &inner;
    JsonObject object;
    for (const auto& [key, inner] : ordered) object[key] = sorted_keys(*inner);
    return object;
}

std::string cell_text(const Json& cell) {
    if (cell.is_null()) return "";
    if (cell.is_string()) return std::string(cell.get_string());
    if (!cell.is_object()) return to_text(cell);
    std::vector<std::string> parts;
    Json ordered = sorted_keys(cell);
    for (const auto& [key, value] : ordered.get_object())
        parts.push_back(std::string(key) + ": " + cell_text(value));
    return "{" + join(parts, ", ") + "}";
}

std::string render(const Table& table, Format format, bool keep_empty, char delimiter) {
    switch (format) {
        case Format::json:
        case Format::yaml: return records(table, format, keep_empty);
        case Format::tsv: return separated(table, delimiter);
        case Format::pretty:
        case Format::topology: return Drawing(table, format).text();
    }
    return {};
}

}  // namespace pgherd::ctl
