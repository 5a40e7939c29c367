// What the tests of process share: a loop, children of it, what they say.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "eventloop/loop.h"
#include "process/pipe.h"
#include "process/process.h"

namespace pgherd {

inline constexpr Duration kLimit = std::chrono::seconds(10);

class ProcessTest : public ::testing::Test {
  protected:
    // Runs until the end; gives what it wrote on its standard output, errors included.
    std::string run(SpawnOptions options) {
        auto pipe = make_pipe(OurEnd::reads);
        EXPECT_TRUE(pipe);
        options.standard_output = options.standard_error = pipe->childs.get();
        code_.reset();
        const auto pid = processes_.spawn(options, [this](int code) { code_ = code; });
        EXPECT_TRUE(pid) << pid.error().message;
        if (!pid) return {};
        pid_ = *pid;
        pipe->childs.reset();
        std::string said;
        EXPECT_TRUE(loop_.run_until([&] { return drain(pipe->ours.get(), said) && code_; }, kLimit));
        return said;
    }
    std::string shell(const std::string& script, SpawnOptions options = {}) {
        options.command = {"/bin/sh", "-c", script};
        if (options.environment.empty()) options.environment = {{"PATH", "/usr/bin:/bin"}};
        return run(std::move(options));
    }
    // True at the end of the stream.
    bool drain(int descriptor, std::string& into) {
        char buffer[4096];
        ssize_t got = 0;
        while ((got = ::read(descriptor, buffer, sizeof buffer)) > 0)
            into.append(buffer, static_cast<std::size_t>(got));
        // The descriptor is not the loop's, so the loop is made to look again soon.
        timer_ = loop_.clock().call_at(loop_.clock().now() + std::chrono::milliseconds(1), [] {});
        return got == 0 || (got < 0 && errno != EAGAIN);
    }
    bool wait_for(const std::function<bool()>& condition) {
        return loop_.run_until(
            [&] {
                timer_ = loop_.clock().call_at(loop_.clock().now() + std::chrono::milliseconds(1), [] {});
                return condition();
            },
            kLimit);
    }

    EventLoop loop_;
    Processes processes_{loop_};
    std::optional<int> code_;
    int pid_ = 0;
    Timer timer_;
};

}  // namespace pgherd
