// Done<T>: what an asynchronous call of a port is given. Called exactly once, from the event loop, never from
// inside the call that took it, and not at all once the port has been destroyed.
#pragma once

#include <functional>

#include "base/result.h"

namespace pgherd {

template <class T>
using Done = std::move_only_function<void(Result<T>)>;
using Then = std::move_only_function<void()>;

}  // namespace pgherd
