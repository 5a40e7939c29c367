#include "pebble_cli/arguments.h"

#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "base/text.h"

namespace pgherd::pebble_cli {
namespace {

class Reader {
  public:
    Reader(std::span<const OptionSpec> options, std::span<const std::string> given)
        : options_(options), left_(given.begin(), given.end()) {}

    bool done() const { return left_.empty(); }
    std::string take() {
        std::string word = std::move(left_.front());
        left_.pop_front();
        return word;
    }

    Result<const OptionSpec*> find(std::string_view name) const {
        const auto found = std::ranges::find_if(
            options_, [&](const OptionSpec& each) { return each.name == name || each.letter == name; });
        if (found == options_.end()) {
            const std::string_view bare = name.substr(name.starts_with("--") ? 2 : 1);
            return fail(ErrorCode::invalid, fmt::format("unknown flag `{}'", bare));
        }
        return &*found;
    }

    Result<std::string> value_of(const OptionSpec& option) {
        if (left_.empty())
            return fail(ErrorCode::invalid, fmt::format("expected argument for flag `{}'", shown(option)));
        return take();
    }

    static Status check(const OptionSpec& option, const std::string& value) {
        if (option.choices.empty()) return {};
        const std::vector<std::string> choices = split(option.choices, '|');
        if (std::ranges::find(choices, value) != choices.end()) return {};
        std::vector<std::string> first(choices.begin(), choices.end() - 1);
        return fail(ErrorCode::invalid,
                    fmt::format("Invalid value `{}' for option `{}'. Allowed values are: {} or {}", value,
                                shown(option), join(first, ", "), choices.back()));
    }

  private:
    static std::string shown(const OptionSpec& option) {
        return option.letter.empty() ? std::string(option.name)
                                     : fmt::format("{}, {}", option.letter, option.name);
    }

    std::span<const OptionSpec> options_;
    std::deque<std::string> left_;
};

}  // namespace

std::string Arguments::value(std::string_view name, std::string_view otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() || found->second.empty() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string> Arguments::values(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>() : found->second;
}

Result<Arguments> Arguments::read(std::span<const OptionSpec> options, std::span<const std::string> given,
                                  bool leading_only) {
    Arguments arguments;
    Reader reader(options, given);
    const auto give = [&](std::string_view name, std::optional<std::string> joined) -> Status {
        PGHERD_TRY(const OptionSpec* option, reader.find(name));
        auto& values = arguments.values_[std::string(option->name)];
        if (!option->takes_value) {
            if (joined)
                return fail(ErrorCode::invalid,
                            fmt::format("bool flag `{}' cannot have an argument", option->name));
            return {};
        }
        if (!joined) {
            PGHERD_TRY(joined, reader.value_of(*option));
        }
        PGHERD_CHECK(Reader::check(*option, *joined));
        values.push_back(std::move(*joined));
        return {};
    };
    while (!reader.done()) {
        std::string word = reader.take();
        if (word == "--" || (leading_only && !word.starts_with('-'))) {
            if (word != "--") arguments.words_.push_back(std::move(word));
            while (!reader.done()) arguments.words_.push_back(reader.take());
        } else if (word.starts_with("--")) {
            const std::size_t equals = word.find('=');
            const auto joined =
                equals == std::string::npos ? std::nullopt : std::optional(word.substr(equals + 1));
            PGHERD_CHECK(give(std::string_view(word).substr(0, equals), joined));
        } else if (word.size() > 1 && word.starts_with('-')) {
            for (std::size_t at = 1; at < word.size(); ++at) {
                const std::string letter{'-', word[at]};
                PGHERD_TRY(const OptionSpec* option, reader.find(letter));
                if (!option->takes_value || at + 1 == word.size()) {
                    PGHERD_CHECK(give(letter, std::nullopt));
                    continue;
                }
                PGHERD_CHECK(give(letter, word.substr(word[at + 1] == '=' ? at + 2 : at + 1)));
                break;
            }
        } else {
            arguments.words_.push_back(std::move(word));
        }
    }
    return arguments;
}

}  // namespace pgherd::pebble_cli
