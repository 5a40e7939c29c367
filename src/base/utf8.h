// Texts from outside (what services print, names of files) may be of any bytes; JSON is UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pgherd {

inline constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";  // U+FFFD

// The length of the character that `text`, which is not empty, begins with; 0: it begins with none.
std::size_t utf8_length(std::string_view text);
// The number of that character, which must be one.
char32_t utf8_code_point(std::string_view text);
bool is_utf8(std::string_view text);
// Each byte that is no UTF-8 becomes U+FFFD, as Go's JSON does it.
std::string to_utf8(std::string text);

}  // namespace pgherd
