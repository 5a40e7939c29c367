// pgherd-sim: runs seeds, and when one breaks an invariant prints how to repeat it and what happened last.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "ha/decision.h"
#include "sim/mutations.h"
#include "sim/run.h"

namespace {

using namespace pgherd;
using namespace pgherd::sim;

struct Arguments {
    std::uint64_t seeds = 100;
    std::uint64_t first = 1;
    std::uint64_t seed = 0;
    int members = 0;
    int seconds = 50;
    unsigned jobs = 1;
    bool trace = false;
    bool mutations = false;
    bool keep_going = false;
    bool remember = false;
    std::string without;
    std::string scenario;
};

RunOptions options_of(const Arguments& arguments, std::uint64_t seed) {
    RunOptions options;
    options.seed = seed;
    options.members = arguments.members;
    options.without = arguments.without;
    options.faults = std::chrono::seconds(arguments.seconds);
    return options;
}

std::string command_of(const Arguments& arguments, std::uint64_t seed) {
    auto text = fmt::format("pgherd-sim --seed {}", seed);
    if (arguments.members != 0) text += fmt::format(" --members {}", arguments.members);
    if (arguments.seconds != Arguments{}.seconds) text += fmt::format(" --seconds {}", arguments.seconds);
    if (!arguments.without.empty()) text += fmt::format(" --without {}", arguments.without);
    return text;
}

void print_violation(const Arguments& arguments, std::uint64_t seed, const RunResult& result) {
    auto options = options_of(arguments, seed);
    options.reading = Trace::Reading::tail;
    const auto again = run(options);
    for (const auto& line : again.tail) fmt::print("{}\n", line);
    fmt::print("\nviolated: {}\n  {}\n  cluster: {}\n  version: {}\n  repeat:  {} [--trace]\n",
               result.violation->invariant, result.violation->what, result.description, PGHERD_SIM_VERSION,
               command_of(arguments, seed));
    if (again.hash != result.hash)
        fmt::print("  the second run took another course: the simulation is not deterministic\n");
}

// What many runs have in common.
struct Totals {
    std::uint64_t runs = 0, violations = 0, open = 0, events = 0, acknowledged = 0, lost = 0, elections = 0,
                  repeated = 0;
    Duration simulated{};
    Duration longest_to_rest{};
    std::map<std::string, std::uint64_t, std::less<>> rules;

    void add(const RunResult& result) {
        ++runs;
        events += result.events;
        acknowledged += result.acknowledged;
        lost += result.lost;
        elections += result.elections;
        simulated += result.simulated;
        longest_to_rest = std::max(longest_to_rest, result.to_rest);
        for (const auto& [rule, count] : result.rules) rules[rule] += count;
    }
};

int run_one(const Arguments& arguments) {
    auto options = options_of(arguments, arguments.seed);
    if (arguments.trace) options.reading = Trace::Reading::everything;
    const auto result = run(options);
    if (result.violation && !arguments.trace) print_violation(arguments, arguments.seed, result);
    fmt::print(
        "seed {}: {}; {}, {} events, {} acknowledged, {} lost as allowed, at rest after {}, hash {:016x}\n",
        arguments.seed, result.description, to_text(result.simulated), result.events, result.acknowledged,
        result.lost, to_text(result.to_rest), result.hash);
    if (result.violation)
        fmt::print("violated: {}\n  {}\n", result.violation->invariant, result.violation->what);
    return result.violation ? 1 : 0;
}

void print_coverage(const Totals& totals) {
    std::size_t hit = 0;
    std::string missing;
    for (const auto& rule : ha::rules()) {
        if (totals.rules.contains(rule.name))
            ++hit;
        else
            missing += (missing.empty() ? "" : ", ") + std::string(rule.name);
    }
    fmt::print("rules that decided: {} of {}{}{}\n", hit, ha::rules().size(),
               missing.empty() ? "" : "; never: ", missing);
}

// The liveness bugs that are known and not mended yet: seed -> invariant (sim/known_bugs/open.txt).
std::map<std::uint64_t, std::string> open_bugs() {
    std::map<std::uint64_t, std::string> open;
    std::ifstream file(PGHERD_SIM_DIR "/known_bugs/open.txt");
    for (std::string line; std::getline(file, line);) {
        auto parts = split(line, '|');
        if (line.starts_with('#') || parts.size() != 3) continue;
        if (auto seed = parse_uint(trim(parts[0]))) open[*seed] = std::string(trim(parts[1]));
    }
    return open;
}

int run_many(const Arguments& arguments) {
    const auto open = arguments.members == 0 && arguments.seconds == 50 && arguments.without.empty()
                          ? open_bugs()
                          : std::map<std::uint64_t, std::string>{};
    std::mutex mutex;
    Totals totals;
    std::atomic<std::uint64_t> next{arguments.first};
    std::atomic<bool> stop{false};
    const auto begin = std::chrono::steady_clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    const auto work = [&] {
        for (std::uint64_t seed = next++; seed < arguments.first + arguments.seeds && !stop; seed = next++) {
            const auto result = run(options_of(arguments, seed));
            bool same = true;
            if (seed % 20 == 0) same = run(options_of(arguments, seed)).hash == result.hash;
            const std::scoped_lock lock(mutex);
            totals.add(result);
            if (seed % 20 == 0) ++totals.repeated;
            if (!same) fmt::print("seed {} took another course when repeated\n", seed);
            const auto known = open.find(seed);
            if (same && result.violation && known != open.end() &&
                known->second == result.violation->invariant) {
                ++totals.open;
                fmt::print("seed {} (open, see sim/known_bugs/open.txt): {}\n", seed,
                           result.violation->invariant);
            } else if (result.violation || !same) {
                ++totals.violations;
                if (!arguments.keep_going) stop = true;
                if (!arguments.keep_going && result.violation)
                    print_violation(arguments, seed, result);
                else if (result.violation)
                    fmt::print("seed {} ({}): {}: {}\n", seed, result.description,
                               result.violation->invariant, result.violation->what);
            }
            if (totals.runs % 200 == 0) fmt::print("{} seeds, {:.1f} s\n", totals.runs, elapsed());
            std::fflush(stdout);
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < arguments.jobs; ++i) threads.emplace_back(work);
    work();
    for (auto& thread : threads) thread.join();
    fmt::print(
        "{} seeds in {:.1f} s: {:.1f} h simulated, {} events, {} commits acknowledged, {} promotions, {} "
        "lost as the mode allows, slowest rest {}; "
        "{} seeds repeated; {} violations, {} open\n",
        totals.runs, elapsed(), std::chrono::duration<double>(totals.simulated).count() / 3600, totals.events,
        totals.acknowledged, totals.elections, totals.lost, to_text(totals.longest_to_rest), totals.repeated,
        totals.violations, totals.open);
    print_coverage(totals);
    return totals.violations == 0 ? 0 : 1;
}

int run_scenarios(const Arguments& arguments) {
    const std::string directory = PGHERD_SIM_DIR "/scenarios";
    auto names = scenario_names(directory);
    if (arguments.scenario != "all") names = {arguments.scenario};
    int broken = 0;
    for (const auto& name : names) {
        auto scenario = read_scenario(directory, name);
        if (!scenario) {
            fmt::print(stderr, "{}\n", scenario.error().message);
            return 1;
        }
        RunOptions options;
        options.scenario = std::make_shared<Scenario>(*std::move(scenario));
        options.without = arguments.without;
        if (arguments.trace) options.reading = Trace::Reading::everything;
        const auto result = run(options);
        fmt::print("scenario {}: {}\n", name,
                   result.violation ? result.violation->invariant + ": " + result.violation->what
                                    : "at rest after " + to_text(result.to_rest));
        broken += result.violation ? 1 : 0;
    }
    return broken == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Runs pgherd's agent in a simulated world full of faults"};
    app.add_option("--seeds", arguments.seeds, "how many seeds to run")->capture_default_str();
    app.add_option("--first", arguments.first, "the first of them")->capture_default_str();
    app.add_option("--seed", arguments.seed, "run this seed alone");
    app.add_option("--members", arguments.members, "members of the cluster; 0: drawn from the seed")
        ->check(CLI::Range(0, 5));
    app.add_option("--seconds", arguments.seconds, "how long faults strike")->capture_default_str();
    app.add_option("--jobs", arguments.jobs, "threads")->capture_default_str();
    app.add_option(
        "--without", arguments.without,
        "decide as if these safety rules did not exist (commas between; \"guard\" is its deadline)");
    app.add_option("--scenario", arguments.scenario, "run sim/scenarios/NAME.txt, or all of them");
    app.add_flag("--trace", arguments.trace, "with --seed: print every event");
    app.add_flag("--mutations", arguments.mutations,
                 "switch every safety rule off in turn and look for a scenario or a seed that notices");
    app.add_flag("--remember", arguments.remember, "with --mutations: write sim/mutations.txt anew");
    app.add_flag("--keep-going", arguments.keep_going, "do not stop at the first violation");
    CLI11_PARSE(app, argc, argv);
    if (!arguments.scenario.empty()) return run_scenarios(arguments);
    if (arguments.mutations)
        return run_mutations({PGHERD_SIM_DIR, arguments.without, arguments.first,
                              app.count("--seeds") == 0 ? 300 : arguments.seeds, arguments.remember});
    return arguments.seed != 0 ? run_one(arguments) : run_many(arguments);
}
