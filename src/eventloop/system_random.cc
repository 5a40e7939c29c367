#include "eventloop/system_random.h"

#include <cerrno>

#include <sys/random.h>

#include "base/assert.h"

namespace pgherd {

std::uint64_t SystemRandom::next() {
    std::uint64_t number = 0;
    ssize_t got = 0;
    do {
        got = getrandom(&number, sizeof number, 0);
    } while (got < 0 && errno == EINTR);
    PGHERD_ASSERT(got == sizeof number, "getrandom");
    return number;
}

}  // namespace pgherd
