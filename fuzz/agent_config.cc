// An agent's configuration file, as people write it.
#include "codec/agent_config.h"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(pgherd::parse_agent_config(text, "fuzz.yml", {}));
    if (const auto json = pgherd::parse_yaml(text, "fuzz.yml")) static_cast<void>(pgherd::to_yaml(*json));
    return 0;
}
