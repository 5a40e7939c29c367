// The cases of testdata/plans.txt: layers in, plan or error out.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "supervise/layer_stack.h"
#include "supervise/layer_yaml.h"

namespace pgherd::supervise {
namespace {

struct Case {
    std::string title;
    std::vector<std::pair<std::string, std::string>> layers;
    std::string plan;
    std::string error;
};

std::vector<Case> read_cases() {
    std::ifstream file(PGHERD_TESTDATA "/plans.txt");
    std::vector<Case> cases;
    std::string* into = nullptr;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("=== ")) {
            cases.push_back({line.substr(4), {}, {}, {}});
            into = nullptr;
        } else if (line.starts_with("--- ")) {
            cases.back().layers.emplace_back(line.substr(4), "");
            into = &cases.back().layers.back().second;
        } else if (line.starts_with(">>> ")) {
            into = line == ">>> plan" ? &cases.back().plan : &cases.back().error;
        } else if (into) {
            *into += line + '\n';
        }
    }
    for (Case& each : cases)
        for (std::string* text : {&each.plan, &each.error})
            while (text->ends_with("\n\n") || (text == &each.error && text->ends_with('\n')))
                text->pop_back();
    return cases;
}

Result<std::string> plan_of(const Case& given) {
    LayerStack stack;
    PGHERD_CHECK(stack.load({}));
    for (const auto& [label, text] : given.layers) {
        PGHERD_TRY(Layer layer, parse_layer(0, label, text));
        PGHERD_CHECK(stack.append(std::move(layer), false));
    }
    return plan_yaml(stack.plan());
}

TEST(Plan, IsWhatTheCasesSay) {
    const std::vector<Case> cases = read_cases();
    ASSERT_GT(cases.size(), 15u);
    for (const Case& each : cases) {
        SCOPED_TRACE(each.title);
        const Result<std::string> plan = plan_of(each);
        if (each.error.empty()) {
            ASSERT_TRUE(plan) << plan.error().message;
            EXPECT_EQ(*plan, each.plan);
        } else {
            ASSERT_FALSE(plan) << *plan;
            EXPECT_EQ(plan.error().message, each.error);
        }
    }
}

TEST(Plan, ReadsBackWhatItWrote) {
    for (const Case& each : read_cases()) {
        if (!each.error.empty()) continue;
        SCOPED_TRACE(each.title);
        Layer layer = *parse_layer(0, "again", *plan_of(each));
        layer.summary = "what it is";
        const Result<Layer> again = parse_layer(0, "again", layer_yaml(layer));
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(*again, layer);
    }
}

TEST(Plan, RefusesWhatIsNoYamlAndNoLayer) {
    for (const std::string text : {"[", "a: b: c", "- x", "5", "services: 5", "services: {a: 5}",
                                   "services: {? [a] : b}", "services: {x: &x {override: *y}}", "\x01"})
        EXPECT_FALSE(parse_layer(0, "x", text)) << text;
}

TEST(LayerStack, PutsALayerWithAKnownLabelInItsOldPlace) {
    LayerStack stack;
    ASSERT_TRUE(stack.load({}));
    const auto layer = [](std::string label, std::string command) {
        return *parse_layer(0, label, "services: {a: {override: replace, command: " + command + "}}");
    };
    ASSERT_TRUE(stack.append(layer("one", "1x"), false));
    ASSERT_TRUE(stack.append(layer("two", "2x"), false));
    ASSERT_TRUE(stack.combine_with(layer("one", "3x"), false));
    EXPECT_EQ(stack.plan().services.at("a").command, "2x");
    EXPECT_EQ(stack.append(layer("one", "4x"), false).error().message, "layer \"one\" already exists");
    EXPECT_EQ(stack.append(layer("pebble-x", "4x"), false).error().message,
              "cannot use reserved label prefix \"pebble-\"");
    EXPECT_EQ(stack.layers()[0].order, 1000);
    EXPECT_EQ(stack.layers()[1].order, 2000);
}

TEST(LayerStack, ChangesNothingWhenTheResultWouldBeWrong) {
    LayerStack stack;
    ASSERT_TRUE(stack.load({}));
    ASSERT_TRUE(
        stack.append(*parse_layer(0, "one", "services: {a: {override: replace, command: c}}"), false));
    const Plan before = stack.plan();
    EXPECT_FALSE(
        stack.combine_with(*parse_layer(0, "one", "services: {a: {override: merge, requires: [z]}}"), false));
    EXPECT_FALSE(stack.append(*parse_layer(0, "two", "services: {b: {override: merge}}"), false));
    EXPECT_EQ(stack.plan(), before);
    EXPECT_EQ(stack.layers().size(), 1u);
}

TEST(LayerStack, PutsALayerOfASubDirectoryThereOnlyWhenItSaysInner) {
    LayerStack stack;
    Layer base = *parse_layer(1001, "sub/base", "services: {a: {override: merge, command: inside}}");
    Layer last = *parse_layer(2000, "last", "services: {a: {override: merge, command: last}}");
    ASSERT_TRUE(stack.load({last, base}));
    const Layer fresh = *parse_layer(0, "sub/new", "services: {a: {override: merge, command: new}}");
    EXPECT_EQ(stack.append(fresh, false).error().message,
              "cannot insert sub-directory layer without 'inner' attribute set");
    ASSERT_TRUE(stack.append(fresh, true));
    EXPECT_EQ(stack.layers()[1].label, "sub/new");
    EXPECT_EQ(stack.layers()[1].order, 1002);
    EXPECT_EQ(stack.plan().services.at("a").command, "last");
}

TEST(LayerStack, ReplacesDefaultArguments) {
    LayerStack stack;
    ASSERT_TRUE(stack.load(
        {*parse_layer(1000, "base", "services: {a: {override: merge, command: 'c -x [ one ]'}}")}));
    ASSERT_TRUE(stack.set_service_arguments({{"a", {"two words", "three"}}}));
    EXPECT_EQ(stack.plan().services.at("a").command, "c -x [ 'two words' three ]");
    EXPECT_FALSE(stack.set_service_arguments({{"nope", {}}}));
}

TEST(LayerFiles, AreSortedAndTheirNamesAreChecked) {
    const auto files =
        layer_files({{"002-second.yaml", false}, {"README", false}, {"001-first.d", true}}, false);
    ASSERT_TRUE(files);
    ASSERT_EQ(files->size(), 2u);
    EXPECT_EQ((*files)[0].parts.label, "first");
    EXPECT_TRUE((*files)[0].parts.directory);
    EXPECT_EQ((*files)[1].parts.order, 2);
    for (const std::string name :
         {"1-short.yaml", "001-UPPER.yaml", "001-ab.yaml", "001-a--b.yaml", "001-abc-.yaml"})
        EXPECT_FALSE(layer_files({{name, false}}, false)) << name;
    EXPECT_EQ(layer_files({{"001-two.yaml", false}, {"001-one.yaml", false}}, false).error().message,
              "invalid layer filename: \"001-two.yaml\" not unique (have \"001-one.yaml\" already)");
    EXPECT_FALSE(layer_files({{"001-sub.d", true}}, true));
}

}  // namespace
}  // namespace pgherd::supervise
