#include "pebble_client/files.h"

#include <memory>
#include <optional>

#include <fmt/format.h>

#include "codec/json.h"
#include "http/multipart.h"

namespace pgherd::pebble {
namespace {

std::string new_boundary(EventLoop& loop) {
    return fmt::format("{:016x}{:016x}", loop.random().next(), loop.random().next());
}

}  // namespace

Status path_result(const Json& result) {
    if (!result.is_array()) return fail("cannot understand the answer: the result is no list");
    for (const Json& item : result.get_array()) {
        if (!item.is_object()) continue;
        const JsonObject& error = object_of(item.get_object(), "error");
        if (error.empty()) continue;
        const std::string kind = text_of(error, "kind");
        return fail(kind == "not-found"           ? ErrorCode::not_found
                    : kind == "permission-denied" ? ErrorCode::denied
                                                  : ErrorCode::failed,
                    text_of(error, "message"));
    }
    return {};
}

Status push_file(Client& client, JsonObject file, HttpBodySource content) {
    const std::string boundary = new_boundary(client.loop());
    const std::string path = text_of(file, "path");
    const Json request{{"action", "write"}, {"files", {std::move(file)}}};
    std::string head = multipart_part(boundary, {"request", "", "application/json"}, true) +
                       to_text(request) +
                       multipart_part(boundary, {"files", path, "application/octet-stream"}, false);
    std::optional<Error> unread;  // what is wrong here is not the server's fault
    enum class Next { head, content, tail, nothing };
    const auto source = [&, next = Next::head]() mutable -> Result<std::string> {
        switch (next) {
            case Next::head: next = Next::content; return std::move(head);
            case Next::content: {
                Result<std::string> piece = content();
                if (!piece) unread = piece.error();
                if (!piece || !piece->empty()) return piece;
                [[fallthrough]];
            }
            case Next::tail: next = Next::nothing; return multipart_end(boundary, false);
            case Next::nothing: break;
        }
        return std::string();
    };
    const Result<Answer> answer = client.upload(
        "/v1/files", {{"Content-Type", fmt::format("multipart/form-data; boundary=\"{}\"", boundary)}},
        source);
    if (unread) return std::unexpected(*unread);
    if (!answer) return std::unexpected(answer.error());
    return path_result(answer->result);
}

namespace {

// Takes the answer apart as it comes: one file, and the result at the end.
class PulledFile {
  public:
    PulledFile(std::function<Status()> begin, std::function<Status(std::string_view)> content)
        : begin_(std::move(begin)), content_(std::move(content)) {}

    Status head(const HttpClientResponse& head) {
        const auto type = head.headers.find("content-type");
        PGHERD_TRY(const std::string boundary,
                   multipart_boundary(type == head.headers.end() ? "" : type->second));
        reader_.emplace(boundary);
        return {};
    }

    Status feed(std::string_view bytes) {
        if (!reader_) return {};
        reader_->feed(bytes);
        for (;;) {
            PGHERD_TRY(const MultipartReader::Event event, reader_->next());
            switch (event) {
                case MultipartReader::Event::need_more: return {};
                case MultipartReader::Event::part_begin:
                    in_result_ = reader_->head().name == "response";
                    if (!in_result_) PGHERD_CHECK(begin_());
                    break;
                case MultipartReader::Event::data:
                    if (in_result_)
                        result_ += reader_->data();
                    else
                        PGHERD_CHECK(content_(reader_->data()));
                    break;
                case MultipartReader::Event::part_end: break;
                case MultipartReader::Event::end: complete_ = true; return {};
            }
        }
    }

    Status result() const {
        if (!complete_) return fail("cannot read the file: the answer ended too early");
        PGHERD_TRY(const Answer answer, read_answer({200, {}, result_}));
        return path_result(answer.result);
    }

  private:
    std::function<Status()> begin_;
    std::function<Status(std::string_view)> content_;
    std::optional<MultipartReader> reader_;
    std::string result_;
    bool in_result_ = false;
    bool complete_ = false;
};

}  // namespace

Status pull_file(Client& client, const std::string& path, std::function<Status()> begin,
                 std::function<Status(std::string_view)> content) {
    PulledFile file(std::move(begin), std::move(content));
    Status taken;
    const auto take = [&](Status status) {
        if (status) return;
        taken = std::move(status);
        client.interrupt();
    };
    const Status streamed = client.stream(
        "/v1/files", {{"action", "read"}, {"path", path}}, {{"Accept", "multipart/form-data"}},
        [&](std::string_view bytes) {
            if (taken) take(file.feed(bytes));
        },
        [&](const HttpClientResponse& head) {
            if (head.status / 100 == 2) take(file.head(head));
        });
    if (!taken) {
        client.forget_interrupt();
        return taken;
    }
    PGHERD_CHECK(streamed);
    return file.result();
}

}  // namespace pgherd::pebble
