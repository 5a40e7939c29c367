// The cases of testdata/*.txt: an observation, `----`, and what is decided. REWRITE=1 writes the answers
// anew; read the difference before you commit it.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "show.h"

namespace pgherd::ha {
namespace {

using namespace testing;

struct Case {
    std::string name;  // the rule; a description may follow after a colon
    std::vector<std::string> input;
    std::string expected;
    std::string rule() const { return name.substr(0, name.find(':')); }
};

struct File {
    std::filesystem::path path;
    std::string head;  // comment at the top
    std::vector<Case> cases;
};

// Splits at blank lines: "case NAME", input lines, "----", expected lines.
File read(const std::filesystem::path& path) {
    File file{path, "", {}};
    std::ifstream in(path);
    bool output = false;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("case ")) {
            file.cases.push_back({line.substr(5), {}, ""});
            output = false;
        } else if (file.cases.empty()) {
            file.head += line + "\n";
        } else if (line == "----") {
            output = true;
        } else if (output && !line.empty()) {
            file.cases.back().expected += line + "\n";
        } else if (!line.empty()) {
            file.cases.back().input.push_back(line);
        }
    }
    return file;
}

std::vector<File> read_all() {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(PGHERD_TESTDATA))
        paths.push_back(entry.path());
    std::ranges::sort(paths);
    std::vector<File> files;
    for (const auto& path : paths) files.push_back(read(path));
    return files;
}

Decision run(const Case& test, World& world) {
    for (const std::string& line : test.input) apply(world, line);
    return decide(world.observation(), world.memory);
}

void rewrite(File& file) {
    std::ofstream out(file.path);
    out << file.head;
    for (std::size_t i = 0; i < file.cases.size(); ++i) {
        const Case& test = file.cases[i];
        out << (i ? "\n" : "") << "case " << test.name << "\n";
        for (const std::string& line : test.input) out << line << "\n";
        out << "----\n" << test.expected;
    }
}

TEST(DecisionTables, DecideAsTheirCasesSay) {
    for (File& file : read_all()) {
        for (Case& test : file.cases) {
            SCOPED_TRACE(file.path.filename().string() + ": case " + test.name);
            World world;
            Decision decision = run(test, world);
            std::string text = show(decision, world.memory);
            if (std::getenv("REWRITE")) test.expected = text;
            EXPECT_EQ(text, test.expected);
        }
        if (std::getenv("REWRITE")) rewrite(file);
    }
}

TEST(DecisionTables, HaveACaseForEveryRuleAndARuleForEveryCase) {
    std::set<std::string> covered;
    for (const File& file : read_all())
        for (const Case& test : file.cases) {
            World world;
            Decision decision = run(test, world);
            bool duty = std::ranges::count(decision.duties, test.rule()) > 0;
            EXPECT_TRUE(decision.rule == test.rule() || duty)
                << file.path.filename() << ": case " << test.name << " is decided by " << decision.rule;
            covered.insert(test.rule());
        }
    std::set<std::string> all;
    for (const RuleInfo& rule : rules()) {
        EXPECT_TRUE(all.insert(std::string(rule.name)).second) << "two rules are named " << rule.name;
        EXPECT_TRUE(covered.contains(std::string(rule.name))) << "no case is named " << rule.name;
    }
}

TEST(DecisionTables, ASafetyRuleSwitchedOffDecidesDifferently) {
    std::set<std::string_view> different;
    for (const File& file : read_all())
        for (const Case& test : file.cases) {
            World world;
            Decision with = run(test, world);
            Decision without = decide_without(with.rule, world.observation(), world.memory);
            if (show(with.actions) != show(without.actions)) different.insert(with.rule);
            EXPECT_NE(without.rule, with.rule);
        }
    for (const RuleInfo& rule : rules())
        if (rule.safety)
            EXPECT_TRUE(different.contains(rule.name)) << rule.name << " switched off changes nothing";
}

}  // namespace
}  // namespace pgherd::ha
