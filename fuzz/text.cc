// The small texts of the API: durations, times, commands, queries, URLs. What is printed must be read back
// the same.
#include "base/text.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/url.h"
#include "supervise/command.h"
#include "supervise/go_text.h"
#include "supervise/go_yaml.h"

using namespace pgherd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto duration = supervise::parse_go_duration(text)) {
        const auto again = supervise::parse_go_duration(supervise::go_duration(*duration));
        if (!again || *again != *duration) std::abort();
    }
    if (const auto time = supervise::parse_rfc3339(text)) {
        const auto again = supervise::parse_rfc3339(supervise::rfc3339(*time));
        if (!again || *again != *time) std::abort();
    }
    if (const auto words = supervise::split_command(text)) {
        const auto again = supervise::split_command(supervise::join_command(*words));
        if (!again || *again != *words) std::abort();
    }
    static_cast<void>(supervise::parse_service_command("x", text));
    static_cast<void>(supervise::go_quote(text));
    static_cast<void>(supervise::yaml_scalar(text));
    static_cast<void>(parse_url(text));
    static_cast<void>(parse_query(text));
    static_cast<void>(parse_duration(text));
    static_cast<void>(parse_bytes(text));
    static_cast<void>(base64_decode(text));
    if (const auto decoded = percent_decode(percent_encode(text), false); decoded && *decoded != text)
        std::abort();
    return 0;
}
