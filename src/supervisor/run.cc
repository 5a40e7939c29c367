#include "supervisor/run.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include "base/start_code.h"
#include "eventloop/log.h"
#include "eventloop/loop.h"
#include "eventloop/signals.h"
#include "supervisor/api_server.h"
#include "supervisor/daemon.h"
#include "supervisor/enter.h"
#include "supervisor/layer_directory.h"
#include "supervisor/log_hub.h"
#include "supervisor/log_sink.h"
#include "supervisor/notify.h"
#include "supervisor/options.h"

namespace pgherd::supervisor {
namespace {

constexpr auto kSettled = std::chrono::seconds(3);
constexpr std::string_view kUsage =
    "usage: pgherd supervisor run [OPTIONS]\n"
    "       pgherd supervisor enter [OPTIONS] [COMMAND…]\n\n"
    "Runs services as layers describe them, in the foreground, and serves Pebble's API on a unix socket.\n\n"
    "  --create-dirs       make the directory $PEBBLE and its layers directory when missing\n"
    "  --hold              start nothing by itself\n"
    "  --http ADDRESS      serve health and metrics also on TCP, such as \":4000\"\n"
    "  --verbose, -v       copy the services' output to standard output\n"
    "  --log-dir DIR       keep the services' output also in DIR/SERVICE.log\n"
    "  --log-size SIZE     a log file is rotated at this size (10M)\n"
    "  --log-keep COUNT    so many rotated files of a service are kept (5)\n"
    "  --args SVC WORD… ;  replace the default arguments of a service; may be repeated\n"
    "  --identities FILE   who may use the API, as YAML\n"
    "  --run               (enter) start the default services before the command\n\n"
    "$PEBBLE is the directory (/var/lib/pebble/default), $PEBBLE_SOCKET the socket (.pebble.socket in "
    "it).\n\n"
    "examples:\n"
    "  PEBBLE=/srv/demo pgherd supervisor run --create-dirs   then: pgherd supervisor add, start, services, "
    "logs\n"
    "  pgherd supervisor run --log-dir /var/log/services      the output also in files\n"
    "  pgherd supervisor enter exec -- id                     one command beside a supervisor of its own\n\n"
    "exit codes: 0 ended in order, 10 a service's or 11 a check's `shutdown`, 1 it could not run; of enter, "
    "the\n"
    "command's.\n";

// One thread does all the work: more than one heap only costs memory, and what is freed goes back early.
void keep_heap_small() {
    ::mallopt(M_ARENA_MAX, 1);
    ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

class NoLog final : public Log {
  public:
    void write(const LogEvent&) override {}
};

// Commands that only look are not to be mixed with what the supervisor says.
bool is_quiet(const Options& options) {
    return options.enter && !options.inner.empty() && options.inner[0] != "start" &&
           options.inner[0] != "stop" && options.inner[0] != "run";
}

Status make_log_directory(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (!error && ::access(path.c_str(), W_OK | X_OK) != 0) error.assign(errno, std::generic_category());
    if (error) return fail(fmt::format("cannot keep log files in {}: {}", path, error.message()));
    return {};
}

Result<int> run(Options options) {
    PGHERD_CHECK(prepare_directory(options.directory, options.create_directories, options.copy_once));
    EventLoop loop;
    LogWriter writer("supervisor");
    NoLog silence;
    Log& log = is_quiet(options) ? static_cast<Log&>(silence) : writer;
    const bool enter = options.enter && !options.inner.empty();
    if (enter && !options.enter_run) options.hold = true;
    Daemon daemon(loop, std::move(options), log);
    int exit_code = 0;
    daemon.on_end([&](int code) {
        exit_code = code;
        loop.stop();
    });
    // What comes while it starts waits for the loop; PID 1 would never hear of it otherwise.
    const Signals signals(loop, {SIGTERM, SIGINT, SIGQUIT, SIGHUP}, [&](int number) {
        notify_manager("STOPPING=1");
        daemon.shut_down(0, fmt::format("received signal {}", number));
    });
    // First the socket: of two supervisors in one directory only one may touch the state.
    PGHERD_TRY(const std::unique_ptr<ApiServer> server, ApiServer::listen(daemon));
    PGHERD_CHECK(daemon.prepare());
    if (const Options& set = daemon.options(); !set.log_directory.empty()) {
        PGHERD_CHECK(make_log_directory(set.log_directory));
        daemon.logs().add_output(std::make_shared<RotatedLogFiles>(
            loop, LogFileOptions{set.log_directory, set.log_size, set.log_keep}, log));
    }
    daemon.start();
    std::unique_ptr<Enter> inner;
    if (enter) inner = std::make_unique<Enter>(daemon);
    const Watchdog watchdog(loop.clock());
    notify_manager("READY=1");
    // Once more when the first services and checks have begun.
    drop_start_code();
    const Timer later = loop.clock().call_at(loop.clock().now() + kSettled, drop_start_code);
    log.info("started", fmt::format("Started, listening on {}", daemon.options().socket));
    loop.run();
    notify_manager("STOPPING=1");
    return inner && inner->exit_code() ? *inner->exit_code() : exit_code;
}

}  // namespace

int supervisor_main(const std::vector<std::string>& words, std::string_view version) {
    keep_heap_small();
    Result<Called> called = parse_options(words);
    if (!called) {
        fmt::print(stderr, "error: {}\n", called.error().message);
        return 1;
    }
    if (called->help) {
        fmt::print("{}", kUsage);
        return 0;
    }
    called->options.version = fmt::format("v{}", version);
    const Result<int> code = run(std::move(called->options));
    if (code) return *code;
    fmt::print(stderr, "error: cannot run daemon: {}\n", code.error().message);
    return 1;
}

}  // namespace pgherd::supervisor
