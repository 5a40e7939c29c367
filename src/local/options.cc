#include "local/options.h"

#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::local {

const char* const kUpHelp =
    "usage: pgherd up [OPTIONS]\n"
    "\n"
    "Starts a PostgreSQL cluster on this machine and shows it; Ctrl-C stops it. The next `pgherd up` finds "
    "the data.\n"
    "\n"
    "  --members N         number of members, 1 to 9 (default 3)\n"
    "  --dir DIR           where everything is kept (default $PGHERD_DIR or ~/.pgherd/default, for root "
    "/var/lib/pgherd/default)\n"
    "  --port P[,P…]       PostgreSQL's first port, or one for each member (default: from 5432 on, the next "
    "free ones)\n"
    "  --rest-port P[,P…]  the same for the REST API (default: from 8008 on)\n"
    "  --postgres-bin DIR  PostgreSQL's programs (default: the newest below /usr/lib/postgresql)\n"
    "  --detach            return when the cluster is healthy and leave it running; `pgherd down` stops it\n"
    "  --timeout SECONDS   how long it may take to become healthy (default 60)\n"
    "\n"
    "exit codes: 0 stopped in order, or (--detach) healthy; 1 it could not be started; 2 wrong usage\n";

const char* const kDownHelp =
    "usage: pgherd down [OPTIONS]\n"
    "\n"
    "Stops a cluster that `pgherd up` has started. The data stays.\n"
    "\n"
    "  --dir DIR   as given to `up`\n"
    "  --purge     remove the directory with all data afterwards\n"
    "\n"
    "exit codes: 0 nothing runs any more; 1 it could not be stopped or removed; 2 wrong usage\n";

namespace {

constexpr int kMostMembers = 9;

// Walks over "--name value", "--name=value" and "--flag".
class Arguments {
  public:
    explicit Arguments(std::span<const std::string> args) : args_(args) {}

    bool next() {
        if (at_ == args_.size()) return false;
        std::string_view word = args_[at_++];
        auto equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
        name_ = word.substr(0, equals);
        attached_.reset();
        if (equals != std::string_view::npos) attached_ = word.substr(equals + 1);
        return true;
    }
    const std::string& name() const { return name_; }
    Result<std::string> value() {
        // An empty one is a variable that is not set: `down --purge --dir "$X"` must not find the default.
        std::string given;
        if (attached_)
            given = *std::exchange(attached_, std::nullopt);
        else if (at_ < args_.size())
            given = args_[at_++];
        if (given.empty()) return fail(ErrorCode::invalid, name_ + " needs a value");
        return given;
    }
    Error unknown() const {
        return {ErrorCode::invalid, fmt::format("there is no option \"{}\"", name_), {}};
    }
    bool has_unused_value() const { return attached_.has_value(); }

  private:
    std::span<const std::string> args_;
    std::size_t at_ = 0;
    std::string name_;
    std::optional<std::string> attached_;
};

Result<std::vector<std::uint16_t>> parse_ports(const std::string& option, const std::string& text) {
    std::vector<std::uint16_t> ports;
    for (const std::string& part : split(text, ',')) {
        auto port = parse_int(trim(part));
        if (!port || *port < 1 || *port > 65535)
            return fail(ErrorCode::invalid,
                        fmt::format("{}: \"{}\" is no port (expected 1 to 65535)", option, part));
        for (std::uint16_t other : ports)
            if (other == *port)
                return fail(ErrorCode::invalid, fmt::format("{}: port {} is named twice", option, other));
        ports.push_back(std::uint16_t(*port));
    }
    return ports;
}

Status read_up_option(Arguments& arguments, UpOptions& options) {
    const std::string name = arguments.name();
    if (name == "--help" || name == "-h") {
        options.help = true;
    } else if (name == "--detach" || name == "-d") {
        options.detach = true;
    } else if (name == "--dir") {
        PGHERD_TRY(options.dir, arguments.value());
    } else if (name == "--postgres-bin") {
        PGHERD_TRY(options.postgres_bin, arguments.value());
    } else if (name == "--members") {
        PGHERD_TRY(std::string text, arguments.value());
        auto number = parse_int(text);
        if (!number || *number < 1 || *number > kMostMembers)
            return fail(ErrorCode::invalid,
                        fmt::format("--members: \"{}\" is not between 1 and {}", text, kMostMembers));
        options.members = int(*number);
    } else if (name == "--port" || name == "--rest-port") {
        PGHERD_TRY(std::string text, arguments.value());
        PGHERD_TRY((name == "--port" ? options.ports : options.rest_ports), parse_ports(name, text));
    } else if (name == "--timeout") {
        PGHERD_TRY(std::string text, arguments.value());
        auto timeout = parse_duration(text);
        if (!timeout || *timeout <= Duration::zero())
            return fail(ErrorCode::invalid, fmt::format("--timeout: \"{}\" is no number of seconds", text));
        options.timeout = *timeout;
    } else {
        return std::unexpected(arguments.unknown());
    }
    return {};
}

}  // namespace

Result<UpOptions> parse_up(std::span<const std::string> args) {
    UpOptions options;
    for (Arguments arguments(args); arguments.next();) {
        PGHERD_CHECK(read_up_option(arguments, options));
        if (arguments.has_unused_value())
            return fail(ErrorCode::invalid, arguments.name() + " takes no value");
    }
    return options;
}

Result<DownOptions> parse_down(std::span<const std::string> args) {
    DownOptions options;
    for (Arguments arguments(args); arguments.next();) {
        const std::string name = arguments.name();
        if (name == "--help" || name == "-h") {
            options.help = true;
        } else if (name == "--purge") {
            options.purge = true;
        } else if (name == "--dir") {
            PGHERD_TRY(options.dir, arguments.value());
        } else {
            return std::unexpected(arguments.unknown());
        }
        if (arguments.has_unused_value()) return fail(ErrorCode::invalid, name + " takes no value");
    }
    return options;
}

std::string default_dir() {
    auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value ? value : "");
    };
    if (auto dir = variable("PGHERD_DIR"); !dir.empty()) return dir;
    if (::geteuid() == 0) return "/var/lib/pgherd/default";
    auto home = variable("HOME");
    return (home.empty() ? "." : home) + "/.pgherd/default";
}

}  // namespace pgherd::local
