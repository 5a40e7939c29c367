#include "supervisor/exec_session.h"

#include <algorithm>
#include <csignal>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "codec/json.h"
#include "eventloop/spawn.h"
#include "process/process_tree.h"
#include "process/signal_names.h"
#include "supervise/go_text.h"

namespace pgherd::supervisor {

namespace asio = boost::asio;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr Duration kQuietAfterExit = std::chrono::milliseconds(500);  // output held open by others
constexpr Duration kEndAfterKill = std::chrono::seconds(1);
constexpr Duration kGiveUpAfterKill = std::chrono::seconds(6);  // not even SIGKILL helps
constexpr std::size_t kPieceSize = 128 * 1024;
constexpr int kPipeSize = 256 * 1024;
constexpr std::string_view kEnd = R"({"command":"end"})";
constexpr std::string_view kEndOfTransmission = "\x04";

// {"command":"end"}, and nothing else matters on a stream.
bool is_end(std::string_view text) {
    const auto object = parse_json_object(text);
    if (!object) return false;
    const Json* command = object->if_contains("command");
    return command != nullptr && command->is_string() && command->get_string() == "end";
}

int size_field(const JsonObject& object, std::string_view key) {
    const Json* value = object.if_contains(key);
    const std::int64_t* number = value == nullptr ? nullptr : value->if_int64();
    return number == nullptr || *number < 1 || *number > 0xffff ? 0 : static_cast<int>(*number);
}

}  // namespace

ExecSession::ExecSession(EventLoop& loop, Processes& processes, ExecOrder order,
                         std::function<void(ExecEnd)> on_end)
    : loop_(loop),
      processes_(processes),
      order_(std::move(order)),
      on_end_(std::move(on_end)),
      changed_(loop.context().get_executor()),
      mark_(fmt::format("{:016x}", loop.random().next())) {}

void ExecSession::spawn(asio::awaitable<void> work) {
    pgherd::spawn(loop_, std::move(work));
}

void ExecSession::start() {
    spawn([](std::shared_ptr<ExecSession> self) -> asio::awaitable<void> {
        co_await self->run();
    }(shared_from_this()));
}

bool ExecSession::offers(ExecSocket which) const {
    return which != ExecSocket::stderr_only || order_.split_stderr;
}

bool ExecSession::reserve(ExecSocket which) {
    return !std::exchange(place(which).reserved, true);
}

void ExecSession::attach(ExecSocket which, std::unique_ptr<WebSocket> socket) {
    if (!socket || over_) {
        place(which).reserved = false;
        return;
    }
    place(which).socket = std::move(socket);
    if (which == ExecSocket::control) begin_to_obey();
    changed_.notify();
}

void ExecSession::abort(std::string why) {
    kill(std::move(why));
}

asio::awaitable<void> ExecSession::run() {
    if (!co_await wait_for_sockets()) {
        finish({-1, failure_.empty()
                        ? fmt::format(
                              "exec {}: timeout waiting for websocket connections: context deadline exceeded",
                              order_.id)
                        : failure_});
        co_return;
    }
    if (const Status launched = launch(); !launched) {
        finish({-1, launched.error().message});
        co_return;
    }
    co_await wait_for_end();
    if (failure_.empty())
        finish({*code_, {}});
    else
        finish({-1, failure_});
}

asio::awaitable<bool> ExecSession::wait_for_sockets() {
    const Instant end = loop_.clock().now() + order_.connect_limit;
    while (!place(ExecSocket::stdio).socket ||
           (order_.split_stderr && !place(ExecSocket::stderr_only).socket)) {
        const Duration left = end - loop_.clock().now();
        if (left <= Duration{} || !failure_.empty()) co_return false;
        co_await changed_.wait_for(left);
    }
    co_return failure_.empty();
}

Status ExecSession::open_streams(ChildEnds& ends) {
    auto& context = loop_.context();
    const auto own = [&](Descriptor descriptor) {
        return std::make_shared<Stream>(context, descriptor.release());
    };
    if (order_.terminal) {
        PGHERD_TRY(Terminal terminal, make_terminal(order_.width, order_.height));
        terminal_ = terminal.ours.get();
        output_ = own(std::move(terminal.ours));
        ends.output = std::move(terminal.childs);
    } else {
        PGHERD_TRY(Pipe pipe, make_pipe(OurEnd::reads, kPipeSize));
        output_ = own(std::move(pipe.ours));
        ends.output = std::move(pipe.childs);
    }
    if (order_.terminal && order_.interactive) {
        input_ = output_;
    } else {
        PGHERD_TRY(Pipe pipe, make_pipe(OurEnd::writes));
        input_ = own(std::move(pipe.ours));
        ends.input = std::move(pipe.childs);
    }
    if (order_.split_stderr) {
        PGHERD_TRY(Pipe pipe, make_pipe(OurEnd::reads));
        error_ = own(std::move(pipe.ours));
        ends.error = std::move(pipe.childs);
    }
    return {};
}

Status ExecSession::launch() {
    ChildEnds ends;
    PGHERD_CHECK(open_streams(ends));
    SpawnOptions options = order_.spawn;
    options.standard_output = ends.output.get();
    options.standard_input = ends.input ? ends.input.get() : ends.output.get();
    options.standard_error = ends.error ? ends.error.get() : ends.output.get();
    options.new_session = true;
    options.controlling_terminal = order_.terminal && order_.interactive;
    options.environment["PGHERD_EXEC"] = mark_;
    PGHERD_TRY(pid_, processes_.spawn(options, [self = shared_from_this()](int code) {
        self->code_ = code;
        self->last_output_ = self->loop_.clock().now();
        self->changed_.notify();
    }));
    const auto& stdio = place(ExecSocket::stdio).socket;
    const auto self = shared_from_this();
    spawn([](std::shared_ptr<ExecSession> me, std::shared_ptr<WebSocket> socket) -> asio::awaitable<void> {
        co_await me->pump_input(std::move(socket));
    }(self, stdio));
    const auto carry = [](std::shared_ptr<ExecSession> me, std::shared_ptr<Stream> from,
                          std::shared_ptr<WebSocket> to) -> asio::awaitable<void> {
        co_await me->pump_output(std::move(from), std::move(to));
    };
    outputs_open_ = error_ ? 2 : 1;
    spawn(carry(self, output_, stdio));
    if (error_) spawn(carry(self, error_, place(ExecSocket::stderr_only).socket));
    begin_to_obey();
    return {};
}

// Not before the command runs: a signal that comes early waits for it in the socket.
void ExecSession::begin_to_obey() {
    if (pid_ == 0 || !place(ExecSocket::control).socket) return;
    spawn([](std::shared_ptr<ExecSession> self) -> asio::awaitable<void> {
        co_await self->obey(self->place(ExecSocket::control).socket);
    }(shared_from_this()));
}

asio::awaitable<void> ExecSession::wait_for_end() {
    const Instant deadline = order_.timeout ? loop_.clock().now() + *order_.timeout : Instant::max();
    while (!code_ || outputs_open_ > 0) {
        const Instant now = loop_.clock().now();
        if (now >= deadline && !killed_)
            kill(fmt::format("timed out after {}: context deadline exceeded",
                             supervise::go_duration(*order_.timeout)));
        if (killed_ && now >= killed_at_ + kGiveUpAfterKill) break;
        Instant until = killed_ ? killed_at_ + kGiveUpAfterKill : deadline;
        if (code_ && (killed_ || writing_ == 0)) {
            // Others may hold the output open: it ends when it is quiet.
            const Instant quiet = last_output_ + (killed_ ? kEndAfterKill : kQuietAfterExit);
            if (now >= quiet) break;
            until = std::min(until, quiet);
        }
        if (until == Instant::max())
            co_await changed_.wait();
        else
            co_await changed_.wait_for(std::max(until - now, Duration(std::chrono::milliseconds(1))));
    }
}

void ExecSession::kill(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
    if (pid_ > 0 && !std::exchange(killed_, true)) {
        killed_at_ = loop_.clock().now();
        kill_tree({.leader = pid_, .leader_reaped = code_.has_value(), .mark = "PGHERD_EXEC=" + mark_});
    }
    changed_.notify();
}

void ExecSession::finish(ExecEnd end) {
    over_ = true;
    boost::system::error_code ignored;
    for (const auto& stream : {input_, output_, error_})
        if (stream) stream->close(ignored);
    const auto self = shared_from_this();
    on_end_(std::move(end));
    for (Place& one : places_) {
        if (!one.socket) continue;
        spawn([](std::shared_ptr<WebSocket> socket) -> asio::awaitable<void> {
            co_await socket->close();
        }(std::move(one.socket)));
    }
}

// Also reads on when the command takes no more, to see the client go.
asio::awaitable<void> ExecSession::pump_input(std::shared_ptr<WebSocket> socket) {
    bool open = true;
    while (!over_) {
        const auto message = co_await socket->read();
        if (!message) break;
        if (!open) continue;
        if (!message->text) {
            const auto [error, size] =
                co_await asio::async_write(*input_, asio::buffer(message->data), kNoThrow);
            open = !error;
        } else if (is_end(message->data)) {
            open = false;
        }
        if (open) continue;
        boost::system::error_code ignored;
        if (input_ != output_)
            input_->close(ignored);
        else
            co_await asio::async_write(*input_, asio::buffer(kEndOfTransmission), kNoThrow);
    }
    boost::system::error_code ignored;
    if (input_ != output_) input_->close(ignored);
}

// When the client takes no more, the output is read and forgotten: the command must not hang.
asio::awaitable<void> ExecSession::pump_output(std::shared_ptr<Stream> from,
                                               std::shared_ptr<WebSocket> socket) {
    std::string piece;
    bool wanted = true;
    while (true) {
        // What is there already is taken without a buffer's wait; an idle command holds none.
        if (const auto [error] = co_await from->async_wait(Stream::wait_read, kNoThrow); error) break;
        piece.resize(kPieceSize);
        const auto [error, size] = co_await from->async_read_some(asio::buffer(piece), kNoThrow);
        if (error) break;
        ++writing_;
        if (wanted && !co_await socket->write_binary(std::string_view(piece).substr(0, size))) wanted = false;
        --writing_;
        last_output_ = loop_.clock().now();
        if (code_) changed_.notify();
        if (size < kPieceSize / 4) piece = {};
    }
    if (wanted) co_await socket->write_text(kEnd);
    --outputs_open_;
    changed_.notify();
}

// A client that vanishes, rather than closing in order, wants no more of the command.
asio::awaitable<void> ExecSession::obey(std::shared_ptr<WebSocket> socket) {
    while (!over_) {
        const auto message = co_await socket->read();
        if (!message) {
            if (message.error().code != ErrorCode::cancelled && !over_) kill("the client has gone");
            break;
        }
        if (message->text) command(message->data);
    }
}

void ExecSession::command(std::string_view text) {
    const auto object = parse_json_object(text);
    if (!object) return;
    const Json* what = object->if_contains("command");
    if (what == nullptr || !what->is_string()) return;
    const Json* details = object->if_contains(what->get_string());
    if (details == nullptr || !details->is_object()) return;
    if (what->get_string() == "signal") {
        const Json* name = details->get_object().if_contains("name");
        if (name == nullptr || !name->is_string()) return;
        if (const auto number = signal_number(name->get_string())) (void)processes_.signal(pid_, *number);
    } else if (what->get_string() == "resize" && terminal_ >= 0) {
        const int columns = size_field(details->get_object(), "width");
        const int rows = size_field(details->get_object(), "height");
        if (columns > 0 && rows > 0) resize_terminal(terminal_, columns, rows);
    }
}

}  // namespace pgherd::supervisor
