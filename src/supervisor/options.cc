#include "supervisor/options.h"

#include <cstdlib>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"

namespace pgherd::supervisor {
namespace {

constexpr std::uint64_t kMaxLogFiles = 1000;

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

using Attached = std::optional<std::string>;  // the value in "--flag=value"

class Words {
  public:
    explicit Words(const std::vector<std::string>& words) : words_(words) {}
    bool more() const { return at_ < words_.size(); }
    const std::string& next() { return words_[at_++]; }
    // The value of `flag`, from "--flag=value" or the next word.
    Result<std::string> value(const std::string& flag, const Attached& attached) {
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

// "500k", "10M", "1G", or bytes.
Result<std::uint64_t> read_size(std::string_view text) {
    constexpr std::string_view kUnits = "kMG";
    std::string_view digits = text;
    unsigned shift = 0;
    if (const std::size_t unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
        unit != std::string_view::npos) {
        shift = 10 * (static_cast<unsigned>(unit) + 1);
        digits.remove_suffix(1);
    }
    const auto number = parse_uint(digits);
    if (!number || *number == 0 || *number > (std::uint64_t{1} << 50 >> shift))
        return fail(ErrorCode::invalid,
                    fmt::format("invalid size for --log-size: \"{}\", must be like 10M", text));
    return *number << shift;
}

// Whether `word` was one of the log files' options.
Result<bool> read_log_option(const std::string& word, const Attached& attached, Words& words,
                             Options& options) {
    if (word != "--log-dir" && word != "--log-size" && word != "--log-keep") return false;
    PGHERD_TRY(const std::string value, words.value(word, attached));
    if (word == "--log-dir") {
        options.log_directory = value;
    } else if (word == "--log-size") {
        PGHERD_TRY(options.log_size, read_size(value));
    } else {
        const auto number = parse_uint(value);
        if (!number || *number > kMaxLogFiles)
            return fail(ErrorCode::invalid,
                        fmt::format("invalid number of files for --log-keep: \"{}\"", value));
        options.log_keep = static_cast<unsigned>(*number);
    }
    return true;
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
        Attached attached;
        if (const std::size_t equals = word.find('=');
            word.starts_with("--") && equals != std::string::npos) {
            attached = word.substr(equals + 1);
            word.resize(equals);
        }
        PGHERD_TRY(const bool of_logs, read_log_option(word, attached, words, options));
        if (of_logs) continue;
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
