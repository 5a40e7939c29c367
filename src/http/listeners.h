// Sockets to accept from: TCP on all addresses of a name, or a path in the file system. Private to this
// module.
#pragma once

#include <vector>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>

#include "http/server.h"
#include "http/transport.h"

namespace pgherd {

using StreamAcceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

// At least one.
Result<std::vector<StreamAcceptor>> open_listeners(asio::io_context& context,
                                                   const HttpServerOptions& options);

// A listening unix socket's file, removed when it goes, unless somebody else has taken the path meanwhile.
class SocketFile {
  public:
    explicit SocketFile(const std::string& path);
    SocketFile(SocketFile&& other) noexcept;
    SocketFile& operator=(SocketFile&&) = delete;
    ~SocketFile();

  private:
    std::string path_;
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
};

}  // namespace pgherd
