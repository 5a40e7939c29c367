// The options and words of one command, read as Pebble's users type them: options anywhere among the words,
// "-n5",
// "-n 5", "--level=ready", "--level ready", "-lF" for two flags, "--" before words that look like options.
//
// The table of options serves the reading, the help and the completion alike.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgherd::pebble_cli {

struct OptionSpec {
    std::string_view name;    // "--level", or "-n" where there is no long form
    std::string_view letter;  // "-f", or empty
    bool takes_value = false;
    std::string_view help;
    std::string_view choices = {};  // "alive|ready"
};

class Arguments {
  public:
    bool has(std::string_view name) const { return values_.contains(name); }
    std::string value(std::string_view name, std::string_view otherwise = {}) const;  // the last one given
    std::vector<std::string> values(std::string_view name) const;
    const std::vector<std::string>& words() const { return words_; }

    // `leading_only`: options end at the first word, as what follows is somebody else's command.
    static Result<Arguments> read(std::span<const OptionSpec> options, std::span<const std::string> given,
                                  bool leading_only);

  private:
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
    std::vector<std::string> words_;
};

}  // namespace pgherd::pebble_cli
