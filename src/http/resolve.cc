#include "http/resolve.h"

#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "base/text.h"

namespace pgherd {

namespace asio = boost::asio;
using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

// Shared with the resolver, which may answer long after nobody cares.
struct Lookup {
    explicit Lookup(asio::io_context& context)
        : resolver(context), ended(context, asio::steady_timer::time_point::max()) {}
    tcp::resolver resolver;
    asio::steady_timer ended;
    std::optional<error_code> outcome;
    tcp::resolver::results_type found;
};

}  // namespace

asio::awaitable<Result<std::vector<tcp::endpoint>>> resolve(EventLoop& loop, std::string host,
                                                            std::uint16_t port, Instant deadline) {
    error_code error;
    if (const auto address = asio::ip::make_address(host, error); !error)
        co_return std::vector<tcp::endpoint>{{address, port}};
    if (iequals(host, "localhost"))
        co_return std::vector<tcp::endpoint>{{asio::ip::address_v4::loopback(), port},
                                             {asio::ip::address_v6::loopback(), port}};

    const auto lookup = std::make_shared<Lookup>(loop.context());
    auto on_found = [lookup](error_code result, tcp::resolver::results_type found) {
        lookup->outcome = result;
        lookup->found = std::move(found);
        lookup->ended.cancel();
    };
    try {
        lookup->resolver.async_resolve(host, std::to_string(port), tcp::resolver::numeric_service,
                                       std::move(on_found));
    } catch (const boost::system::system_error& failed) {  // the first lookup starts a thread
        co_return fail(ErrorCode::unavailable,
                       std::string("the host name cannot be looked up: ") + failed.what());
    }
    const Timer limit = loop.clock().call_at(deadline, [lookup] { lookup->ended.cancel(); });
    co_await lookup->ended.async_wait(asio::as_tuple(asio::use_awaitable));

    if (!lookup->outcome) {
        // One that waits behind others is not looked up any more: nobody's name server is asked in vain.
        lookup->resolver.cancel();
        co_return fail(ErrorCode::timeout, "the host name is not resolved in time");
    }
    if (*lookup->outcome)
        co_return fail(ErrorCode::unavailable, "the host name is unknown: " + lookup->outcome->message());
    std::vector<tcp::endpoint> addresses;
    for (const auto& entry : lookup->found) addresses.push_back(entry.endpoint());
    co_return addresses;
}

}  // namespace pgherd
