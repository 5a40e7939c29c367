// Whole runs: the seeds that once failed, some fresh ones, and that a seed repeats.
#include "sim/run.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace pgherd::sim {
namespace {

std::string complaint(const RunOptions& options, const RunResult& result) {
    if (!result.violation) return "";
    return result.violation->invariant + ": " + result.violation->what + "\n  repeat: pgherd-sim --seed " +
           std::to_string(options.seed) + " --members " + std::to_string(options.members);
}

TEST(Run, TheSameSeedTakesTheSameCourse) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        RunOptions options;
        options.seed = seed;
        EXPECT_EQ(run(options).hash, run(options).hash) << "seed " << seed;
    }
}

TEST(Run, SeedsThatOnceFailedPass) {
    std::ifstream file(PGHERD_SIM_DIR "/known_bugs/seeds.txt");
    ASSERT_TRUE(file);
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.front() == '#') continue;
        RunOptions options;
        std::istringstream(line) >> options.seed >> options.members;
        EXPECT_EQ(complaint(options, run(options)), "") << line;
    }
}

}  // namespace
}  // namespace pgherd::sim
