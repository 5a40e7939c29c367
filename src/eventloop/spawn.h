// Starts a coroutine that nobody waits for.
//
// An expected failure is a value in it; an exception that leaves it is a bug. It is passed on to whoever runs
// the loop, and so ends the program with its text, where an answer would never come otherwise.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "eventloop/loop.h"

namespace pgherd {

void spawn(EventLoop& loop, boost::asio::awaitable<void> work);

}  // namespace pgherd
