// The golden list of mistakes: testdata/agent_config_mistakes.txt.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/text.h"
#include "codec/agent_config.h"

namespace pgherd {
namespace {

constexpr auto kFile = PGHERD_TESTDATA "/agent_config_mistakes.txt";

struct Case {
    std::string title;
    std::string input;  // as it stands in the file
    std::string yaml;
    Environment environment;
    std::string expected;
};

struct Cases {
    std::string preamble;
    std::vector<Case> cases;
};

Cases read_cases() {
    std::ifstream file(kFile);
    Cases result;
    bool in_message = false;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("=== ")) {
            result.cases.push_back({line.substr(4), {}, {}, {}, {}});
            in_message = false;
        } else if (result.cases.empty()) {
            result.preamble += line + "\n";
        } else if (Case& current = result.cases.back(); line == "---") {
            in_message = true;
        } else if (in_message) {
            if (!line.empty()) current.expected += line;
        } else {
            current.input += line + "\n";
            if (line.starts_with("$ ")) {
                auto equals = line.find('=');
                current.environment[line.substr(2, equals - 2)] = line.substr(equals + 1);
            } else {
                current.yaml +=
                    (line == "\\---" ? "---" : line) + "\n";  // the document separator is ours in this file
            }
        }
    }
    return result;
}

void rewrite(const Cases& cases) {
    std::ofstream file(kFile);
    file << trim(cases.preamble) << "\n";
    for (const Case& test : cases.cases)
        file << "\n=== " << test.title << "\n" << test.input << "---\n" << test.expected << "\n";
}

TEST(AgentConfigMistakes, EachGetsOneClearMessage) {
    Cases cases = read_cases();
    ASSERT_FALSE(cases.cases.empty()) << kFile;
    for (Case& test : cases.cases) {
        auto config = parse_agent_config(test.yaml, "patroni.yml", test.environment);
        auto got = config ? "no mistake" : config.error().message;
        if (std::getenv("PGHERD_REWRITE"))
            test.expected = got;
        else
            EXPECT_EQ(got, test.expected) << test.title;
    }
    if (std::getenv("PGHERD_REWRITE")) rewrite(cases);
}

}  // namespace
}  // namespace pgherd
