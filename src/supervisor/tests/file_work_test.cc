// File operations of several clients: a disk that hangs holds up those who asked it.
#include "supervisor/file_work.h"

#include <algorithm>
#include <functional>
#include <future>
#include <vector>

#include "eventloop/spawn.h"
#include "io_testing.h"

namespace pgherd::supervisor {
namespace {

class FileWorkTest : public LoopTest {
  protected:
    // What an operation gives is appended to `done_`.
    void ask(std::function<int()> operation) { spawn(loop_, client(std::move(operation))); }
    boost::asio::awaitable<void> client(std::function<int()> operation) {
        done_.push_back(co_await work_.run(std::move(operation)));
    }
    std::vector<int> done_;
    FileWork work_{loop_};
};

TEST_F(FileWorkTest, ADiskThatHangsHoldsUpItsOwnClientsOnly) {
    std::promise<void> answer;
    const std::shared_future<void> disk = answer.get_future().share();
    for (std::size_t i = 0; i + 1 < FileWork::kThreads; ++i)
        ask([disk] {
            disk.wait();
            return -1;
        });
    for (int i = 0; i < 20; ++i) ask([i] { return i; });
    EXPECT_TRUE(wait_for([&] { return done_.size() == 20; }));
    EXPECT_TRUE(std::ranges::is_sorted(done_)) << "what one thread does is in order";
    EXPECT_TRUE(done_.empty() || done_.front() == 0);
    answer.set_value();
    EXPECT_TRUE(wait_for([&] { return done_.size() == 19 + FileWork::kThreads; }));
}

TEST_F(FileWorkTest, WhatFindsAllThreadsBusyIsDoneWhenOneIsFree) {
    std::promise<void> answer;
    const std::shared_future<void> disk = answer.get_future().share();
    for (std::size_t i = 0; i < FileWork::kThreads; ++i)
        ask([disk] {
            disk.wait();
            return 0;
        });
    for (int i = 1; i <= 1000; ++i) ask([i] { return i; });
    loop_.run_until([&] { return !done_.empty(); }, std::chrono::milliseconds(20));
    EXPECT_TRUE(done_.empty());
    answer.set_value();
    EXPECT_TRUE(wait_for([&] { return done_.size() == 1000 + FileWork::kThreads; }));
}

}  // namespace
}  // namespace pgherd::supervisor
