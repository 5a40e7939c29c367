// Several processes on one file: nobody's write gets lost, and one that dies at any moment harms no one.
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_sqlite_testing.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;

// A child process; ended with the test, whatever happens.
class Child {
  public:
    template <class Body>
    explicit Child(Body body) : pid_(fork()) {
        if (pid_ == 0) _exit(body());
    }
    ~Child() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            wait();
        }
    }
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
    Child& operator=(Child&&) = delete;

    int wait() {
        int status = -1;
        if (pid_ > 0) waitpid(pid_, &status, 0);
        pid_ = 0;
        return status;
    }
    void kill_9() { kill(pid_, SIGKILL); }

  private:
    pid_t pid_;
};

// Adds one by compare-and-swap. Gives the new number; nothing when another process was faster.
std::optional<int> count_up(Client& client, const std::string& key) {
    const auto snapshot = client.load();
    if (!snapshot) return {};
    const auto it = (*snapshot)->records.find(key);
    if (it == (*snapshot)->records.end())
        return client.swap({key, IfAbsent{}, "1", {}}) ? std::optional(1) : std::nullopt;
    const int next = std::stoi(it->second.value) + 1;
    if (!client.swap({key, IfRevision{it->second.modified}, std::to_string(next), {}})) return {};
    return next;
}

TEST(SqliteProcesses, CountTogetherWithoutALostUpdate) {
    constexpr int kProcesses = 4;
    constexpr int kEach = 100;
    const TemporaryDirectory directory;
    const std::string path = directory.file("store.db");
    std::vector<Child> children;
    for (int i = 0; i < kProcesses; ++i)
        children.emplace_back([&] {
            Client client(path);
            if (!client.store) return 1;
            const Instant end = boottime_now() + 60s;
            for (int done = 0; done < kEach && boottime_now() < end;)
                done += count_up(client, "counter") ? 1 : 0;
            return boottime_now() < end ? 0 : 2;
        });
    for (auto& child : children) EXPECT_EQ(child.wait(), 0);
    Client client(path);
    EXPECT_EQ(client.value("counter"), std::to_string(kProcesses * kEach));
    EXPECT_EQ(RawFile(path).run("PRAGMA integrity_check"), "ok");
}

TEST(SqliteProcesses, OneOfManyBecomesTheLeader) {
    constexpr int kProcesses = 6;
    const TemporaryDirectory directory;
    const std::string path = directory.file("store.db");
    int start[2];
    ASSERT_EQ(pipe(start), 0);
    std::vector<Child> children;
    for (int i = 0; i < kProcesses; ++i)
        children.emplace_back([&, i] {
            close(start[1]);
            char ignored = 0;
            [[maybe_unused]] const auto released = read(start[0], &ignored, 1);
            Client client(path);  // they race for creating the file as well
            if (!client.store) return 9;
            const auto result = client.swap({"leader", IfAbsent{}, std::to_string(i), {}});
            return result ? 1 : result.error().code == ErrorCode::conflict ? 0 : 8;
        });
    close(start[0]);
    close(start[1]);
    int winners = 0;
    for (auto& child : children) {
        const int status = child.wait();
        ASSERT_TRUE(WIFEXITED(status));
        ASSERT_LE(WEXITSTATUS(status), 1);
        winners += WEXITSTATUS(status);
    }
    EXPECT_EQ(winners, 1);
}

TEST(SqliteProcesses, AWriterKilledAtAnyMomentLosesNothingItWasToldIsDone) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("store.db");
    const std::random_device::result_type seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    // A neighbour that lives through all of it.
    Child neighbour([&] {
        Client client(path);
        while (client.store) count_up(client, "neighbour");
        return 1;
    });
    int acknowledged = 0;
    for (int round = 0; round < 50; ++round) {
        int pipe_ends[2];
        ASSERT_EQ(pipe(pipe_ends), 0);
        Child writer([&] {
            Client client(path);
            while (client.store) {
                const auto number = count_up(client, "counter");
                if (number && write(pipe_ends[1], &*number, sizeof *number) != sizeof *number) return 1;
            }
            return 1;
        });
        close(pipe_ends[1]);
        // The first number says that it is at work; the time from there on is the luck of the draw.
        int number = 0;
        while (read(pipe_ends[0], &number, sizeof number) == sizeof number) {
            EXPECT_GT(number, acknowledged);
            acknowledged = number;
            if (random() % 8 == 0) {
                usleep(static_cast<useconds_t>(random() % 3000));
                writer.kill_9();
            }
        }
        close(pipe_ends[0]);
        writer.wait();
        Client reader(path);
        const std::string value = reader.value("counter");
        EXPECT_TRUE(value == std::to_string(acknowledged) || value == std::to_string(acknowledged + 1))
            << "acknowledged " << acknowledged << ", found " << value;
        acknowledged = std::max(acknowledged, std::atoi(value.c_str()));
    }
    neighbour.kill_9();
    neighbour.wait();
    EXPECT_EQ(RawFile(path).run("PRAGMA integrity_check"), "ok");
}

TEST(SqliteProcesses, AWatcherSeesTheWritesOfAnotherProcessAsTheyHappen) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("store.db");
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    Child writer([&] {
        close(ends[1]);
        Client client(path);
        int number = 0;
        while (read(ends[0], &number, sizeof number) == sizeof number)
            if (!client.put("leader", std::to_string(number))) return 1;
        return 0;
    });
    close(ends[0]);
    Client watcher(path);
    SnapshotPtr seen;
    const auto watch =
        watcher.store->watch([&](Result<SnapshotPtr> result) { seen = result.value_or(nullptr); });
    ASSERT_TRUE(watcher.loop.run_until([&] { return seen != nullptr; }, 5s));
    int prompt = 0;
    for (int i = 0; i < 20; ++i) {
        const Instant start = boottime_now();
        ASSERT_EQ(write(ends[1], &i, sizeof i), static_cast<ssize_t>(sizeof i));
        ASSERT_TRUE(watcher.loop.run_until(
            [&] {
                return seen && seen->records.contains("leader") &&
                       seen->records.at("leader").value == std::to_string(i);
            },
            5s));
        prompt += boottime_now() - start < 200ms ? 1 : 0;
    }
    EXPECT_GE(prompt, 15) << "of 20; a slow disk may delay some";
    close(ends[1]);
    EXPECT_EQ(writer.wait(), 0);
}

}  // namespace
}  // namespace pgherd
