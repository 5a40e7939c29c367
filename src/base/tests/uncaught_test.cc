#include "base/uncaught.h"

#include <functional>
#include <stdexcept>

#include <gtest/gtest.h>

namespace pgherd {
namespace {

void lose(const std::function<void()>& work) noexcept {
    work();
}

TEST(UncaughtExceptions, EndTheProgramWithTheirText) {
    const auto ends = [](const std::function<void()>& work) {
        report_uncaught_exceptions();
        lose(work);
    };
    EXPECT_DEATH(ends([] { throw std::runtime_error("vector too long"); }),
                 "pgherd: bug: .*: vector too long");
    EXPECT_DEATH(ends([] { throw 7; }), "pgherd: bug: ");
}

}  // namespace
}  // namespace pgherd
