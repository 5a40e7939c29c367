// YAML to JSON, with the place of every key.
//
// Plain scalars mean what they mean to PyYAML (YAML 1.1: yes/no/on/off are booleans), as the same files are
// read by Patroni; what JSON cannot say (dates, .inf, numbers with a leading 0 or too many digits) stays a
// text. Aliases are expanded up to a bound, merge keys ("<<") are followed.
#pragma once

#include <string_view>

#include "base/result.h"
#include "codec/section.h"

namespace pgherd {

struct YamlDocument {
    Json json;
    Places places;
};

Result<YamlDocument> read_yaml(std::string_view yaml, const std::string& source);
Json plain_scalar(std::string_view text);

}  // namespace pgherd
