// Names into addresses, with a deadline.
//
// Addresses in digits and "localhost" need no help. Everything else is asked of the system's resolver on
// Asio's thread; it cannot be interrupted, so a deadline leaves it behind, and one slow name server does not
// stop the loop.
#pragma once

#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/result.h"
#include "eventloop/loop.h"

namespace pgherd {

boost::asio::awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>>> resolve(EventLoop& loop,
                                                                                    std::string host,
                                                                                    std::uint16_t port,
                                                                                    Instant deadline);

}  // namespace pgherd
