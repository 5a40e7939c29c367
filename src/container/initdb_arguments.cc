#include "container/initdb_arguments.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "supervise/command.h"

namespace pgherd::container {
namespace {

struct Short {
    char letter;
    std::string_view name;
    bool takes_value;
};
constexpr std::array kShort{Short{'A', "auth", true},
                            Short{'c', "set", true},
                            Short{'E', "encoding", true},
                            Short{'g', "allow-group-access", false},
                            Short{'k', "data-checksums", false},
                            Short{'T', "text-search-config", true}};
// Where the data and its WAL are, and who the superuser is.
constexpr std::array<std::string_view, 5> kOwn{"pgdata", "pwfile", "pwprompt", "username", "waldir"};

class Words {
  public:
    explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}

    bool at_end() const { return at_ == words_.size(); }
    bool at_value() const { return !at_end() && !words_[at_].starts_with('-'); }
    std::string take() { return words_[at_++]; }

  private:
    std::vector<std::string> words_;
    std::size_t at_ = 0;
};

std::unexpected<Error> no_use(std::string_view word) {
    return fail(ErrorCode::invalid, fmt::format("there is no use for \"{}\" here", word));
}

Result<std::string> long_option(std::string word, Words& rest) {
    const std::string name = word.substr(2, word.find('=') - 2);
    if (name.empty() || std::ranges::find(kOwn, name) != kOwn.end()) return no_use(word);
    if (word.find('=') == std::string::npos && rest.at_value()) word += "=" + rest.take();
    return word;
}

Result<std::string> short_option(const std::string& word, Words& rest) {
    const auto* known = std::ranges::find(kShort, word.size() > 1 ? word[1] : '\0', &Short::letter);
    if (known == kShort.end() || (!known->takes_value && word.size() > 2)) return no_use(word);
    const std::string name = fmt::format("--{}", known->name);
    if (!known->takes_value) return name;
    if (word.size() == 2 && rest.at_end()) return no_use(word);
    return fmt::format("{}={}", name, word.size() > 2 ? word.substr(2) : rest.take());
}

}  // namespace

Result<std::vector<std::string>> initdb_arguments(std::string_view text) {
    PGHERD_TRY(std::vector<std::string> split, supervise::split_command(text));
    Words words(std::move(split));
    std::vector<std::string> options;
    while (!words.at_end()) {
        std::string word = words.take();
        if (!word.starts_with('-')) return no_use(word);
        PGHERD_TRY(std::string option,
                   word.starts_with("--") ? long_option(std::move(word), words) : short_option(word, words));
        options.push_back(std::move(option));
    }
    return options;
}

}  // namespace pgherd::container
