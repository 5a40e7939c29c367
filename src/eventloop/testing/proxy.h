// A TCP proxy between a client and a server that breaks connections and loses answers on demand.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string_view>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "eventloop/loop.h"

namespace pgherd {

class Proxy {
  public:
    // `loses(bytes)` says of what a client sends whether lose_next_answer means it.
    Proxy(EventLoop& loop, std::uint16_t target, std::function<bool(std::string_view)> loses = {})
        : context_(loop.context()),
          target_(target),
          loses_(std::move(loses)),
          acceptor_(context_, {boost::asio::ip::address_v4::loopback(), 0}) {
        accept();
    }
    ~Proxy() {
        closed_ = true;
        acceptor_.close();
        cut();
    }
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    // Closes the present connections.
    void cut() {
        for (const auto& link : links_) link->close();
        links_.clear();
    }
    // Nothing gets through the present connections any more, and nobody is told.
    void freeze() {
        for (const auto& link : links_) link->frozen = true;
    }
    // The next request that `loses` means reaches the server; its answer gets lost, and for `deaf_for` no new
    // connection is accepted.
    bool lose_next_answer = false;
    Duration deaf_for{};
    std::size_t accepted = 0;

  private:
    using Socket = boost::asio::ip::tcp::socket;
    using Buffer = std::array<char, 16384>;
    struct Link {
        explicit Link(Socket socket) : client(std::move(socket)), server(client.get_executor()) {}
        Socket client;
        Socket server;
        Buffer up{};
        Buffer down{};
        bool lose = false;
        bool frozen = false;
        void close() {
            boost::system::error_code ignored;
            client.close(ignored);
            server.close(ignored);
        }
    };
    using LinkPtr = std::shared_ptr<Link>;

    void accept() {
        acceptor_.async_accept([this](auto error, Socket socket) {
            if (error || closed_) return;
            ++accepted;
            auto link = std::make_shared<Link>(std::move(socket));
            boost::system::error_code failed;
            const bool deaf = boottime_now() < deaf_until_;
            if (!deaf) link->server.connect({boost::asio::ip::address_v4::loopback(), target_}, failed);
            if (deaf || failed) {
                link->close();
            } else {
                links_.push_back(link);
                pump(link, link->client, link->server, link->up, true);
                pump(link, link->server, link->client, link->down, false);
            }
            accept();
        });
    }
    void pump(LinkPtr link, Socket& from, Socket& to, Buffer& buffer, bool up) {
        from.async_read_some(
            boost::asio::buffer(buffer), [this, link, &from, &to, &buffer, up](auto error, std::size_t size) {
                if (error || (!up && link->lose)) return link->close();
                if (link->frozen) return;
                if (up && lose_next_answer && loses_ && loses_({buffer.data(), size})) {
                    lose_next_answer = false;
                    link->lose = true;
                    deaf_until_ = boottime_now() + deaf_for;
                }
                boost::asio::async_write(to, boost::asio::buffer(buffer.data(), size),
                                         [this, link, &from, &to, &buffer, up](auto failed, std::size_t) {
                                             if (failed) return link->close();
                                             pump(link, from, to, buffer, up);
                                         });
            });
    }

    boost::asio::io_context& context_;
    std::uint16_t target_;
    std::function<bool(std::string_view)> loses_;
    boost::asio::ip::tcp::acceptor acceptor_;
    std::list<LinkPtr> links_;
    Instant deaf_until_;
    bool closed_ = false;
};

}  // namespace pgherd
