// Whole runs: the seeds that once failed, the scenarios, and that a seed repeats.
#include "sim/run.h"

#include <filesystem>
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

TEST(Run, EveryScenarioEndsWell) {
    const std::string directory = PGHERD_SIM_DIR "/scenarios";
    const auto names = scenario_names(directory);
    EXPECT_FALSE(names.empty());
    for (const auto& name : names) {
        auto scenario = read_scenario(directory, name);
        ASSERT_TRUE(scenario) << scenario.error().message;
        RunOptions options;
        options.scenario = std::make_shared<Scenario>(*std::move(scenario));
        const auto result = run(options);
        EXPECT_FALSE(result.violation)
            << name << ": " << result.violation->invariant << ": " << result.violation->what
            << "\n  repeat: pgherd-sim --scenario " << name << " --trace";
    }
}

TEST(Scenario, NamesTheLineOfAMistake) {
    const auto directory = std::filesystem::path(::testing::TempDir());
    const auto read = [&](const std::string& text) {
        std::ofstream(directory / "mistake.txt") << text;
        const auto scenario = read_scenario(directory.string(), "mistake");
        return scenario ? std::string() : scenario.error().message;
    };
    EXPECT_NE(read("members 3\nat 5 dance first\nuntil 9\n").find("mistake.txt:2"), std::string::npos);
    EXPECT_NE(read("at 5 cut first\nuntil 9\n").find("2 names"), std::string::npos);
    EXPECT_NE(read("at five isolate first\nuntil 9\n").find("no time"), std::string::npos);
    EXPECT_NE(read("at 5 isolate first\n").find("until"), std::string::npos);
    EXPECT_EQ(read("at 5 isolate first  # and then\nuntil 9\n"), "");
    std::filesystem::remove(directory / "mistake.txt");
}

}  // namespace
}  // namespace pgherd::sim
