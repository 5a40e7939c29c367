// The exchange of a real connection: takes a request's bytes from its socket and puts the answer's there.
// Private to this module.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "http/server_connection.h"

namespace pgherd {

// How an exchange ended, for its connection.
enum class Ending { keep, close, close_unread, upgraded };

class ConnectionExchange final : public ServerExchange,
                                 public std::enable_shared_from_this<ConnectionExchange> {
  public:
    explicit ConnectionExchange(std::shared_ptr<ServerConnection> connection);

    // Gives eof for a connection that ended, before or within the head.
    asio::awaitable<error_code> read_head();
    Status understand();
    // Says what is wrong with the request itself.
    asio::awaitable<Ending> refuse(error_code error);
    asio::awaitable<Ending> refuse(int status, std::string why);
    // After the handler: makes sure that there was an answer.
    asio::awaitable<Ending> settle();
    void notice_gone();

    asio::awaitable<Result<std::string_view>> read() override;
    asio::awaitable<Result<std::string>> read_all(std::size_t limit) override;
    asio::awaitable<Status> answer(HttpResponse response) override;
    asio::awaitable<Status> begin(HttpResponse head) override;
    asio::awaitable<Status> write(std::string_view piece) override;
    asio::awaitable<Status> finish() override;
    bool write_now(std::string_view piece) override;
    asio::awaitable<Status> wait_writable() override;
    asio::awaitable<Result<std::unique_ptr<WebSocket>>> upgrade(WebSocketOptions options) override;
    void lift_time_limits() override;
    void on_gone(std::function<void()> then) override;
    bool gone() const override;

  private:
    using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;
    enum class Answer { none, begun, finished, upgraded };

    asio::awaitable<Result<std::string_view>> read_piece();
    asio::awaitable<Status> ask_to_continue();
    asio::awaitable<Status> send(std::string_view head, std::string_view body, std::string_view tail = {});
    void begin_sending();
    Status sent(const Transferred& what);
    std::unexpected<Error> broken(error_code error);
    bool usable() const { return !over_ && !connection_->ended(); }
    bool rest_is_small() const;
    void watch();

    std::shared_ptr<ServerConnection> connection_;
    Parser parser_;
    std::string piece_;
    std::string unsent_;
    std::string method_;
    error_code read_error_;
    Answer answer_ = Answer::none;
    bool need_more_ = false;  // of the body: the parser can do nothing with what there is
    bool keep_alive_ = false;
    bool in_chunks_ = false;
    bool without_body_ = false;
    bool told_to_continue_ = false;
    bool unlimited_ = false;
    bool over_ = false;
    bool watching_ = false;
    bool gone_ = false;
    std::function<void()> on_gone_;
    asio::cancellation_signal stop_watching_;
};

}  // namespace pgherd
