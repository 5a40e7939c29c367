#include "ctl/config_edit.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace pgherd::ctl {
namespace {

std::string after(const std::string& document, const std::string& assignment) {
    JsonObject object = parse_json_object(document).value();
    auto applied = apply_assignment(object, assignment);
    return applied ? to_text(object) : "error";
}

TEST(Assignment, SetsAKeyToAYamlValue) {
    EXPECT_EQ(after(R"({"ttl":30})", "ttl=10"), R"({"ttl":10})");
    EXPECT_EQ(after(R"({})", "synchronous_mode = quorum"), R"({"synchronous_mode":"quorum"})");
    EXPECT_EQ(after(R"({})", "postgresql.pg_hba=[local all all trust]"),
              R"({"postgresql":{"pg_hba":["local all all trust"]}})");
}

TEST(Assignment, RemovesAKeyWithNullAndWhatIsEmptyThen) {
    EXPECT_EQ(after(R"({"ttl":30,"postgresql":{"parameters":{"work_mem":"4MB"}}})",
                    "postgresql.parameters.work_mem=null"),
              R"({"ttl":30})");
}

TEST(Assignment, KeepsDotsInNamesOfSettings) {
    EXPECT_EQ(after(R"({})", "postgresql.parameters.auto_explain.log_min_duration=1s"),
              R"({"postgresql":{"parameters":{"auto_explain.log_min_duration":"1s"}}})");
}

TEST(Assignment, RefusesWhatIsNone) {
    for (auto text : {"", "ttl", "=5", ".a=1", "a.=1"}) EXPECT_EQ(after("{}", text), "error") << text;
}

TEST(Difference, ShowsChangedLinesWithThoseAround) {
    EXPECT_EQ(difference_of_lines("a\nb\nc\nd\ne\nf\ng\n", "a\nb\nc\nX\ne\nf\ng\n"),
              " b\n c\n-d\n+X\n e\n f\n");
    EXPECT_EQ(difference_of_lines("a\n", "a\n"), "");
}

}  // namespace
}  // namespace pgherd::ctl
