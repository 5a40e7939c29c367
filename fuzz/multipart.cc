// A multipart body, in pieces of any size: the pieces must not matter.
#include "http/multipart.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#include <fuzzer/FuzzedDataProvider.h>

using namespace pgherd;

namespace {

// All that was read, as one text; what comes behind an error does not matter.
template <class Next>
std::string read(std::string_view body, Next next_size) {
    MultipartReader reader("boundary");
    std::string all;
    for (std::size_t at = 0; at <= body.size();) {
        const std::size_t size = next_size();
        reader.feed(body.substr(at, size));
        at += size;
        for (;;) {
            const auto event = reader.next();
            if (!event) return all + "<error>";
            if (*event == MultipartReader::Event::need_more) break;
            if (*event == MultipartReader::Event::part_begin)
                all += "<" + reader.head().name + "|" + reader.head().filename + ">";
            if (*event == MultipartReader::Event::data) all += reader.data();
            if (*event == MultipartReader::Event::part_end) all += "</>";
            if (*event == MultipartReader::Event::end) return all + "<end>";
        }
    }
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FuzzedDataProvider provider(data, size);
    const std::size_t piece = provider.ConsumeIntegralInRange<std::size_t>(1, 100);
    const std::string body = provider.ConsumeRemainingBytesAsString();
    static_cast<void>(multipart_boundary(body));
    const std::string whole = read(body, [&] { return body.size() + 1; });
    const std::string pieces = read(body, [&] { return piece; });
    // An error may be found before or after the content around it was given out.
    if (whole.ends_with("<error>") != pieces.ends_with("<error>")) std::abort();
    if (!whole.ends_with("<error>") && whole != pieces && whole.size() == pieces.size()) std::abort();
    return 0;
}
