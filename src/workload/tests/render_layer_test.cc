#include "workload/render_layer.h"

#include <gtest/gtest.h>

#include "supervise/command.h"
#include "supervise/layer_yaml.h"
#include "supervise/plan.h"

namespace pgherd {
namespace {

TEST(AgentsLayer, StartsOneAgentPerMember) {
    auto layer =
        agents_layer("/opt/a b/pgherd", {{"one", MemberName("one"), "/srv/o'ne/agent.yml", "/srv/one"},
                                         {"two", MemberName("two"), "/srv/two/agent.yml", ""}});
    ASSERT_TRUE(supervise::validate_layer(layer));
    ASSERT_TRUE(supervise::validate_plan(layer.sections));
    EXPECT_EQ(supervise::default_services(layer.sections), (std::vector<std::string>{"one", "two"}));
    auto words = supervise::split_command(layer.sections.services.at("one").command);
    ASSERT_TRUE(words);
    EXPECT_EQ(*words, (std::vector<std::string>{"/opt/a b/pgherd", "agent", "/srv/o'ne/agent.yml"}));
}

TEST(AgentsLayer, IsReadBackAsItWas) {
    auto layer = agents_layer("pgherd", {{"one", MemberName("one"), "/srv/one/agent.yml", "/srv/one"}});
    auto read = supervise::parse_layer(layer.order, layer.label, supervise::layer_yaml(layer));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, layer);
}

}  // namespace
}  // namespace pgherd
