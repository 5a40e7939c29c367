#include "supervisor/api_exec.h"

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/text.h"
#include "supervise/go_text.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"
#include "supervisor/exec_sessions.h"
#include "supervisor/json_body.h"

namespace pgherd::supervisor {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What a request asks for, with what its service context lends.
struct Asked {
    std::vector<std::string> command;
    std::string context;
    supervise::StringMap environment;
    supervise::UserGroup owner;
    std::string working_dir;
    std::string timeout;
    bool terminal = false;
    bool interactive = false;
    bool split_stderr = false;
    int width = 0;
    int height = 0;
};

struct Refusal {
    int status = 400;
    std::string message;
};
template <class T>
using OrRefusal = std::expected<T, Refusal>;

std::unexpected<Refusal> refuse(std::string message, int status = 400) {
    return std::unexpected(Refusal{status, std::move(message)});
}

OrRefusal<Asked> read_request(std::string_view text) {
    Result<JsonBody> body = JsonBody::parse(text);
    if (!body) return refuse("cannot decode request body: " + body.error().message);
    Asked asked{
        .command = body->texts("command"),
        .context = body->text("service-context"),
        .environment = body->text_map("environment"),
        .owner = {body->number("user-id"), body->text("user"), body->number("group-id"), body->text("group")},
        .working_dir = body->text("working-dir"),
        .timeout = body->text("timeout"),
        .terminal = body->flag("terminal"),
        .interactive = body->flag("interactive"),
        .split_stderr = body->flag("split-stderr"),
        .width = body->number("width").value_or(0),
        .height = body->number("height").value_or(0)};
    if (const Status status = body->status(); !status)
        return refuse("cannot decode request body: " + status.error().message);
    if (asked.command.empty()) return refuse("must specify command");
    if (asked.interactive && !asked.terminal) return refuse("cannot use interactive mode without a terminal");
    for (const auto& [name, value] : asked.environment)
        if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos ||
            value.find('\0') != std::string::npos)
            return refuse(fmt::format("invalid environment variable {}", supervise::go_quote(name)));
    for (const std::string& word : asked.command)
        if (word.find('\0') != std::string::npos) return refuse("invalid command: it has a NUL byte");
    return asked;
}

Status borrow_context(Daemon& daemon, Asked& asked) {
    if (asked.context.empty()) return {};
    const auto& services = daemon.plan().services;
    const auto found = services.find(asked.context);
    if (found == services.end())
        return fail(ErrorCode::invalid,
                    fmt::format("context service {} not found", supervise::go_quote(asked.context)));
    const supervise::Service& service = found->second;
    supervise::StringMap environment = supervise::effective_environment(daemon.plan(), service);
    for (const auto& [name, value] : asked.environment) environment[name] = value;
    asked.environment = std::move(environment);
    const supervise::UserGroup lent = supervise::effective_owner(daemon.plan(), service);
    if (!asked.owner.user_id) asked.owner.user_id = lent.user_id;
    if (asked.owner.user.empty()) asked.owner.user = lent.user;
    if (!asked.owner.group_id) asked.owner.group_id = lent.group_id;
    if (asked.owner.group.empty()) asked.owner.group = lent.group;
    if (asked.working_dir.empty()) asked.working_dir = service.working_dir;
    return {};
}

ProcessEnvironment complete_environment(const Daemon& daemon, const Asked& asked,
                                        const std::optional<ProcessUser>& user) {
    ProcessEnvironment environment = daemon.own_environment();
    const bool other_user = user && user->uid != own_user().uid;
    if (other_user) {
        environment.erase("HOME");
        environment.erase("USER");
    }
    for (const auto& [name, value] : asked.environment) environment[name] = value;
    const auto set_default = [&](const std::string& name, std::string_view value) {
        if (std::string& current = environment[name]; current.empty()) current = value;
        if (environment[name].empty()) environment.erase(name);
    };
    set_default("PATH", kDefaultPath);
    if (const auto entry = find_user(user ? user->uid : own_user().uid)) {
        set_default("HOME", entry->home);
        set_default("USER", entry->name);
    }
    set_default("LANG", "C.UTF-8");
    return environment;
}

OrRefusal<std::string> choose_directory(const Asked& asked, const ProcessEnvironment& environment) {
    const auto exists = [](const std::string& path) {
        struct stat there{};
        return ::stat(path.c_str(), &there) == 0;
    };
    if (!asked.working_dir.empty()) {
        if (exists(asked.working_dir)) return asked.working_dir;
        return refuse(fmt::format("cannot call exec: working directory {} does not exist",
                                  supervise::go_quote(asked.working_dir)),
                      500);
    }
    const auto home = environment.find("HOME");
    if (home == environment.end()) return "/";
    if (exists(home->second)) return home->second;
    return refuse(
        fmt::format("cannot call exec: home directory {} does not exist", supervise::go_quote(home->second)),
        500);
}

OrRefusal<ExecOrder> make_order(Daemon& daemon, Asked& asked) {
    ExecOrder order{.terminal = asked.terminal,
                    .interactive = asked.interactive,
                    .split_stderr = asked.split_stderr,
                    .width = asked.width,
                    .height = asked.height};
    const ProcessEnvironment& own = daemon.own_environment();
    const auto path = own.find("PATH");
    if (!find_executable(asked.command.front(), path == own.end() ? std::string_view() : path->second))
        return refuse("cannot find executable " + supervise::go_quote(asked.command.front()));
    if (!asked.timeout.empty()) {
        const Result<Duration> timeout = supervise::parse_go_duration(asked.timeout);
        if (!timeout) return refuse("invalid timeout: " + timeout.error().message);
        if (*timeout > Duration{}) order.timeout = *timeout;
    }
    if (const Status borrowed = borrow_context(daemon, asked); !borrowed)
        return refuse(borrowed.error().message);
    const auto user =
        resolve_user(asked.owner.user_id, asked.owner.user, asked.owner.group_id, asked.owner.group);
    if (!user) return refuse(user.error().message);
    order.spawn.command = asked.command;
    order.spawn.user = *user;
    order.spawn.environment = complete_environment(daemon, asked, *user);
    OrRefusal<std::string> directory = choose_directory(asked, order.spawn.environment);
    if (!directory) return std::unexpected(directory.error());
    order.spawn.working_dir = std::move(*directory);
    return order;
}

// The answer names what the client gave and what its service lends, not what only the supervisor knows.
Json described(const Asked& asked, const ExecOrder& order) {
    JsonObject environment;
    for (const auto& [name, value] : asked.environment) environment[name] = value;
    return JsonObject{{"environment", std::move(environment)},
                      {"task-id", order.id},
                      {"working-dir", order.spawn.working_dir}};
}

HttpResponse start_exec(Daemon& daemon, ApiRequest& request) {
    OrRefusal<Asked> asked = read_request(request.body);
    if (!asked) return error_answer(asked.error().status, asked.error().message);
    OrRefusal<ExecOrder> order = make_order(daemon, *asked);
    if (!order) return error_answer(order.error().status, order.error().message);
    const std::string summary = "Execute command " + supervise::go_quote(asked->command.front());
    supervise::NewChange change{.kind = "exec", .summary = summary};
    change.tasks.push_back({.kind = "exec", .summary = summary});
    const supervise::ChangeId id = daemon.add_change(std::move(change));
    const supervise::TaskId task = daemon.changes().find(id)->tasks.front();
    order->id = std::to_string(task);
    const Json result = described(*asked, *order);
    daemon.execs().start(task, std::move(*order));
    return async_answer(id, result);
}

std::optional<ExecSocket> socket_kind(std::string_view name) {
    if (name == "control") return ExecSocket::control;
    if (name == "stdio") return ExecSocket::stdio;
    if (name == "stderr") return ExecSocket::stderr_only;
    return std::nullopt;
}

asio::awaitable<void> connect_socket(Daemon& daemon, std::shared_ptr<ServerExchange> exchange,
                                     PathParameters parameters) {
    const auto id = parse_uint(parameters[0]);
    const auto session = id ? daemon.execs().find(*id) : nullptr;
    const auto kind = socket_kind(parameters[1]);
    if (!session) {
        co_await exchange->answer(
            error_answer(404, fmt::format("cannot find task {}", supervise::go_quote(parameters[0]))));
    } else if (!kind || !session->offers(*kind)) {
        co_await exchange->answer(
            error_answer(404, fmt::format("cannot find {} websocket for task {}", parameters[1],
                                          supervise::go_quote(parameters[0]))));
    } else if (!session->reserve(*kind)) {
        co_await exchange->answer(error_answer(500, parameters[1] + " websocket already connected"));
    } else {
        Result<std::unique_ptr<WebSocket>> socket = co_await exchange->upgrade();
        session->attach(*kind, socket ? std::move(*socket) : nullptr);
        if (!socket) co_await exchange->answer(error_answer(400, "websocket: not a websocket handshake"));
    }
}

}  // namespace

std::vector<Route> exec_routes() {
    return {{"POST", "/v1/exec", Need::admin, &start_exec},
            {"GET", "/v1/tasks/{id}/websocket/{kind}", Need::admin, &connect_socket}};
}

}  // namespace pgherd::supervisor
