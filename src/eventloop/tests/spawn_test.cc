// Coroutines that nobody waits for.
#include "eventloop/spawn.h"

#include <stdexcept>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

namespace pgherd {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

TEST(Spawn, RunsOnTheLoop) {
    EventLoop loop;
    bool ran = false;
    spawn(loop, [](bool& done) -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        done = true;
    }(ran));
    EXPECT_FALSE(ran);
    EXPECT_TRUE(loop.run_until([&] { return ran; }, 5s));
}

TEST(Spawn, AnExceptionComesOutOfTheLoop) {
    for (const bool at_once : {true, false}) {
        EventLoop loop;
        spawn(loop, [](bool now) -> asio::awaitable<void> {
            if (!now) co_await asio::post(asio::use_awaitable);
            throw std::runtime_error("nobody expects it");
        }(at_once));
        EXPECT_THROW(loop.run_until([] { return false; }, 5s), std::runtime_error) << at_once;
        bool goes_on = false;
        loop.post([&] { goes_on = true; });
        EXPECT_TRUE(loop.run_until([&] { return goes_on; }, 5s));
    }
}

}  // namespace
}  // namespace pgherd
