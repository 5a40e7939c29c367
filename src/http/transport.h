// A connection over TCP (plain or under TLS) or a unix socket, behind one type, so that HTTP is compiled
// once.
//
// It knows nothing of time: whoever owns it closes it when a deadline passes, and the operation that is under
// way ends with an error. Reading and writing never throw.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "base/result.h"
#include "http/tls.h"

namespace pgherd {

namespace asio = boost::asio;
using boost::asio::ip::tcp;
using StreamSocket = boost::asio::generic::stream_protocol::socket;
using boost::system::error_code;

struct Transferred {
    error_code error;
    std::size_t bytes = 0;
};

class Transport {
  public:
    explicit Transport(StreamSocket socket);
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    // As a server. Tells the reason when the peer is not let in.
    asio::awaitable<Status> accept_tls(TlsContext context);
    // As a client; `host` must match the peer's certificate when the context verifies.
    asio::awaitable<Status> start_tls(TlsContext context, std::string host);

    // End of the stream is asio::error::eof, under TLS as well.
    asio::awaitable<Transferred> read_some(asio::mutable_buffer buffer);
    // All parts in one packet where they fit.
    asio::awaitable<Transferred> write(std::string_view head, std::string_view body,
                                       std::string_view tail = {});
    // The same, without a turn of the loop when the kernel takes all at once. Not for who writes again and
    // again.
    asio::awaitable<Transferred> write_at_once(std::string_view head, std::string_view body);
    // Until something can be read or the peer has gone, without a buffer. Not under TLS, where bytes may wait
    // inside.
    asio::awaitable<error_code> wait_readable();
    asio::awaitable<error_code> wait_writable();
    // How many bytes the kernel took without waiting; none under TLS, or when the connection is broken.
    std::size_t write_some_now(std::string_view bytes);

    bool tls() const { return stream_.has_value(); }
    bool client_certificate() const;  // the peer showed a certificate, and it was verified
    bool quiet() const;               // open, and nothing to read: fit to be used again
    bool peer_gone() const;           // it has closed, and everything it sent before was read
    StreamSocket& socket() { return socket_; }
    void close();

  private:
    enum class Pending { nothing, bytes, end };
    Pending pending() const;
    asio::awaitable<Status> handshake(asio::ssl::stream_base::handshake_type type);

    StreamSocket socket_;
    TlsContext context_;
    std::optional<asio::ssl::stream<StreamSocket&>> stream_;
};

}  // namespace pgherd
