#include "store_etcd/gateway.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"

namespace pgherd::etcd {

namespace {

// etcd before 3.4 has the gateway under other names.
std::string gateway_of_version(std::string_view body) {
    const auto object = parse_json_object(body);
    const Json* server = object ? object->if_contains("etcdserver") : nullptr;
    if (!server || !server->is_string()) return {};
    const auto parts = split(std::string_view(server->get_string()), '.');
    if (parts.size() < 2 || parts[0] != "3") return "/v3";
    const auto minor = parse_int(parts[1]);
    if (minor && *minor < 3) return "/v3alpha";
    return minor && *minor == 3 ? "/v3beta" : "/v3";
}

}  // namespace

struct Gateway::Call {
    std::string path;
    std::string body;
    Repeat repeat;
    Instant deadline;
    Done<JsonObject> done;
    bool is_login = false;
    bool logged_in_again = false;
    bool probed = false;
    std::size_t tried = 0;
    Error error;  // of all attempts so far

    void note(Error next) {
        if (tried > 0) next.message = error.message + "; " + next.message;
        if (error.maybe_done()) next.certainty = Certainty::maybe_done;
        error = std::move(next);
        ++tried;
    }
};

Gateway::Gateway(EventLoop& loop, const StoreConfig& config)
    : loop_(loop),
      endpoints_(config.endpoints),
      https_(config.https),
      username_(config.username),
      password_(config.password),
      client_(loop, HttpClientOptions::for_store(config.tls, config.endpoints.size())) {}

std::string Gateway::url(std::size_t endpoint, std::string_view path) const {
    return fmt::format("{}://{}{}", https_ ? "https" : "http", to_string(endpoints_[endpoint]), path);
}

HttpHeaders Gateway::headers(bool with_token) const {
    HttpHeaders result{{"Content-Type", "application/json"}};
    if (with_token && !token_.empty()) result.emplace_back("Authorization", token_);
    return result;
}

std::string Gateway::describe() const {
    std::vector<std::string> names;
    for (const Endpoint& endpoint : endpoints_) names.push_back(to_string(endpoint));
    return "etcd at " + join(names, ", ");
}

void Gateway::call(std::string path, std::string body, Repeat repeat, Instant deadline,
                   Done<JsonObject> done) {
    auto call =
        std::make_shared<Call>(Call{std::move(path), std::move(body), repeat, deadline, std::move(done)});
    loop_.post(scope_.guard([this, call] { attempt(call); }));
}

void Gateway::attempt(CallPtr call) {
    const Instant now = loop_.clock().now();
    if (now >= call->deadline) {
        if (call->tried == 0) call->note({ErrorCode::timeout, "cannot ask etcd: the deadline has passed"});
        return call->done(std::unexpected(call->error));
    }
    if (must_log_in() && !call->is_login) return log_in(std::move(call));
    send(std::move(call));
}

void Gateway::log_in(CallPtr call) {
    auto login = std::make_shared<Call>(Call{.path = "/auth/authenticate",
                                             .body = login_message(username_, password_),
                                             .repeat = Repeat::reading,
                                             .deadline = call->deadline,
                                             .is_login = true});
    login->done = [this, call](Result<JsonObject> answer) {
        if (answer) {
            const Json* token = answer->if_contains("token");
            token_ = token && token->is_string() ? std::string(std::string_view(token->get_string()))
                                                 : std::string();
            no_authentication_ = token_.empty();
            return send(call);
        }
        if (answer.error().code == ErrorCode::conflict) {
            no_authentication_ = true;
            return send(call);
        }
        Error error = with_context(answer.error(), fmt::format("cannot log in as \"{}\"", username_));
        error.certainty = Certainty::not_done;
        call->done(std::unexpected(std::move(error)));
    };
    send(std::move(login));
}

// A harmless call does not spend the whole deadline on an endpoint that is silent while others wait.
void Gateway::send(CallPtr call) {
    const std::size_t endpoint = current_;
    const auto left =
        static_cast<std::int64_t>(endpoints_.size() - std::min(call->tried, endpoints_.size() - 1));
    const Instant now = loop_.clock().now();
    const Instant until = call->repeat != Repeat::never && !call->is_login
                              ? now + (call->deadline - now) / left
                              : call->deadline;
    auto on_answer = [this, call, endpoint](Result<HttpClientResponse> response) {
        answered(call, endpoint, std::move(response));
    };
    client_.request("POST", url(endpoint, version_ + call->path), headers(!call->is_login), call->body, until,
                    std::move(on_answer));
}

void Gateway::answered(CallPtr call, std::size_t endpoint, Result<HttpClientResponse> response) {
    if (!response) {
        Error error = std::move(response).error();
        // A certificate that is refused, for one: it was not etcd that answered.
        if (error.code != ErrorCode::timeout) error.code = ErrorCode::unavailable;
        return failed(std::move(call), endpoint, std::move(error));
    }
    if (response->status != 200) return refused(std::move(call), endpoint, *response);
    Result<JsonObject> body = parse_json_object(response->body);
    if (!body) {
        Error error =
            with_context(body.error(), "cannot understand etcd at " + to_string(endpoints_[endpoint]));
        error.code = ErrorCode::unavailable;
        error.certainty = Certainty::maybe_done;
        return failed(std::move(call), endpoint, std::move(error));
    }
    if (body->contains("error") && !body->contains("result"))
        return refused(std::move(call), endpoint, *response);
    call->done(std::move(body));
}

void Gateway::refused(CallPtr call, std::size_t endpoint, const HttpClientResponse& response) {
    const auto failure = parse_failure(response.body);
    if (!failure && response.status == 404) return probe_version(std::move(call));
    const std::string where = to_string(endpoints_[endpoint]);
    if (!failure) {
        Error error{ErrorCode::unavailable, fmt::format("etcd at {} answers {}", where, response.status),
                    Certainty::maybe_done};
        return failed(std::move(call), endpoint, std::move(error));
    }
    Verdict verdict = judge(*failure);
    if (verdict.log_in_again && !username_.empty() && !call->is_login && !call->logged_in_again) {
        call->logged_in_again = true;
        token_.clear();
        no_authentication_ = false;
        return attempt(std::move(call));
    }
    if (verdict.try_elsewhere) return failed(std::move(call), endpoint, std::move(verdict.error));
    // An earlier attempt may have done it.
    if (call->error.maybe_done()) verdict.error.certainty = Certainty::maybe_done;
    call->done(std::unexpected(std::move(verdict.error)));
}

// Nothing is served under this path: etcd may be an old one, or no etcd at all. The call was certainly not
// done.
void Gateway::probe_version(CallPtr call) {
    const std::size_t endpoint = current_;
    auto on_answer = [this, call, endpoint](Result<HttpClientResponse> response) {
        const std::string version =
            response && response->status == 200 ? gateway_of_version(response->body) : std::string();
        if (!version.empty() && version != version_ && !call->probed) {
            version_ = version;
            call->probed = true;
            return attempt(call);
        }
        failed(call, endpoint,
               {ErrorCode::unavailable,
                fmt::format("{} is no etcd with a JSON gateway", to_string(endpoints_[endpoint]))});
    };
    client_.request("GET", url(endpoint, "/version"), {}, {}, call->deadline, std::move(on_answer));
}

void Gateway::failed(CallPtr call, std::size_t endpoint, Error error) {
    const bool may_go_on = !error.maybe_done() || call->repeat != Repeat::never;
    if (call->repeat == Repeat::reading) error.certainty = Certainty::not_done;
    call->note(std::move(error));
    leave(endpoint);
    if (may_go_on && call->tried < endpoints_.size()) return attempt(std::move(call));
    call->done(std::unexpected(call->error));
}

void Gateway::leave(std::size_t endpoint) {
    if (endpoint != current_ || endpoints_.size() == 1) return;
    current_ = (current_ + 1) % endpoints_.size();
    if (on_moved) on_moved();
}

std::unique_ptr<HttpStream> Gateway::stream(const std::string& path, std::string body, Instant deadline,
                                            HttpClient::OnChunk on_chunk,
                                            std::move_only_function<void(Error)> on_end) {
    const std::size_t endpoint = current_;
    auto ended = [this, endpoint, on_end = std::move(on_end)](Result<HttpClientResponse> response) mutable {
        if (!response) return on_end(std::move(response).error());
        const auto failure = parse_failure(response->body);
        if (!failure)
            return on_end({ErrorCode::unavailable,
                           fmt::format("etcd at {} ended the stream", to_string(endpoints_[endpoint]))});
        const Verdict verdict = judge(*failure);
        if (verdict.log_in_again) token_.clear();
        on_end(verdict.error);
    };
    HttpHeaders all = headers(true);
    // Without it, a member that has lost the others keeps the stream open and silent.
    all.emplace_back("Grpc-Metadata-hasleader", "true");
    return client_.stream("POST", url(endpoint, version_ + path), std::move(all), std::move(body), deadline,
                          std::move(on_chunk), std::move(ended));
}

}  // namespace pgherd::etcd
