// docs/internals/decisions.md is generated from the tables. REWRITE=1 writes it anew.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "ha/rule.h"

namespace pgherd::ha {
namespace {

std::string path() {
    return std::string(PGHERD_TESTDATA) + "/../../../../docs/internals/decisions.md";
}

std::string rows(std::span<const Rule> rules) {
    std::string text = "| rule | when, and what then | source |\n|---|---|---|\n";
    for (const Rule& rule : rules)
        text += fmt::format("| `{}`{}{} | {} | {} |\n", rule.name, rule.safety ? " **S**" : "",
                            rule.backs_up.empty() ? "" : fmt::format(", backs up `{}`", rule.backs_up),
                            rule.text, rule.source);
    return text;
}

std::string page() {
    std::string text =
        "# Decisions\n\n"
        "Generated from the tables in `src/ha` by `ha_test` (run it with `REWRITE=1` after a change). The "
        "tables are searched from the\n"
        "top; the first rule that applies decides. Its name is the reason in the log and the label in the "
        "metrics. **S** marks the\n"
        "safety rules: the simulator must find a violation when one is switched off (with what it backs up, "
        "if it is a second line of\n"
        "defence). \"Patroni\" refers to the sections of Patroni's HA loop as numbered in the project's "
        "notes, \"DESIGN\" to the design page.\n";
    for (const Table& table : tables())
        text += fmt::format("\n## {}\n{}", table.situation, rows(table.rules));
    return text +
           "\n## Duties beside the decision\nAll that are due apply, unless PostgreSQL is being "
           "stopped.\n\n" +
           rows(duties());
}

TEST(Documentation, ListsEveryRule) {
    if (std::getenv("REWRITE")) std::ofstream(path()) << page();
    std::stringstream written;
    written << std::ifstream(path()).rdbuf();
    EXPECT_EQ(written.str(), page()) << "run ha_test with REWRITE=1";
}

}  // namespace
}  // namespace pgherd::ha
