// Which of the actions is meant, and those that need no streaming; api_files_stream.cc has the others.
#include "supervisor/api_files.h"

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "supervise/go_text.h"
#include "supervisor/api_files_stream.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"
#include "supervisor/file_pattern.h"
#include "supervisor/file_work.h"

namespace pgherd::supervisor {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxJsonBody = 4 * 1024 * 1024;

int status_of(const FileError& error) {
    switch (error.kind) {
        case FileError::Kind::not_found: return 404;
        case FileError::Kind::permission_denied: return 403;
        default: return 400;
    }
}

Json to_json(const FileInfo& info) {
    JsonObject object{{"path", info.path}, {"name", info.name}, {"type", info.type}};
    if (info.size) object["size"] = *info.size;
    object["permissions"] = fmt::format("{:03o}", info.permissions);
    object["last-modified"] = supervise::rfc3339(info.modified);
    object["user-id"] = info.user_id;
    object["user"] = info.user;
    object["group-id"] = info.group_id;
    object["group"] = info.group;
    return object;
}

asio::awaitable<HttpResponse> list(Daemon& daemon, const HttpRequest& request) {
    const std::string path = request.parameter("path").value_or("");
    const std::string pattern = request.parameter("pattern").value_or("");
    const std::string itself = request.parameter("itself").value_or("");
    if (path.empty()) co_return error_answer(400, "must specify path");
    if (!path.starts_with('/'))
        co_return error_answer(400, "path must be absolute, got " + supervise::go_quote(path));
    if (!itself.empty() && itself != "true" && itself != "false")
        co_return error_answer(400, "itself parameter must be \"true\" or \"false\"");
    if (!valid_pattern(pattern)) co_return error_answer(400, "syntax error in pattern", "generic-file-error");
    const auto found =
        co_await daemon.files().run([=] { return list_files(path, pattern, itself == "true"); });
    if (!found)
        co_return error_answer(status_of(found.error()), found.error().message, found.error().kind_name());
    boost::json::array entries;
    for (const FileInfo& info : *found) entries.push_back(to_json(info));
    co_return sync_answer(entries);
}

}  // namespace

FileOwner read_owner(JsonBody& body) {
    return {body.number("user-id"), body.text("user"), body.number("group-id"), body.text("group")};
}

namespace {

asio::awaitable<HttpResponse> make_directories(Daemon& daemon, JsonBody body) {
    std::vector<DirectoryOrder> orders;
    for (JsonBody& one : body.objects("dirs")) {
        orders.push_back(
            {one.text("path"), one.flag("make-parents"), one.text("permissions"), read_owner(one)});
        if (const Status status = one.status(); !status)
            co_return error_answer(400, "cannot decode request body: " + status.error().message);
    }
    if (orders.empty()) co_return error_answer(400, "must specify one or more directories");
    boost::json::array results;
    for (const DirectoryOrder& order : orders) {
        const FileStatus made = co_await daemon.files().run([order] { return make_directory(order); });
        results.push_back(file_result(order.path, made));
    }
    co_return sync_answer(results);
}

asio::awaitable<HttpResponse> remove_paths(Daemon& daemon, JsonBody body) {
    std::vector<std::pair<std::string, bool>> orders;
    for (JsonBody& one : body.objects("paths")) {
        orders.emplace_back(one.text("path"), one.flag("recursive"));
        if (const Status status = one.status(); !status)
            co_return error_answer(400, "cannot decode request body: " + status.error().message);
    }
    if (orders.empty()) co_return error_answer(400, "must specify one or more paths");
    boost::json::array results;
    for (const auto& order : orders) {
        const FileStatus removed =
            co_await daemon.files().run([order] { return remove_path(order.first, order.second); });
        results.push_back(file_result(order.first, removed));
    }
    co_return sync_answer(results);
}

asio::awaitable<HttpResponse> change_by_json(Daemon& daemon, std::string_view text) {
    Result<JsonBody> body = JsonBody::parse(text);
    if (!body) co_return error_answer(400, "cannot decode request body: " + body.error().message);
    const std::string action = body->text("action");
    if (const Status status = body->status(); !status)
        co_return error_answer(400, "cannot decode request body: " + status.error().message);
    if (action == "make-dirs") co_return co_await make_directories(daemon, std::move(*body));
    if (action == "remove") co_return co_await remove_paths(daemon, std::move(*body));
    if (action == "write") co_return error_answer(400, "must use multipart with \"write\" action");
    co_return error_answer(400, "invalid action " + supervise::go_quote(action));
}

asio::awaitable<void> get_files(Daemon& daemon, std::shared_ptr<ServerExchange> exchange, PathParameters) {
    const std::string action = exchange->request().parameter("action").value_or("");
    if (action == "read") {
        co_await read_files(daemon, *exchange);
    } else if (action == "list") {
        HttpResponse response = co_await list(daemon, exchange->request());
        co_await exchange->answer(std::move(response));
    } else {
        co_await exchange->answer(error_answer(400, "invalid action " + supervise::go_quote(action)));
    }
}

asio::awaitable<void> post_files(Daemon& daemon, std::shared_ptr<ServerExchange> exchange, PathParameters) {
    const auto& headers = exchange->request().headers;
    const auto found = headers.find("content-type");
    const std::string content_type = found == headers.end() ? std::string() : found->second;
    const std::string_view media = trim(std::string_view(content_type).substr(0, content_type.find(';')));
    if (iequals(media, "multipart/form-data")) {
        HttpResponse response = co_await write_files(daemon, *exchange, content_type);
        co_await exchange->answer(std::move(response));
    } else if (iequals(media, "application/json")) {
        const Result<std::string> body = co_await exchange->read_all(kMaxJsonBody);
        if (!body) co_return;
        HttpResponse response = co_await change_by_json(daemon, *body);
        co_await exchange->answer(std::move(response));
    } else {
        co_await exchange->answer(
            error_answer(400, "invalid media type " + supervise::go_quote(std::string(media))));
    }
}

}  // namespace

std::vector<Route> files_routes() {
    return {{"GET", "/v1/files", Need::admin, &get_files}, {"POST", "/v1/files", Need::admin, &post_files}};
}

}  // namespace pgherd::supervisor
