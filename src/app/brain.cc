// The brain: the agent with real ports around it. Started by the guard, and started again when it dies.
//
// Before it begins it makes sure that it can work at all: the store answers and no other member of its name
// is alive. When it finds PostgreSQL running (its predecessor crashed) it begins at once, whatever the store
// does.
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "agent/agent.h"
#include "app/app.h"
#include "base/start_code.h"
#include "codec/agent_config.h"
#include "codec/peer.h"
#include "codec/records.h"
#include "eventloop/file_events.h"
#include "eventloop/log.h"
#include "eventloop/loop.h"
#include "eventloop/signals.h"
#include "guard/client.h"
#include "http/client.h"
#include "http/peer_client.h"
#include "http/server.h"
#include "postgres/local_postgres.h"
#include "store_etcd/store_etcd.h"
#include "store_kube/store_kube.h"
#include "store_sqlite/store_sqlite.h"

namespace pgherd::app {
namespace {

using namespace std::chrono_literals;

constexpr Duration kStorePatience = 10s;      // at the start of a member that does not run yet
constexpr Duration kPasswordsSettle = 100ms;  // a Secret's files change together

std::vector<std::pair<std::string, std::string>> passwords_in_files(const AgentConfig& config) {
    std::vector<std::pair<std::string, std::string>> found;
    auto add = [&](const auto& user) {
        if (!user.password_file.empty()) found.emplace_back(user.password_file, user.password);
    };
    add(config.postgres.superuser);
    add(config.postgres.replication);
    add(config.postgres.rewind);
    add(config.restapi);
    add(config.ctl);
    return found;
}

Result<std::unique_ptr<Store>> open_store(EventLoop& loop, const AgentConfig& config) {
    switch (config.store.kind) {
        case StoreKind::sqlite: return open_sqlite_store(loop, config.store.path);
        case StoreKind::etcd: return open_etcd_store(loop, config.store, config.key_prefix());
        case StoreKind::kubernetes:
            return open_kube_store(loop, config.store.kubernetes, config.scope, config.name);
    }
    return fail(ErrorCode::invalid, "no store is configured");
}

class Brain {
  public:
    Brain(AgentConfig config, std::string path, LogLevel level)
        : config_(std::move(config)),
          path_(std::move(path)),
          log_(config_.name.text(), level, config_.log.json ? LogFormat::json : LogFormat::plain),
          peers_(loop_, config_.ctl) {}

    int run();

  private:
    Status prepare();
    bool postgres_runs();
    Status check_store();
    Status check_name(const Snapshot& snapshot);
    bool our_name_answers(const std::string& url);
    void watch_password_files();
    void look_at_passwords();
    void on_signal(int number);
    void reload();
    void end(int code);

    AgentConfig config_;
    std::string path_;
    EventLoop loop_;
    LogWriter log_;
    HttpPeers peers_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<postgres::LocalPostgres> postgres_;
    std::unique_ptr<agent::Agent> agent_;
    std::unique_ptr<HttpServer> server_;
    std::unique_ptr<Signals> signals_;
    std::vector<std::unique_ptr<FileEvents>> password_events_;
    Timer password_timer_;
    int exit_code_ = 0;
};

int Brain::run() {
    if (auto prepared = prepare(); !prepared) {
        fmt::print(stderr, "pgherd agent: {}\n", prepared.error().message);
        return 1;
    }
    agent_->start();
    postgres_->ready();
    watch_password_files();
    const Timer started = loop_.clock().call_at(loop_.clock().now() + 3s, drop_start_code);
    loop_.run();
    // The server first: its handlers call the agent.
    server_.reset();
    agent_.reset();
    return exit_code_;
}

Status Brain::prepare() {
    PGHERD_TRY(store_, open_store(loop_, config_));
    PGHERD_TRY(auto guard, guard::Client::from_environment());
    PGHERD_TRY(postgres_, postgres::LocalPostgres::create(loop_, config_, std::move(guard), log_));
    if (!postgres_runs()) PGHERD_CHECK(check_store());
    agent_ = std::make_unique<agent::Agent>(
        config_, agent::Ports{loop_.clock(), loop_.random(), *store_, *postgres_, peers_, log_},
        [this](std::string why) {
            log_.error("agent-gives-up", why);
            fmt::print(stderr, "pgherd agent: {}\n", why);
            end(1);
        });
    agent_->on_reload([this] { reload(); });
    HttpServerOptions options{.listen = config_.restapi.listen,
                              .tls = config_.restapi.tls,
                              .verify_client = config_.restapi.verify_client};
    auto handler = [this](HttpRequest request, std::move_only_function<void(HttpResponse)> reply) {
        agent_->handle(std::move(request), std::move(reply));
    };
    PGHERD_TRY(server_, HttpServer::listen(loop_, std::move(options), handler));
    signals_ = std::make_unique<Signals>(loop_, std::vector{SIGTERM, SIGINT, SIGHUP},
                                         [this](int number) { on_signal(number); });
    return {};
}

bool Brain::postgres_runs() {
    std::optional<bool> running;
    postgres_->observe(loop_.clock().now() + 2s, [&](Result<PostgresState> state) {
        running = state && state->postmaster != Postmaster::stopped;
    });
    loop_.run_until([&] { return running.has_value(); }, 3s);
    return running.value_or(false);
}

Status Brain::check_store() {
    std::optional<Result<SnapshotPtr>> answer;
    store_->load(loop_.clock().now() + kStorePatience,
                 [&](Result<SnapshotPtr> result) { answer = std::move(result); });
    loop_.run_until([&] { return answer.has_value(); }, kStorePatience + 1s);
    if (!answer)
        return fail(ErrorCode::timeout,
                    "cannot read the state of the cluster: " + store_->describe() + " does not answer");
    if (!*answer)
        return std::unexpected(with_context(
            answer->error(), fmt::format("cannot read the state of cluster \"{}\"", config_.scope)));
    return check_name(***answer);
}

// Two agents of one name would take the lock from each other.
Status Brain::check_name(const Snapshot& snapshot) {
    auto record = snapshot.records.find("members/" + config_.name.text());
    if (record == snapshot.records.end()) return {};
    auto member = parse_member(config_.name, record->second.value);
    if (!member || member->api_url.empty()) return {};
    if (!our_name_answers(member->api_url)) return {};
    return fail(
        ErrorCode::conflict,
        fmt::format("a member named \"{}\" is running already and answers at {}; give this one another name",
                    config_.name.text(), member->api_url));
}

// Addresses are given out again: the one that an earlier agent of our name had may be another member's by
// now.
bool Brain::our_name_answers(const std::string& url) {
    HttpClientOptions options;
    options.tls = config_.ctl.tls;
    options.tls.verify = config_.ctl.tls.verify && !config_.ctl.insecure;
    HttpClient client(loop_, options);
    std::optional<bool> ours;
    client.request("GET", url, {}, {}, loop_.clock().now() + 2s, [&](Result<HttpClientResponse> answer) {
        const auto status = answer ? parse_peer_status(answer->body) : std::unexpected(answer.error());
        ours = status && PeerIdentity{config_.name, config_.scope, {}}.may_be(status->from);
    });
    loop_.run_until([&] { return ours.has_value(); }, 3s);
    return ours.value_or(false);
}

// A mounted Secret changes by a link in its directory that is replaced.
void Brain::watch_password_files() {
    std::set<std::string> directories;
    for (const auto& [file, password] : passwords_in_files(config_))
        directories.insert(std::filesystem::path(file).parent_path().string());
    for (const std::string& directory : directories)
        password_events_.push_back(std::make_unique<FileEvents>(
            loop_, directory.empty() ? "." : directory, Watched::entries, [this] {
                password_timer_ = loop_.clock().call_at(loop_.clock().now() + kPasswordsSettle,
                                                        [this] { look_at_passwords(); });
            }));
}

void Brain::look_at_passwords() {
    auto config = load_agent_config(path_, current_environment());
    if (!config) return log_.error("passwords", "the old passwords stay: " + config.error().message);
    if (passwords_in_files(*config) != passwords_in_files(config_)) reload();
}

void Brain::on_signal(int number) {
    if (number == SIGHUP) return reload();
    agent_->shutdown([this] { end(0); });
}

void Brain::reload() {
    auto config = load_agent_config(path_, current_environment());
    if (!config) {
        log_.error("reload-refused", "the old configuration stays: " + config.error().message);
        return;
    }
    if (auto tls = server_->reload_tls(config->restapi.tls, config->restapi.verify_client); !tls)
        log_.error("reload-refused", "the old certificates stay: " + tls.error().message);
    log_.info("reload", "read " + config->source + " again");
    config_ = *config;
    peers_.use_credentials(config->ctl);
    postgres_->reconfigure(*config);
    agent_->reload(std::move(*config));
}

void Brain::end(int code) {
    exit_code_ = code;
    loop_.stop();
}

}  // namespace

int brain_main(const std::vector<std::string>& args) {
    std::string path = args.empty() ? "" : args.front();
    auto config = load_agent_config(path, current_environment());
    if (!config) {
        fmt::print(stderr, "pgherd agent: {}\n", config.error().message);
        return 1;
    }
    auto level = parse_log_level(config->log.level);
    return Brain(std::move(*config), path, level.value_or(LogLevel::info)).run();
}

}  // namespace pgherd::app
