// Websockets over a socket that somebody else owns. Private to this module.
#pragma once

#include <memory>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>

#include "http/transport.h"
#include "http/web_socket.h"

namespace pgherd {

using UpgradeRequest = boost::beast::http::request<boost::beast::http::empty_body>;

bool may_become_web_socket(const UpgradeRequest& head);
// Answers the request. `owner` lives as long as the websocket.
asio::awaitable<Result<std::unique_ptr<WebSocket>>> accept_web_socket(StreamSocket& socket,
                                                                      std::shared_ptr<void> owner,
                                                                      const UpgradeRequest& head,
                                                                      WebSocketOptions options);

}  // namespace pgherd
