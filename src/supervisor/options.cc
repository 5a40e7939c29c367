#include "supervisor/options.h"

#include <cstdlib>
#include <optional>

#include <fmt/format.h>

namespace pgherd::supervisor {
namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

void read_environment(Options& options) {
    if (const std::string value = variable("PEBBLE"); !value.empty()) options.directory = value;
    options.socket = variable("PEBBLE_SOCKET");
    if (options.socket.empty()) options.socket = options.directory + "/.pebble.socket";
    options.verbose = variable("PEBBLE_VERBOSE") == "1";
    options.persist = variable("PEBBLE_PERSIST") != "never";
    options.copy_once = variable("PEBBLE_COPY_ONCE");
}

class Words {
  public:
    explicit Words(const std::vector<std::string>& words) : words_(words) {}
    bool more() const { return at_ < words_.size(); }
    const std::string& next() { return words_[at_++]; }
    // The value of `flag`, from "--flag=value" or the next word.
    Result<std::string> value(const std::string& flag, const std::optional<std::string>& attached) {
        if (attached) return *attached;
        if (!more()) return fail(ErrorCode::invalid, fmt::format("expected argument for flag `{}'", flag));
        return next();
    }

  private:
    const std::vector<std::string>& words_;
    std::size_t at_ = 1;
};

// "--args svc word… ;"
Status read_arguments(Words& words, Options& options) {
    if (!words.more()) return fail(ErrorCode::invalid, "expected argument for flag `--args'");
    const std::string service = words.next();
    std::vector<std::string> arguments;
    while (words.more()) {
        const std::string& word = words.next();
        if (word == ";") break;
        arguments.push_back(word);
    }
    options.arguments[service] = std::move(arguments);
    return {};
}

}  // namespace

Result<Called> parse_options(const std::vector<std::string>& given) {
    Called called;
    Options& options = called.options;
    read_environment(options);
    options.enter = !given.empty() && given.front() == "enter";
    Words words(given);
    while (words.more()) {
        std::string word = words.next();
        if (options.enter && !word.starts_with('-')) {
            options.inner.push_back(word);
            while (words.more()) options.inner.push_back(words.next());
            break;
        }
        std::optional<std::string> attached;
        if (const std::size_t equals = word.find('=');
            word.starts_with("--") && equals != std::string::npos) {
            attached = word.substr(equals + 1);
            word.resize(equals);
        }
        if (word == "--help" || word == "-h")
            called.help = true;
        else if (word == "--create-dirs")
            options.create_directories = true;
        else if (word == "--hold")
            options.hold = true;
        else if (word == "--verbose" || word == "-v")
            options.verbose = true;
        else if (word == "--run" && options.enter)
            options.enter_run = true;
        else if (word == "--args")
            PGHERD_CHECK(read_arguments(words, options));
        else if (word == "--http") {
            PGHERD_TRY(options.http, words.value(word, attached));
        } else if (word == "--identities") {
            PGHERD_TRY(options.identities, words.value(word, attached));
        } else if (word == "--https") {
            return fail(ErrorCode::invalid,
                        "cannot serve --https: this supervisor has no HTTPS listener; use the unix socket");
        } else {
            return fail(ErrorCode::invalid,
                        word.starts_with('-')
                            ? fmt::format("unknown flag `{}'", word.substr(word.find_first_not_of('-')))
                            : fmt::format("too many arguments for command: {}", word));
        }
    }
    return called;
}

}  // namespace pgherd::supervisor
