// A layer as clients and files bring it. What is taken must come back the same from its own rendering, and
// combining it with itself must not break the plan.
#include "supervise/layer_yaml.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "supervise/layer_stack.h"
#include "supervise/plan.h"

using namespace pgherd::supervise;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto layer = parse_layer(1000, "fuzz", text);
    if (!layer) return 0;
    const std::string rendered = layer_yaml(*layer);
    const auto again = parse_layer(1000, "fuzz", rendered);
    if (!again || layer_yaml(*again) != rendered) std::abort();
    LayerStack stack;
    if (!stack.load({}) || !stack.append(*layer, false)) return 0;
    const std::string plan = plan_yaml(stack.plan());
    if (!stack.combine_with(*layer, false)) return 0;
    static_cast<void>(plan_yaml(stack.plan()));
    // A plan is itself a layer: people save it and use it as one.
    if (!parse_layer(2000, "plan", plan)) std::abort();
    return 0;
}
