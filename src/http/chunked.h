// Keeps Boost.Beast's parser (1.81) from what it cannot bear: shown the last chunk for a second time, it
// asserts that there are at least five bytes. A peer that sends "0\r\n" and the rest a byte at a time would
// end the program.
#pragma once

#include <cstddef>

namespace pgherd {

// Whether a parser that has asked for more may be shown what there is now. What is left of a chunked message
// then is at least "0\r\n\r\n", so nothing whole is held back.
template <class Parser>
bool is_worth_parsing(const Parser& parser, std::size_t size) {
    return !parser.is_header_done() || !parser.chunked() || size >= 5;
}

}  // namespace pgherd
