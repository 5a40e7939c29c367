#include "pebble_client/exec.h"

#include <array>
#include <cerrno>
#include <deque>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/json.h"
#include "eventloop/spawn.h"
#include "http/web_socket.h"

namespace pgherd::pebble {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kEnd = R"({"command":"end"})";
constexpr std::size_t kPiece = 64 * 1024;
constexpr Duration kConnect = std::chrono::seconds(5);

bool says_end(std::string_view text) {
    const auto json = parse_json_object(text);
    return json && text_of(*json, "command") == "end";
}

// A regular file is always ready, and epoll refuses to wait for it.
bool can_be_waited_for(int descriptor) {
    struct stat status{};
    return ::fstat(descriptor, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

}  // namespace

// Shared by the coroutines that move the data; they end when `over` is set and their socket is aborted.
struct Exec::Session {
    Client& client;
    ExecRequest request;
    std::string task;
    std::unique_ptr<WebSocket> control, stdio, error;
    std::deque<std::string> commands;  // for the control socket
    bool sending_command = false;
    bool connected = false;
    bool over = false;
    int open_outputs = 0;
    std::optional<Error> failure;
    std::optional<asio::posix::stream_descriptor> input;

    Session(Client& with, ExecRequest what) : client(with), request(std::move(what)) {}

    // The descriptor is the caller's.
    void forget_input() {
        if (input) input->release();
        input.reset();
    }

    void end() {
        over = true;
        forget_input();
        for (WebSocket* socket : {control.get(), stdio.get(), error.get()})
            if (socket) socket->abort();
    }

    asio::awaitable<Result<std::unique_ptr<WebSocket>>> open(std::string_view name) {
        auto answer = co_await open_web_socket(
            client.loop(), client.socket(),
            fmt::format("http://localhost/v1/tasks/{}/websocket/{}", task, name),
            {{"Origin", "http://localhost"}}, client.loop().clock().now() + kConnect);
        if (!answer)
            co_return std::unexpected(
                with_context(answer.error(), fmt::format("cannot connect to {}", name)));
        if (answer->socket) co_return std::move(answer->socket);
        const auto refused = read_answer(answer->refusal);
        co_return fail(refused ? "the server refused a websocket" : refused.error().message);
    }

    asio::awaitable<void> connect(std::shared_ptr<Session> self) {
        const std::array<std::pair<std::string_view, std::unique_ptr<WebSocket>*>, 3> wanted{
            {{"control", &control}, {"stdio", &stdio}, {"stderr", &error}}};
        for (const auto& [name, place] : wanted) {
            if (place == &error && !request.separate_error) continue;
            auto socket = co_await open(name);
            if (!socket) {
                failure = socket.error();
                co_return;
            }
            *place = std::move(*socket);
        }
        open_outputs = error ? 2 : 1;
        connected = true;
        spawn(send_input(self));
        spawn(receive(self, *stdio, OutputStream::standard_output));
        if (error) spawn(receive(self, *error, OutputStream::standard_error));
        send_commands(self);
    }

    void spawn(asio::awaitable<void> work) { pgherd::spawn(client.loop(), std::move(work)); }

    asio::awaitable<void> receive(std::shared_ptr<Session> self, WebSocket& socket, OutputStream stream) {
        while (!over) {
            const auto message = co_await socket.read();
            if (!message || (message->text && says_end(message->data))) break;
            if (!message->text) request.output(stream, message->data);
        }
        --self->open_outputs;
    }

    asio::awaitable<void> send_input(std::shared_ptr<Session> self) {
        std::string buffer(kPiece, '\0');
        const int descriptor = self->request.input;
        if (descriptor >= 0 && can_be_waited_for(descriptor))
            input.emplace(client.loop().context(), descriptor);
        while (!over && descriptor >= 0) {
            if (input) {
                boost::system::error_code failed;
                co_await input->async_wait(asio::posix::descriptor_base::wait_read,
                                           asio::redirect_error(asio::use_awaitable, failed));
                if (failed == asio::error::operation_aborted) co_return;
                if (failed) forget_input();  // /dev/null, for instance: always ready
            }
            const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
            if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (got <= 0) break;
            if (!co_await stdio->write_binary(std::string_view(buffer.data(), static_cast<std::size_t>(got))))
                co_return;
        }
        if (!over) co_await stdio->write_text(kEnd);
    }

    void send_commands(const std::shared_ptr<Session>& self) {
        if (!connected || sending_command || commands.empty() || over) return;
        sending_command = true;
        spawn(write_commands(self));
    }

    asio::awaitable<void> write_commands(std::shared_ptr<Session> self) {
        while (!self->over && !commands.empty()) {
            const std::string text = std::move(commands.front());
            commands.pop_front();
            if (!co_await control->write_text(text)) break;
        }
        sending_command = false;
    }
};

Exec::Exec(Client& client) : client_(client) {}

Exec::~Exec() {
    if (session_) session_->end();
}

void Exec::send_signal(std::string_view name) {
    if (!session_) return;
    session_->commands.push_back(to_text(Json{{"command", "signal"}, {"signal", {{"name", name}}}}));
    session_->send_commands(session_);
}

void Exec::resize(int width, int height) {
    if (!session_) return;
    session_->commands.push_back(
        to_text(Json{{"command", "resize"}, {"resize", {{"width", width}, {"height", height}}}}));
    session_->send_commands(session_);
}

Result<int> Exec::run(ExecRequest request) {
    PGHERD_TRY(const Answer begun, client_.post("/v1/exec", request.body));
    session_ = std::make_shared<Session>(client_, std::move(request));
    session_->task = begun.result.is_object() ? text_of(begun.result.get_object(), "task-id") : "";
    session_->spawn(session_->connect(session_));
    client_.run_until([this] { return session_->connected || session_->failure; });
    if (session_->failure) {
        // The change says more than the websocket, when the command itself could not run.
        auto change = client_.wait_change(begun.change);
        if (change && !text_of(*change, "err").empty()) return fail(text_of(*change, "err"));
        return std::unexpected(*session_->failure);
    }
    PGHERD_TRY(const JsonObject change, client_.wait_change(begun.change));
    // The end of each stream has been sent before the change was ready; it may still be on its way.
    client_.run_until([this] { return session_->open_outputs == 0; }, std::chrono::seconds(5));
    session_->end();
    if (std::string why = text_of(change, "err"); !why.empty()) return fail(std::move(why));
    const Json* tasks = change.if_contains("tasks");
    if (!tasks || !tasks->is_array() || tasks->get_array().empty() || !tasks->get_array()[0].is_object())
        return fail("the change of the command has no task");
    return static_cast<int>(number_of(object_of(tasks->get_array()[0].get_object(), "data"), "exit-code"));
}

}  // namespace pgherd::pebble
