#include "supervisor/probe.h"

#include <csignal>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "base/scope.h"
#include "base/text.h"
#include "eventloop/spawn.h"
#include "http/client.h"
#include "http/resolve.h"
#include "http/url.h"
#include "process/pipe.h"
#include "supervise/command.h"
#include "supervise/go_text.h"
#include "supervisor/daemon.h"

namespace pgherd::supervisor {

namespace asio = boost::asio;
using namespace supervise;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kLines = 5;  // of a body or an output, told in the error
constexpr std::size_t kKeptOutput = 4096;
constexpr int kMaxRedirects = 10;
// The probe's own deadline comes first and has the better text.
constexpr auto kLater = std::chrono::milliseconds(200);

std::string timed_out(const Check& check) {
    return fmt::format("check timed out after {}", go_duration(check.effective_timeout()));
}

// "; <the first or last lines>", blank ones left out.
std::string excerpt(std::string_view text, bool last) {
    std::vector<std::string> lines;
    for (const std::string& line : split(text, '\n'))
        if (!trim(line).empty()) lines.emplace_back(trim(line));
    if (lines.empty()) return {};
    if (lines.size() > kLines) {
        if (last)
            lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kLines));
        else
            lines.resize(kLines);
    }
    return "; " + join(lines, "\n");
}

class HttpProbe final : public Probe {
  public:
    HttpProbe(Daemon& daemon, HttpClient& http, const Check& check, ProbeDone done)
        : daemon_(daemon), http_(http), check_(check), done_(std::move(done)) {
        for (const auto& [name, value] : check_.http->headers) headers_.emplace_back(name, value);
        timer_ = daemon_.clock().call_at(daemon_.clock().now() + check_.effective_timeout(),
                                         [this] { finish(timed_out(check_)); });
        get(check_.http->url, 0);
    }

  private:
    void get(const std::string& url, int redirects) {
        http_.request("GET", url, headers_, "", daemon_.clock().now() + check_.effective_timeout() + kLater,
                      scope_.guard([this, url, redirects](Result<HttpClientResponse> response) {
                          answered(url, redirects, std::move(response));
                      }));
    }
    void answered(const std::string& url, int redirects, Result<HttpClientResponse> response) {
        if (!response) return finish(response.error().message);
        if (response->status >= 200 && response->status < 300) return finish(std::nullopt);
        const auto location = response->headers.find("location");
        const bool redirect = response->status >= 301 && response->status <= 308 && response->status != 304 &&
                              response->status != 305 && response->status != 306;
        if (redirect && location != response->headers.end()) {
            if (redirects == kMaxRedirects) return finish("stopped after 10 redirects");
            return get(absolute(url, location->second), redirects + 1);
        }
        finish(fmt::format("non-2xx status code {}{}", response->status, excerpt(response->body, false)));
    }
    static std::string absolute(const std::string& base, const std::string& location) {
        if (location.find("://") != std::string::npos) return location;
        const std::size_t host = base.find("://");
        const std::size_t path = host == std::string::npos ? std::string::npos : base.find('/', host + 3);
        const std::string origin = base.substr(0, path);
        if (location.starts_with("//")) return base.substr(0, host + 1) + location;
        if (location.starts_with('/') || path == std::string::npos)
            return origin + (location.starts_with('/') ? "" : "/") + location;
        return base.substr(0, base.substr(0, base.find_first_of("?#")).rfind('/') + 1) + location;
    }
    void finish(std::optional<std::string> error) {
        timer_.reset();
        if (const ProbeDone done = std::exchange(done_, {})) done(std::move(error));
    }

    Daemon& daemon_;
    HttpClient& http_;
    Check check_;
    ProbeDone done_;
    HttpHeaders headers_;
    Timer timer_;
    Scope scope_;
};

class TcpProbe final : public Probe {
  public:
    TcpProbe(Daemon& daemon, const Check& check, ProbeDone done) : state_(std::make_shared<State>(daemon)) {
        state_->done = std::move(done);
        const std::string host = check.tcp->host.empty() ? "localhost" : check.tcp->host;
        const Instant deadline = daemon.clock().now() + check.effective_timeout();
        state_->timer = daemon.clock().call_at(
            deadline, [state = state_.get(), text = timed_out(check)] { state->finish(text); });
        spawn(daemon.loop(),
              connect(state_, daemon, host, static_cast<std::uint16_t>(check.tcp->port), deadline));
    }
    ~TcpProbe() override {
        state_->done = {};
        state_->end();
    }

  private:
    struct State {
        explicit State(Daemon& daemon) : socket(daemon.loop().context()) {}
        void end() {
            timer.reset();
            boost::system::error_code ignored;
            socket.close(ignored);
        }
        void finish(std::optional<std::string> error) {
            const ProbeDone told = std::exchange(done, {});
            end();
            if (told) told(std::move(error));
        }
        asio::ip::tcp::socket socket;
        Timer timer;
        ProbeDone done;
    };
    static asio::awaitable<void> connect(std::shared_ptr<State> state, Daemon& daemon, std::string host,
                                         std::uint16_t port, Instant deadline) {
        const auto addresses = co_await resolve(daemon.loop(), host, port, deadline);
        if (!state->done) co_return;
        if (!addresses)
            co_return state->finish(fmt::format("dial tcp: lookup {}: {}", host, addresses.error().message));
        std::string error = fmt::format("dial tcp: lookup {}: no such host", host);
        for (const auto& address : *addresses) {
            const auto [code] = co_await state->socket.async_connect(address, kNoThrow);
            if (!state->done) co_return;
            if (!code) co_return state->finish(std::nullopt);
            error = fmt::format("dial tcp {}: connect: {}",
                                to_string(Endpoint{address.address().to_string(), port}),
                                to_lower(code.message()));
            boost::system::error_code ignored;
            state->socket.close(ignored);
        }
        state->finish(error);
    }
    std::shared_ptr<State> state_;
};

class ExecProbe final : public Probe {
  public:
    ExecProbe(Daemon& daemon, const Check& check, ProbeDone done)
        : daemon_(daemon), state_(std::make_shared<State>(daemon)), done_(std::move(done)) {
        timer_ = daemon_.clock().call_at(daemon_.clock().now() + check.effective_timeout(), [this, check] {
            kill();
            finish(timed_out(check));
        });
        if (const Status started = start(check); !started)
            daemon_.clock().post(scope_.guard([this, why = started.error().message] { finish(why); }));
    }
    ~ExecProbe() override {
        kill();
        boost::system::error_code ignored;
        state_->output.close(ignored);
    }

  private:
    struct State {
        explicit State(Daemon& daemon) : output(daemon.loop().context()) {}
        asio::posix::stream_descriptor output;
        std::string kept;
    };

    Status start(const Check& check) {
        const ExecCheck& exec = *check.exec;
        PGHERD_TRY(SpawnOptions options, spawn_options(exec));
        PGHERD_TRY(Pipe pipe, make_pipe(OurEnd::reads));
        options.standard_output = options.standard_error = pipe.childs.get();
        PGHERD_TRY(pid_,
                   daemon_.processes().spawn(options, scope_.guard([this](int code) { exited(code); })));
        state_->output.assign(pipe.ours.release());
        spawn(daemon_.loop(), read(state_));
        return {};
    }

    Result<SpawnOptions> spawn_options(const ExecCheck& exec) const {
        SpawnOptions options;
        PGHERD_TRY(options.command, split_command(exec.command));
        UserGroup owner = exec.owner;
        options.working_dir = exec.working_dir;
        options.environment = daemon_.own_environment();
        if (const auto context = daemon_.plan().services.find(exec.service_context);
            context != daemon_.plan().services.end()) {
            const UserGroup inherited = effective_owner(daemon_.plan(), context->second);
            options.environment = daemon_.environment_of(context->second);
            if (!owner.user_id && owner.user.empty())
                owner.user_id = inherited.user_id, owner.user = inherited.user;
            if (!owner.group_id && owner.group.empty())
                owner.group_id = inherited.group_id, owner.group = inherited.group;
            if (options.working_dir.empty()) options.working_dir = context->second.working_dir;
        }
        for (const auto& [name, value] : exec.environment) options.environment.insert_or_assign(name, value);
        PGHERD_TRY(options.user, resolve_user(owner.user_id, owner.user, owner.group_id, owner.group));
        return options;
    }

    static asio::awaitable<void> read(std::shared_ptr<State> state) {
        std::string piece(1024, '\0');
        while (true) {
            const auto [error, count] = co_await state->output.async_read_some(asio::buffer(piece), kNoThrow);
            if (error) co_return;
            state->kept.append(piece, 0, count);
            if (state->kept.size() > kKeptOutput) state->kept.erase(0, state->kept.size() - kKeptOutput);
        }
    }

    void exited(int code) {
        pid_ = 0;
        if (code == 0) return finish(std::nullopt);
        // What it wrote last may still be in the pipe.
        char rest[kKeptOutput];
        boost::system::error_code error;
        state_->output.non_blocking(true, error);
        const std::size_t count = error ? 0 : state_->output.read_some(asio::buffer(rest), error);
        if (!error) state_->kept.append(rest, count);
        finish(fmt::format("exit status {}{}", code, excerpt(state_->kept, true)));
    }
    void kill() {
        if (pid_ == 0) return;
        static_cast<void>(daemon_.processes().signal_group(pid_, SIGKILL));
        daemon_.processes().forget(std::exchange(pid_, 0));
    }
    void finish(std::optional<std::string> error) {
        timer_.reset();
        if (const ProbeDone done = std::exchange(done_, {})) done(std::move(error));
    }

    Daemon& daemon_;
    std::shared_ptr<State> state_;
    ProbeDone done_;
    int pid_ = 0;
    Timer timer_;
    Scope scope_;
};

}  // namespace

std::unique_ptr<Probe> start_probe(Daemon& daemon, HttpClient& http, const Check& check, ProbeDone done) {
    if (check.http) return std::make_unique<HttpProbe>(daemon, http, check, std::move(done));
    if (check.tcp) return std::make_unique<TcpProbe>(daemon, check, std::move(done));
    return std::make_unique<ExecProbe>(daemon, check, std::move(done));
}

}  // namespace pgherd::supervisor
