// Frames on a websocket of the server: as they are, or with valid heads around what they carry.
#include <csignal>
#include <cstdint>

#include <fuzzer/FuzzedDataProvider.h>

#include "connection.h"

using namespace pgherd;

namespace {

boost::asio::awaitable<void> echo(std::shared_ptr<ServerExchange> exchange) {
    auto socket = co_await exchange->upgrade({.max_message = 4096});
    if (!socket) co_return;
    for (;;) {
        const auto message = co_await (*socket)->read();
        if (!message) break;
        const Status sent = message->text ? co_await (*socket)->write_text(message->data)
                                          : co_await (*socket)->write_binary(message->data);
        if (!sent) break;
    }
}

constexpr std::string_view kHandshake =
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
    "MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n";

std::string frames(FuzzedDataProvider& provider) {
    std::string bytes;
    while (provider.remaining_bytes() > 0 && bytes.size() < 20'000) {
        const auto head = provider.ConsumeIntegral<std::uint8_t>();
        const std::string content = provider.ConsumeRandomLengthString(6000);
        const std::string mask = provider.ConsumeBytesAsString(4);
        bytes += static_cast<char>(head);
        if (content.size() < 126) {
            bytes += static_cast<char>(0x80 | content.size());
        } else {
            bytes += {static_cast<char>(0x80 | 126), static_cast<char>(content.size() >> 8),
                      static_cast<char>(content.size() & 255)};
        }
        bytes += mask;
        for (std::size_t at = 0; at < content.size(); ++at)
            bytes += static_cast<char>(content[at] ^ (mask.empty() ? 0 : mask[at % mask.size()]));
    }
    return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto ignored = std::signal(SIGPIPE, SIG_IGN);
    static_cast<void>(ignored);
    static fuzz::LoneServer server(echo);
    FuzzedDataProvider provider(data, size);
    const bool raw = provider.ConsumeBool();
    server.converse(std::string(kHandshake) +
                    (raw ? provider.ConsumeRemainingBytesAsString() : frames(provider)));
    return 0;
}
