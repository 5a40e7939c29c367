#include "base/start_code.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace pgherd {
namespace {

long resident_kilobytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
    return 0;
}

TEST(StartCode, IsGivenBackAndTheProgramGoesOn) {
    const long before = resident_kilobytes();
    drop_start_code();
    EXPECT_LT(resident_kilobytes(), before);
}

}  // namespace
}  // namespace pgherd
