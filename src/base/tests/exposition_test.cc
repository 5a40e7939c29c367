// Metrics as Prometheus reads them.
#include "base/exposition.h"

#include <gtest/gtest.h>

namespace pgherd {
namespace {

TEST(Exposition, HasOneHeadForEachFamily) {
    Exposition out;
    out.family("a_total", "counter", "How many.");
    out.sample(1, {{"of", "x"}});
    out.sample(2, {{"of", "y"}, {"more", "z"}});
    out.flag("b", "Whether.", true);
    out.comment("said");
    EXPECT_EQ(out.take(),
              "# HELP a_total How many.\n# TYPE a_total counter\n"
              "a_total{of=\"x\"} 1\na_total{of=\"y\",more=\"z\"} 2\n"
              "# HELP b Whether.\n# TYPE b gauge\nb 1\n# said\n");
}

TEST(Exposition, EscapesTheValuesOfLabels) {
    Exposition out("p_", {{"scope", "a\\b\"c\nd"}});
    out.gauge("x", "X.", 0.5);
    out.counter("y_total", "Y.", 7);
    out.sample("8", {{"more", ""}});
    EXPECT_EQ(out.take(),
              "# HELP p_x X.\n# TYPE p_x gauge\np_x{scope=\"a\\\\b\\\"c\\nd\"} 0.5\n"
              "# HELP p_y_total Y.\n# TYPE p_y_total counter\np_y_total{scope=\"a\\\\b\\\"c\\nd\"} 7\n"
              "p_y_total{scope=\"a\\\\b\\\"c\\nd\",more=\"\"} 8\n");
}

}  // namespace
}  // namespace pgherd
