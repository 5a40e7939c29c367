// Tables in patronictl's formats.
#pragma once

#include <string>
#include <vector>

#include "model/member.h"

namespace pgherd::ctl {

enum class Format { pretty, topology, tsv, json, yaml };

struct Column {
    std::string title;
    bool right = false;  // aligned, in pretty
};

struct Table {
    std::string caption;  // written into the first line, in pretty
    std::vector<Column> columns;
    std::vector<std::vector<Json>> rows;  // a cell is a text, a number, an object; null or "" = empty
};

// `keep_empty`: in JSON and YAML, empty cells are there too. Ends with a newline.
std::string render(const Table& table, Format format, bool keep_empty, char delimiter = '\t');

// The same with the keys of all objects in alphabetical order, as patronictl shows configurations.
Json sorted_keys(const Json& value);

// What a cell shows where there is no structure: {a: true} for an object.
std::string cell_text(const Json& cell);

}  // namespace pgherd::ctl
