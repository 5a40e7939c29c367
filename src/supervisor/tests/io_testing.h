// What the tests of logs, files and commands share: a loop, a directory, conditions to wait for.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "base/testing/temp_dir.h"
#include "eventloop/loop.h"

namespace pgherd::supervisor {

inline constexpr Duration kLimit = std::chrono::seconds(10);

inline std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

inline void write_file(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

class LoopTest : public ::testing::Test {
  protected:
    // Looks again every millisecond, also for what the loop does not see.
    bool wait_for(const std::function<bool()>& condition, Duration limit = kLimit) {
        return loop_.run_until(
            [&] {
                timer_ = loop_.clock().call_at(loop_.clock().now() + std::chrono::milliseconds(1), [] {});
                return condition();
            },
            limit);
    }
    EventLoop loop_;
    Timer timer_;
};

}  // namespace pgherd::supervisor
