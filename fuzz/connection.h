// A server on a unix socket in this process, and one connection to it for each input: the bytes go to it as
// they are.
#pragma once

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/server.h"

namespace pgherd::fuzz {

class LoneServer {
  public:
    explicit LoneServer(ServerExchangeHandler handler) {
        std::string pattern = std::filesystem::temp_directory_path() / "pgherd-fuzz-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        HttpServerOptions options;
        options.unix_socket = directory_ + "/socket";
        auto server = HttpServer::listen(loop_, options, std::move(handler));
        if (!server) std::abort();
        server_ = std::move(*server);
    }
    ~LoneServer() {
        server_.reset();
        std::filesystem::remove_all(directory_);
    }

    // Sends all of it, and takes whatever comes back, until the server has done with the connection. A
    // connection that is still there a while after its end is a finding.
    void converse(std::string_view bytes) {
        const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, (directory_ + "/socket").c_str(), directory_.size() + 8);
        if (::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
        bool accepted = false;
        const auto exchange = [&] {
            accepted = accepted || server_->connections() > 0;
            char sink[4096];
            while (::recv(client, sink, sizeof sink, MSG_DONTWAIT) > 0) {
            }
            if (!bytes.empty()) {
                const ssize_t sent = ::send(client, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
                if (sent < 0 && errno != EAGAIN) bytes = {};
                if (bytes.empty()) ::shutdown(client, SHUT_WR);
            }
            return accepted && bytes.empty() && server_->connections() == 0;
        };
        if (bytes.empty()) ::shutdown(client, SHUT_WR);
        // The loop is woken by the server's own events; a tick lets the client take part.
        bool over = false;
        for (int tick = 0; tick < 5000 && !over; ++tick)
            over = loop_.run_until(exchange, std::chrono::milliseconds(1));
        if (!over) std::abort();
        ::close(client);
    }

  private:
    EventLoop loop_;
    std::string directory_;
    std::unique_ptr<HttpServer> server_;
};

}  // namespace pgherd::fuzz
