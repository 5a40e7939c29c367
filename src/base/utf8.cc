#include "base/utf8.h"

#include <algorithm>

#include "base/assert.h"

namespace pgherd {
namespace {

std::size_t ascii_run(std::string_view text) {
    const auto end = std::ranges::find_if(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    return static_cast<std::size_t>(end - text.begin());
}

// How much of the front is UTF-8.
std::size_t utf8_run(std::string_view text) {
    std::size_t run = 0;
    while ((run += ascii_run(text.substr(run))) < text.size()) {
        const std::size_t length = utf8_length(text.substr(run));
        if (length == 0) return run;
        run += length;
    }
    return run;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc2 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf5 ? 4
                                              : 0;
    if (length == 0 || length > text.size()) return 0;
    for (std::size_t at = 1; at < length; ++at)
        if ((byte(at) & 0xc0) != 0x80) return 0;
    const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
    const bool surrogate = first == 0xed && byte(1) >= 0xa0;
    const bool beyond = first == 0xf4 && byte(1) >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

char32_t utf8_code_point(std::string_view text) {
    const std::size_t length = utf8_length(text);
    PGHERD_ASSERT(length > 0);
    const unsigned own_bits[] = {0x7f, 0x1f, 0x0f, 0x07};
    char32_t code = static_cast<unsigned char>(text[0]) & own_bits[length - 1];
    for (const char c : text.substr(1, length - 1))
        code = code << 6U | (static_cast<unsigned char>(c) & 0x3fU);
    return code;
}

bool is_utf8(std::string_view text) {
    return utf8_run(text) == text.size();
}

std::string to_utf8(std::string text) {
    std::size_t run = utf8_run(text);
    if (run == text.size()) return text;
    std::string result;
    for (std::string_view left = text; !left.empty(); run = utf8_run(left)) {
        result += left.substr(0, run);
        left.remove_prefix(run);
        if (left.empty()) break;
        result += kReplacementCharacter;
        left.remove_prefix(1);
    }
    return result;
}

}  // namespace pgherd
