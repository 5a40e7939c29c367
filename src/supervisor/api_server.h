// The API of a Daemon on its unix socket and, if wanted, on TCP.
#pragma once

#include <memory>

#include "base/result.h"
#include "http/server.h"
#include "supervisor/daemon.h"
#include "supervisor/router.h"

namespace pgherd::supervisor {

class ApiServer {
  public:
    // Requests are answered as soon as the loop runs. Errors: another supervisor has the socket; an address
    // cannot be listened on.
    static Result<std::unique_ptr<ApiServer>> listen(Daemon& daemon);

  private:
    explicit ApiServer(Daemon& daemon);
    Status listen_on_tcp(Daemon& daemon);

    std::shared_ptr<Router> router_;
    std::unique_ptr<HttpServer> unix_server_;
    std::unique_ptr<HttpServer> tcp_server_;
};

}  // namespace pgherd::supervisor
