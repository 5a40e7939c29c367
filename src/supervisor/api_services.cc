// /v1/services and /v1/signals.
#include <algorithm>
#include <array>
#include <csignal>

#include <fmt/format.h>

#include "base/text.h"
#include "supervise/go_text.h"
#include "supervisor/api.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"
#include "supervisor/json_body.h"
#include "supervisor/service_requests.h"
#include "supervisor/services.h"

namespace pgherd::supervisor {

using namespace supervise;

namespace {

void append_service(std::string& text, const Services& services, const std::string& name,
                    const Service& service) {
    text += text.size() > 1 ? ",{\"name\":" : "{\"name\":";
    append_go_string(text, name);
    text +=
        service.enabled() ? R"(,"startup":"enabled","current":")" : R"(,"startup":"disabled","current":")";
    const Services::Entry* entry = services.find(name);
    text += entry ? entry->current : "inactive";
    text += '"';
    if (entry && entry->since) {
        text += ",\"current-since\":\"";
        text += rfc3339(*entry->since);
        text += '"';
    }
    text += '}';
}

std::string listed(const Daemon& daemon, const Services& services, const std::vector<std::string>& names) {
    std::string text = "[";
    for (const auto& [name, service] : daemon.plan().services)
        if (names.empty() || std::ranges::find(names, name) != names.end())
            append_service(text, services, name, service);
    return text += ']';
}

HttpResponse list(Daemon& daemon, ApiRequest& request) {
    if (!request.http.query.empty())
        return sync_answer_text(listed(daemon, daemon.services(), list_parameter(request.http, "names")));
    // Asked every few seconds by those who watch, and it seldom changes.
    if (daemon.services_answer.empty())
        daemon.services_answer = sync_answer_text(listed(daemon, daemon.services(), {})).body;
    HttpResponse response;
    response.body = daemon.services_answer;
    return response;
}

Result<ChangeId> act(Daemon& daemon, const std::string& action, const std::vector<std::string>& names) {
    const auto invalid = [](std::string text) { return fail(ErrorCode::invalid, std::move(text)); };
    if (action == "autostart" || action == "replan") {
        if (!names.empty()) return invalid(action + " accepts no service names");
        return action == "replan" ? request_replan(daemon) : request_autostart(daemon);
    }
    if (action != "start" && action != "stop" && action != "restart")
        return invalid(fmt::format("invalid action {}", go_quote(action)));
    if (names.empty()) return invalid(fmt::format("must specify services for {} action", action));
    if (action == "start") return request_start(daemon, names);
    return action == "stop" ? request_stop(daemon, names) : request_restart(daemon, names);
}

HttpResponse post_services(Daemon& daemon, ApiRequest& request) {
    auto body = JsonBody::parse(request.body);
    if (!body) return bad_body(body.error(), true);
    const std::string action = body->text("action");
    const std::vector<std::string> names = body->texts("services");
    if (const Status read = body->status(); !read) return bad_body(read.error(), true);
    if (daemon.stopping()) return error_answer(503, "the supervisor is stopping", "daemon-restart");
    const auto change = act(daemon, action, names);
    if (change) return async_answer(*change);
    return error_answer(400, change.error().message,
                        change.error().code == ErrorCode::not_found ? "no-default-services" : "");
}

HttpResponse one_service(Daemon&, ApiRequest&) {
    return error_answer(400, "not implemented");
}

// --- signals
// ---------------------------------------------------------------------------------------------------

struct SignalName {
    std::string_view name;
    int number;
};
constexpr std::array kSignals{
    SignalName{"SIGABRT", SIGABRT}, SignalName{"SIGALRM", SIGALRM},     SignalName{"SIGBUS", SIGBUS},
    SignalName{"SIGCHLD", SIGCHLD}, SignalName{"SIGCONT", SIGCONT},     SignalName{"SIGFPE", SIGFPE},
    SignalName{"SIGHUP", SIGHUP},   SignalName{"SIGILL", SIGILL},       SignalName{"SIGINT", SIGINT},
    SignalName{"SIGIO", SIGIO},     SignalName{"SIGIOT", SIGIOT},       SignalName{"SIGKILL", SIGKILL},
    SignalName{"SIGPIPE", SIGPIPE}, SignalName{"SIGPOLL", SIGPOLL},     SignalName{"SIGPROF", SIGPROF},
    SignalName{"SIGPWR", SIGPWR},   SignalName{"SIGQUIT", SIGQUIT},     SignalName{"SIGSEGV", SIGSEGV},
    SignalName{"SIGSTOP", SIGSTOP}, SignalName{"SIGSYS", SIGSYS},       SignalName{"SIGTERM", SIGTERM},
    SignalName{"SIGTRAP", SIGTRAP}, SignalName{"SIGTSTP", SIGTSTP},     SignalName{"SIGTTIN", SIGTTIN},
    SignalName{"SIGTTOU", SIGTTOU}, SignalName{"SIGURG", SIGURG},       SignalName{"SIGUSR1", SIGUSR1},
    SignalName{"SIGUSR2", SIGUSR2}, SignalName{"SIGVTALRM", SIGVTALRM}, SignalName{"SIGWINCH", SIGWINCH},
    SignalName{"SIGXCPU", SIGXCPU}, SignalName{"SIGXFSZ", SIGXFSZ}};

Status send_signal(Daemon& daemon, const std::string& service, const std::string& signal) {
    if (!daemon.services().running(service)) return fail(ErrorCode::not_found, "service is not running");
    for (const SignalName& known : kSignals)
        if (known.name == signal) return daemon.services().signal(service, known.number);
    return fail(ErrorCode::invalid, fmt::format("invalid signal name {}", go_quote(signal)));
}

HttpResponse post_signals(Daemon& daemon, ApiRequest& request) {
    auto body = JsonBody::parse(request.body);
    if (!body) return bad_body(body.error());
    const std::string signal = body->text("signal");
    const std::vector<std::string> names = body->texts("services");
    if (const Status read = body->status(); !read) return bad_body(read.error());
    if (names.empty()) return error_answer(400, "must specify one or more services");
    std::vector<std::string> failures;
    for (const std::string& name : names)
        if (const Status sent = send_signal(daemon, name, signal); !sent)
            failures.push_back(
                fmt::format("cannot send signal to {}: {}", go_quote(name), sent.error().message));
    return failures.empty() ? sync_answer(true) : error_answer(500, join(failures, "; "));
}

}  // namespace

std::vector<Route> service_routes() {
    return {{"GET", "/v1/services", Need::user, list},
            {"POST", "/v1/services", Need::admin, post_services},
            {"GET", "/v1/services/{name}", Need::user, one_service},
            {"POST", "/v1/services/{name}", Need::admin, one_service},
            {"POST", "/v1/signals", Need::admin, post_signals}};
}

}  // namespace pgherd::supervisor
