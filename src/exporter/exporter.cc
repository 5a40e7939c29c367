#include "exporter/exporter.h"

#include <csignal>
#include <memory>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <libpq-fe.h>

#include "base/text.h"
#include "eventloop/log.h"
#include "eventloop/loop.h"
#include "eventloop/signals.h"
#include "exporter/metrics.h"
#include "http/server.h"
#include "model/agent_config.h"
#include "postgres/async.h"
#include "postgres/connection.h"

namespace pgherd::exporter {
namespace {

using namespace std::chrono_literals;
using postgres::Async;
using postgres::Connection;
using postgres::ConnectionParameters;

constexpr Duration kPatience = 5s;  // with all questions of a visit
constexpr std::uint16_t kPort = 9127;
constexpr const char* kFooter =
    "What the connection string leaves open is port=6432 user=pgbouncer dbname=pgbouncer, on the socket: as "
    "the user that\n"
    "PgBouncer runs as, no password is needed there. Others must be in PgBouncer's stats_users or "
    "admin_users.\n"
    "\nexamples:\n"
    "  pgherd exporter\n"
    "  PGBOUNCER_EXPORTER_CONNECTION_STRING='host=127.0.0.1 user=stats password=secret' pgherd exporter\n"
    "  pgherd exporter --web.listen-address 127.0.0.1:9127\n"
    "\nexit codes: 0 ended by a signal, 1 the address cannot be listened on, 2 wrong usage.\n";

// A connection for each visit: nothing is left over when PgBouncer is replaced. Visits at the same time share
// one.
class Exporter {
  public:
    Exporter(EventLoop& loop, ConnectionParameters parameters, Log& log)
        : parameters_(std::move(parameters)), log_(log), tasks_(loop.context()) {}
    ~Exporter() { tasks_.close(); }
    Exporter(const Exporter&) = delete;
    Exporter& operator=(const Exporter&) = delete;

    void answer(const HttpRequest& request, std::move_only_function<void(HttpResponse)> done) {
        if (request.path != "/metrics")
            return done(
                {request.path == "/" ? 200 : 404, "PgBouncer's metrics are at /metrics\n", "text/plain", {}});
        if (request.method != "GET" && request.method != "HEAD")
            return done({405, "only GET\n", "text/plain", {{"Allow", "GET, HEAD"}}});
        visitors_.push_back(std::move(done));
        if (visitors_.size() == 1) tasks_.spawn(visit());
    }

  private:
    boost::asio::awaitable<void> visit() {
        const auto answers = co_await ask(postgres::after(kPatience));
        say(answers ? "" : answers.error().message);
        const std::string text = answers ? metrics_text(*answers) : down_text();
        for (auto& done : std::exchange(visitors_, {}))
            done({200, text, "text/plain; version=0.0.4; charset=utf-8", {}});
    }

    Async<Answers> ask(Instant deadline) {
        PGHERD_CO_TRY(const auto connection, co_await Connection::open(parameters_, deadline));
        Answers answers;
        for (const std::string& question : kQuestions) {
            auto table = co_await connection->query("SHOW " + question, deadline);
            if (!table) co_return std::unexpected(with_context(std::move(table).error(), "SHOW " + question));
            answers.emplace(question, std::move(*table));
        }
        co_return answers;
    }

    void say(const std::string& trouble) {
        if (trouble == trouble_) return;
        trouble_ = trouble;
        if (trouble.empty())
            log_.info("pgbouncer", "PgBouncer answers again");
        else
            log_.warning("pgbouncer", trouble);
    }

    ConnectionParameters parameters_;
    Log& log_;
    std::vector<std::move_only_function<void(HttpResponse)>> visitors_;
    std::string trouble_;
    postgres::Tasks tasks_;
};

Result<ConnectionParameters> read_connection(const std::string& text) {
    ConnectionParameters parameters{{"port", "6432"}, {"user", "pgbouncer"}, {"dbname", "pgbouncer"}};
    if (text.empty()) return parameters;
    char* why = nullptr;
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
        PQconninfoParse(text.c_str(), &why), PQconninfoFree);
    const std::unique_ptr<char, void (*)(void*)> message(why, PQfreemem);
    if (!options)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot read the connection string: {}", why ? trim(why) : "out of memory"));
    for (const auto* option = options.get(); option->keyword; ++option)
        if (option->val) parameters[option->keyword] = option->val;
    return parameters;
}

int complain(const Error& error, int code) {
    fmt::print(stderr, "pgherd exporter: {}\n", error.message);
    return code;
}

int serve(Endpoint address, ConnectionParameters parameters) {
    EventLoop loop;
    LogWriter log("exporter");
    const Signals signals(loop, {SIGTERM, SIGINT}, [&](int) { loop.stop(); });
    Exporter exporter(loop, std::move(parameters), log);
    const auto server = HttpServer::listen(
        loop, {.listen = std::move(address)},
        HttpHandler([&](HttpRequest request, std::move_only_function<void(HttpResponse)> done) {
            exporter.answer(request, std::move(done));
        }));
    if (!server) return complain(server.error(), 1);
    log.info("listening", fmt::format("metrics are at port {}", (*server)->port()));
    loop.run();
    return 0;
}

}  // namespace

int exporter_main(const std::vector<std::string>& args) {
    CLI::App cli("Serves PgBouncer's statistics to Prometheus, at /metrics.", "pgherd exporter");
    cli.footer(kFooter);
    std::string connection, listen = fmt::format(":{}", kPort);
    cli.add_option("--pgBouncer.connectionString", connection,
                   "how to reach PgBouncer, as libpq takes it; a password belongs into the variable")
        ->envname("PGBOUNCER_EXPORTER_CONNECTION_STRING");
    cli.add_option("--web.listen-address", listen, "where to serve")->capture_default_str();
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    try {
        cli.parse(reversed);
    } catch (const CLI::ParseError& error) {
        return cli.exit(error) == 0 ? 0 : 2;
    }
    auto parameters = read_connection(connection);
    if (!parameters) return complain(parameters.error(), 2);
    auto address = parse_endpoint(listen.starts_with(':') ? "*" + listen : listen, kPort);
    if (!address) return complain(with_context(address.error(), "--web.listen-address"), 2);
    return serve(std::move(*address), std::move(*parameters));
}

}  // namespace pgherd::exporter
