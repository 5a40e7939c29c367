// What the tests of http share: a loop with a server on it, raw sockets, certificates made on the spot.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/testing/temp_dir.h"
#include "http/client.h"
#include "http/server.h"

namespace pgherd {

inline constexpr Duration kLimit = std::chrono::seconds(10);

// A CA, certificates of it for 127.0.0.1 and for a client, and a stranger's.
struct Certificates {
    TempDir dir;
    std::string ca = make_ca("ca");
    std::string other_ca = make_ca("other");

    TlsFiles files(const std::string& name, const std::string& authority = "ca") {
        run(
            fmt::format("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {0}.key -out "
                        "{0}.csr -subj /CN={1}",
                        dir.file(name), name));
        run(
            fmt::format("x509 -req -in {0}.csr -CA {1}.crt -CAkey {1}.key -CAcreateserial -days 2 -out "
                        "{0}.crt -extfile {2}",
                        dir.file(name), dir.file(authority), extensions()));
        return {ca, dir.file(name) + ".crt", dir.file(name) + ".key", {}, true};
    }

  private:
    std::string make_ca(const std::string& name) {
        run(
            fmt::format("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {0}.key "
                        "-out {0}.crt -days 2 -subj /CN={1}",
                        dir.file(name), name));
        return dir.file(name) + ".crt";
    }
    std::string extensions() {
        const std::string path = dir.file("extensions");
        if (!std::filesystem::exists(path)) {
            FILE* file = std::fopen(path.c_str(), "w");
            std::fputs("subjectAltName=IP:127.0.0.1,DNS:localhost\n", file);
            std::fclose(file);
        }
        return path;
    }
    static void run(const std::string& arguments) {
        if (std::system(("openssl " + arguments + " >/dev/null 2>&1").c_str()) != 0)
            throw std::runtime_error("openssl failed: " + arguments);
    }
};

// A blocking-free client socket that says exactly what a test wants.
class RawSocket {
  public:
    RawSocket(EventLoop& loop, std::uint16_t port)
        : loop_(loop), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr generic{};
        static_assert(sizeof generic == sizeof address);
        std::memcpy(&generic, &address, sizeof address);
        EXPECT_EQ(::connect(fd_, &generic, sizeof generic), 0) << std::strerror(errno);
        ::fcntl(fd_, F_SETFL, O_NONBLOCK);
    }
    RawSocket(EventLoop& loop, const std::string& path)
        : loop_(loop), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0)
            << std::strerror(errno);
        ::fcntl(fd_, F_SETFL, O_NONBLOCK);
    }
    ~RawSocket() { ::close(fd_); }
    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;

    void send(std::string_view text) { try_send(text, kLimit); }
    // Gives how many bytes were taken within the limit.
    std::size_t try_send(std::string_view text, Duration limit) {
        const std::size_t size = text.size();
        loop_.run_until(
            [&] {
                const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
                if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
                if (sent < 0 && errno != EAGAIN) return true;
                nudge();
                return text.empty();
            },
            limit);
        return size - text.size();
    }
    void shutdown_send() { ::shutdown(fd_, SHUT_WR); }
    // Everything up to where `end` appears; "" = until the server closes.
    std::string receive(std::string_view end = {}, Duration limit = kLimit) {
        loop_.run_until(
            [&] {
                char buffer[4096];
                const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
                if (got > 0) received_.append(buffer, static_cast<std::size_t>(got));
                closed_ = closed_ || got == 0 || (got < 0 && errno != EAGAIN);
                nudge();
                return closed_ || (!end.empty() && received_.find(end) != std::string::npos);
            },
            limit);
        const std::size_t at = end.empty() ? std::string::npos : received_.find(end);
        const std::size_t size = at == std::string::npos ? received_.size() : at + end.size();
        std::string result = received_.substr(0, size);
        received_.erase(0, size);
        return result;
    }
    bool closed() const { return closed_; }

  private:
    // The socket is not the loop's, so the loop is made to look again soon.
    void nudge() {
        timer_ = loop_.clock().call_at(loop_.clock().now() + std::chrono::milliseconds(1), [] {});
    }

    EventLoop& loop_;
    int fd_;
    Timer timer_;
    std::string received_;
    bool closed_ = false;
};

// Answers with what it understood of the request.
inline HttpResponse echo(const HttpRequest& request) {
    std::string text = request.method + " " + request.path;
    for (const auto& [key, value] : request.query) text += fmt::format(" {}={}", key, value);
    if (request.client_certificate) text += " certificate";
    if (!request.body.empty())
        text += fmt::format(" body:{}", request.body.size() > 100 ? "big" : request.body);
    return {200, text + "\n", "text/plain", {}};
}

class HttpTest : public ::testing::Test {
  protected:
    void serve(HttpServerOptions options = {}) {
        if (options.unix_socket.empty()) options.listen = {"127.0.0.1", 0};
        auto server =
            HttpServer::listen(loop_, std::move(options), [this](HttpRequest request, auto respond) {
                ++requests_;
                last_ = request;
                if (handler_)
                    handler_(std::move(request), std::move(respond));
                else
                    respond(echo(request));
            });
        ASSERT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
    }
    std::string url(std::string_view path, std::string_view scheme = "http") const {
        return fmt::format("{}://127.0.0.1:{}{}", scheme, server_->port(), path);
    }
    Result<HttpClientResponse> request(HttpClient& client, std::string method, std::string url,
                                       std::string body = {}, Duration limit = kLimit) {
        std::optional<Result<HttpClientResponse>> answer;
        client.request(std::move(method), std::move(url), {}, std::move(body), loop_.clock().now() + limit,
                       [&](Result<HttpClientResponse> result) { answer = std::move(result); });
        EXPECT_FALSE(answer) << "answered from inside the call";
        if (!loop_.run_until([&] { return answer.has_value(); }, limit + kLimit))
            return fail("the client never answered");
        return std::move(*answer);
    }

    EventLoop loop_;
    HttpHandler handler_;
    int requests_ = 0;
    HttpRequest last_;
    std::unique_ptr<HttpServer> server_;
};

}  // namespace pgherd
