// YAML as go-yaml v3 writes it, because clients compare the text of a plan, and people diff it: four blanks
// of indentation, keys in "natural" order (srv2 before srv10), quotes only where a plain text would mean
// something else to a YAML 1.1 or 1.2 reader.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "supervise/layer.h"

namespace pgherd::supervise {

// A text as a value or a key, on one line.
std::string yaml_scalar(std::string_view text);
// The order of keys.
bool natural_less(std::string_view a, std::string_view b);
// Whether YAML would read the plain text as something other than this text.
bool means_something_else(std::string_view text);

// A block mapping, line by line.
class YamlWriter {
  public:
    // A key whose value is a mapping that `write` fills; nothing at all when it writes nothing, unless
    // `always`: then "{}".
    template <class Write>
    void mapping(std::string_view key, Write write, bool always = false) {
        const std::size_t before = text_.size();
        const bool apart = begin_key(key);
        text_ += apart ? "\n" : ":\n";
        const std::size_t start = text_.size();
        ++depth_;
        write();
        --depth_;
        if (text_.size() == start) {
            text_.resize(before);
            if (always) field_raw(key, "{}");
        } else if (apart) {
            text_[start + depth_ * 4] = ':';  // in the indentation of its first line
        }
    }
    void field(std::string_view key, std::string_view value);  // left out when empty
    void field_raw(std::string_view key, std::string_view value);
    void list(std::string_view key, const std::vector<std::string>& values);  // left out when empty
    void strings(std::string_view key, const StringMap& values);              // left out when empty

    std::string take() { return text_.empty() ? "{}\n" : std::move(text_); }

  private:
    // Writes a key without its colon. True for a long one, which stands on a line of its own behind a "?": a
    // reader of YAML looks for the colon in the next 1024 characters only.
    bool begin_key(std::string_view key);
    void key_and_colon(std::string_view key);
    void literal(std::string_view value);

    std::string text_;
    std::size_t depth_ = 0;
};

template <class Map>
std::vector<const typename Map::value_type*> naturally_sorted(const Map& map) {
    std::vector<const typename Map::value_type*> entries;
    // Not std::sort: the natural order is not transitive for every odd name, which this does not mind.
    for (const auto& entry : map)
        entries.insert(
            std::upper_bound(entries.begin(), entries.end(), &entry,
                             [](const auto* a, const auto* b) { return natural_less(a->first, b->first); }),
            &entry);
    return entries;
}

}  // namespace pgherd::supervise
