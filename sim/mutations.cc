#include "sim/mutations.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "ha/decision.h"
#include "sim/run.h"
#include "sim/scenario.h"

namespace pgherd::sim {

namespace {

// The guard is no rule, but the rules rely on it as on one.
constexpr std::string_view kGuard = "guard";

struct Mutation {
    std::string rule;
    std::string backs_up;
    std::string without() const { return backs_up.empty() ? rule : rule + "," + backs_up; }
};

// How a mutation was noticed: by a scenario, or by a seed.
struct Catch {
    std::string scenario;
    std::uint64_t seed = 0;
    std::string invariant;
    std::string text() const {
        return scenario.empty() ? fmt::format("seed {}", seed) : "scenario " + scenario;
    }
};

std::vector<Mutation> all_mutations() {
    std::vector<Mutation> all;
    for (const auto& rule : ha::rules())
        if (rule.safety) all.push_back({std::string(rule.name), std::string(rule.backs_up)});
    all.push_back({std::string(kGuard), ""});
    return all;
}

std::map<std::string, Catch> recall(const std::string& path) {
    std::map<std::string, Catch> known;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const auto parts = split(line, '|');
        if (line.starts_with('#') || parts.size() != 3) continue;
        Catch how;
        const auto by = split(trim(parts[1]), ' ');
        if (by.size() != 2) continue;
        if (by[0] == "scenario") how.scenario = by[1];
        if (by[0] == "seed") how.seed = parse_uint(by[1]).value_or(0);
        how.invariant = std::string(trim(parts[2]));
        known[std::string(trim(parts[0]))] = std::move(how);
    }
    return known;
}

class Search {
  public:
    explicit Search(const MutationOptions& options) : options_(options) {}

    std::optional<Catch> find(const Mutation& mutation, const Catch* remembered) {
        if (remembered != nullptr)
            if (auto how = attempt(mutation, *remembered)) return how;
        for (const auto& name : scenario_names(options_.directory + "/scenarios"))
            if (auto how = attempt(mutation, {name, 0, ""})) return how;
        for (std::uint64_t seed = options_.first; seed < options_.first + options_.seeds; ++seed)
            if (auto how = attempt(mutation, {"", seed, ""})) return how;
        return std::nullopt;
    }

  private:
    std::optional<Violation> violation(const Catch& how, const std::string& without) {
        RunOptions options;
        options.without = without;
        options.seed = how.seed;
        if (!how.scenario.empty()) {
            auto scenario = read_scenario(options_.directory + "/scenarios", how.scenario);
            if (!scenario) return std::nullopt;
            options.scenario = std::make_shared<Scenario>(*std::move(scenario));
        }
        return run(options).violation;
    }
    // With the rule off something must break, and nothing with the rule alone in force.
    std::optional<Catch> attempt(const Mutation& mutation, Catch how) {
        const auto broken = violation(how, mutation.without());
        if (!broken || violation(how, mutation.backs_up)) return std::nullopt;
        how.invariant = broken->invariant;
        return how;
    }

    const MutationOptions& options_;
};

void remember(const std::string& path, const std::map<std::string, Catch>& caught) {
    std::ofstream file(path);
    file << "# What notices that a safety rule is switched off (pgherd-sim --mutations --remember writes "
            "this).\n"
            "# rule | how | what it breaks\n";
    for (const auto& [rule, how] : caught)
        file << fmt::format("{} | {} | {}\n", rule, how.text(), how.invariant);
}

}  // namespace

int run_mutations(const MutationOptions& options) {
    const auto path = options.directory + "/mutations.txt";
    auto known = recall(path);
    Search search(options);
    std::map<std::string, Catch> caught;
    int missed = 0;
    const auto begin = std::chrono::steady_clock::now();
    fmt::print("{:<58} {:<32} {}\n", "rule switched off (with what it backs up)", "caught by",
               "what it broke");
    for (const auto& mutation : all_mutations()) {
        if (!options.only.empty() && mutation.rule != options.only) continue;
        const auto old = known.find(mutation.rule);
        const auto how = search.find(mutation, old == known.end() ? nullptr : &old->second);
        auto name = mutation.rule;
        if (!mutation.backs_up.empty()) name += " (" + mutation.backs_up + ")";
        fmt::print("{:<58} {:<32} {}\n", name, how ? how->text() : "NOT CAUGHT", how ? how->invariant : "");
        std::fflush(stdout);
        if (how)
            known[mutation.rule] = *how;
        else
            ++missed;
        if (how) caught[mutation.rule] = *how;
    }
    const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    fmt::print("{} caught, {} not, {:.1f} s\n", caught.size(), missed, took);
    if (options.remember) remember(path, options.only.empty() ? caught : known);
    return missed == 0 ? 0 : 1;
}

}  // namespace pgherd::sim
