#include "supervisor/api_files_stream.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "http/multipart.h"
#include "supervise/go_text.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"
#include "supervisor/file_work.h"

namespace pgherd::supervisor {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kBlock = 256 * 1024;
constexpr std::size_t kMaxRequestPart = 4 * 1024 * 1024;

std::string make_boundary(Random& random) {
    std::string boundary;
    for (int i = 0; i < 4; ++i) boundary += fmt::format("{:016x}", random.next());
    return boundary;
}

// A block of a file, on the worker.
FileResult<std::string> read_block(int file, const std::string& path, std::string buffer) {
    buffer.resize(kBlock);
    const ssize_t got = ::read(file, buffer.data(), buffer.size());
    if (got < 0) {
        if (errno == EAGAIN) return std::string();  // a pipe with nothing in it
        return std::unexpected(
            FileError{FileError::Kind::generic,
                      fmt::format("read {}: {}", path, to_lower(std::generic_category().message(errno)))});
    }
    buffer.resize(static_cast<std::size_t>(got));
    return buffer;
}

// Gives false when the client has gone. What goes wrong with the file is told in `status`.
asio::awaitable<bool> send_file(Daemon& daemon, ServerExchange& exchange, const std::string& path,
                                std::string_view boundary, bool& first, FileStatus& status) {
    auto file = co_await daemon.files().run([path] { return open_for_reading(path); });
    if (!file) {
        status = std::unexpected(file.error());
        co_return true;
    }
    const std::string head = multipart_part(boundary, {"files", path, "application/octet-stream"}, first);
    first = false;
    if (!co_await exchange.write(head)) co_return false;
    std::string buffer;
    while (true) {
        auto block = co_await daemon.files().run(
            [number = file->get(), &path, &buffer] { return read_block(number, path, std::move(buffer)); });
        if (!block) {
            status = std::unexpected(block.error());
            co_return true;
        }
        if (block->empty()) co_return true;
        if (!co_await exchange.write(*block)) co_return false;
        buffer = std::move(*block);
    }
}

}  // namespace

Json file_result(const std::string& path, const FileStatus& status) {
    JsonObject result{{"path", path}};
    if (!status)
        result["error"] =
            JsonObject{{"kind", status.error().kind_name()}, {"message", status.error().message}};
    return result;
}

asio::awaitable<void> read_files(Daemon& daemon, ServerExchange& exchange) {
    const auto& request = exchange.request();
    const auto accept = request.headers.find("accept");
    if (accept == request.headers.end() || !accept->second.starts_with("multipart/form-data")) {
        co_await exchange.answer(error_answer(400, "must accept multipart/form-data"));
        co_return;
    }
    std::vector<std::string> paths;
    for (const auto& [key, value] : request.query)
        if (key == "path") paths.push_back(value);
    if (paths.empty()) {
        co_await exchange.answer(error_answer(400, "must specify one or more paths"));
        co_return;
    }
    const std::string boundary = make_boundary(daemon.loop().random());
    if (!co_await exchange.begin({200, {}, "multipart/form-data; boundary=" + boundary, {}})) co_return;
    bool first = true;
    boost::json::array results;
    for (const std::string& path : paths) {
        FileStatus status;
        if (!co_await send_file(daemon, exchange, path, boundary, first, status)) co_return;
        results.push_back(file_result(path, status));
    }
    std::string end = multipart_part(boundary, {"response", {}, "application/json"}, first);
    end += sync_answer(results).body;
    end += multipart_end(boundary, false);
    if (co_await exchange.write(end)) co_await exchange.finish();
}

namespace {

// The bytes of a multipart body, as they come from the client.
class BodyParts {
  public:
    BodyParts(ServerExchange& exchange, std::string_view boundary) : exchange_(exchange), reader_(boundary) {}

    asio::awaitable<Result<MultipartReader::Event>> next() {
        while (true) {
            Result<MultipartReader::Event> event = reader_.next();
            if (!event || *event != MultipartReader::Event::need_more) co_return event;
            const Result<std::string_view> piece = co_await exchange_.read();
            if (!piece) co_return std::unexpected(piece.error());
            if (piece->empty()) co_return fail(ErrorCode::invalid, "the multipart body ends too early");
            reader_.feed(*piece);
        }
    }
    const MultipartReader& reader() const { return reader_; }

  private:
    ServerExchange& exchange_;
    MultipartReader reader_;
};

struct WriteRequest {
    std::vector<WriteOrder> orders;
    std::map<std::string, FileStatus> results;

    const WriteOrder* find(const std::string& path) const {
        const auto found = std::ranges::find(orders, path, &WriteOrder::path);
        return found == orders.end() ? nullptr : &*found;
    }
};

// The first part, which says what the others are.
asio::awaitable<Result<WriteRequest>> read_request_part(BodyParts& parts) {
    auto event = co_await parts.next();
    if (!event) co_return std::unexpected(event.error());
    if (*event != MultipartReader::Event::part_begin || parts.reader().head().name != "request")
        co_return fail(ErrorCode::invalid, "metadata field name must be \"request\"");
    std::string text;
    while ((event = co_await parts.next()) && *event == MultipartReader::Event::data) {
        text += parts.reader().data();
        if (text.size() > kMaxRequestPart)
            co_return fail(ErrorCode::invalid, "the request part is too large");
    }
    if (!event) co_return std::unexpected(event.error());
    Result<JsonBody> body = JsonBody::parse(text);
    if (!body) co_return fail(ErrorCode::invalid, "cannot decode request metadata: " + body.error().message);
    if (const std::string action = body->text("action"); action != "write")
        co_return fail(ErrorCode::invalid,
                       "multipart action must be \"write\", got " + supervise::go_quote(action));
    WriteRequest request;
    for (JsonBody& one : body->objects("files")) {
        request.orders.push_back(
            {one.text("path"), one.flag("make-dirs"), one.text("permissions"), read_owner(one)});
        if (const Status status = one.status(); !status)
            co_return fail(ErrorCode::invalid, "cannot decode request metadata: " + status.error().message);
    }
    if (const Status status = body->status(); !status)
        co_return fail(ErrorCode::invalid, "cannot decode request metadata: " + status.error().message);
    if (request.orders.empty()) co_return fail(ErrorCode::invalid, "must specify one or more files");
    co_return request;
}

// Takes one file's content; what goes wrong with the file leaves the rest of the body readable.
asio::awaitable<Result<FileStatus>> write_part(Daemon& daemon, BodyParts& parts, const WriteOrder& order) {
    FileWork& work = daemon.files();
    auto file = co_await work.run([order] { return FileReplacement::open(order); });
    FileStatus status;
    if (!file) status = std::unexpected(file.error());
    std::string block;
    while (true) {
        const auto event = co_await parts.next();
        if (!event) co_return std::unexpected(event.error());
        const bool ended = *event != MultipartReader::Event::data;
        if (!ended && status) block += parts.reader().data();
        if (status && (ended || block.size() >= kBlock))
            status = co_await work.run([&file, &block] { return file->write(block); });
        if (block.size() >= kBlock || ended) block.clear();
        if (ended) break;
    }
    if (status) status = co_await work.run([&file] { return file->commit(); });
    co_return status;
}

asio::awaitable<Status> write_parts(Daemon& daemon, BodyParts& parts, WriteRequest& request) {
    while (true) {
        const auto event = co_await parts.next();
        if (!event) co_return std::unexpected(event.error());
        if (*event == MultipartReader::Event::end) co_return Status{};
        const MultipartHead head = parts.reader().head();
        if (head.name != "files")
            co_return fail(ErrorCode::invalid, fmt::format("field name must be \"files\", got {}",
                                                           supervise::go_quote(head.name)));
        const WriteOrder* order = request.find(head.filename);
        if (order == nullptr)
            co_return fail(ErrorCode::invalid,
                           fmt::format("no metadata for path {}", supervise::go_quote(head.filename)));
        Result<FileStatus> written = co_await write_part(daemon, parts, *order);
        if (!written) co_return std::unexpected(written.error());
        request.results[head.filename] = std::move(*written);
    }
}

}  // namespace

asio::awaitable<HttpResponse> write_files(Daemon& daemon, ServerExchange& exchange,
                                          const std::string& content_type) {
    const Result<std::string> boundary = multipart_boundary(content_type);
    if (!boundary) co_return error_answer(400, boundary.error().message);
    if (boundary->size() < 32)
        co_return error_answer(
            400, fmt::format("request boundary must be 32 characters or more, got {}", boundary->size()));
    BodyParts parts(exchange, *boundary);
    Result<WriteRequest> request = co_await read_request_part(parts);
    if (!request) co_return error_answer(400, request.error().message);
    if (const Status written = co_await write_parts(daemon, parts, *request); !written)
        co_return error_answer(400, written.error().message);
    boost::json::array results;
    for (const WriteOrder& order : request->orders) {
        const auto found = request->results.find(order.path);
        if (found == request->results.end()) {
            const FileStatus missing = std::unexpected(FileError{
                FileError::Kind::generic, "no file content for path " + supervise::go_quote(order.path)});
            results.push_back(file_result(order.path, missing));
        } else {
            results.push_back(file_result(order.path, found->second));
        }
    }
    co_return sync_answer(results);
}

}  // namespace pgherd::supervisor
