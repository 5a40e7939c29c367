// What somebody sends to the server's socket, whatever it is: the server must answer or close, and be done
// with it.
#include <csignal>
#include <cstdint>

#include "connection.h"

using namespace pgherd;

namespace {

boost::asio::awaitable<void> handle(std::shared_ptr<ServerExchange> exchange) {
    if (exchange->request().path == "/pieces") {
        std::size_t size = 0;
        for (;;) {
            const auto piece = co_await exchange->read();
            if (!piece) co_return;
            if (piece->empty()) break;
            size += piece->size();
        }
        if (!co_await exchange->begin({})) co_return;
        if (!co_await exchange->write(std::to_string(size))) co_return;
        co_await exchange->finish();
        co_return;
    }
    if (!co_await exchange->read_all(1000)) co_return;
    co_await exchange->answer({200, "fine", "text/plain", {}});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto ignored = std::signal(SIGPIPE, SIG_IGN);
    static_cast<void>(ignored);
    static fuzz::LoneServer server(handle);
    server.converse({reinterpret_cast<const char*>(data), size});
    return 0;
}
