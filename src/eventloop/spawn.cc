#include "eventloop/spawn.h"

#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace pgherd {

void spawn(EventLoop& loop, boost::asio::awaitable<void> work) {
    boost::asio::co_spawn(loop.context(), std::move(work), [](std::exception_ptr error) {
        if (error) std::rethrow_exception(std::move(error));
    });
}

}  // namespace pgherd
