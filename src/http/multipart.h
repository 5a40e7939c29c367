// multipart/form-data (RFC 7578), read and written piece by piece: the parts may be larger than memory.
//
// The reader is pure and never waits: it is fed with bytes, and asked for what they mean until it wants more.
// What it holds is bounded by the piece it was fed with and a part's head. Content before the first boundary
// and after the last is skipped. A part's content is passed through as it is; transfer encodings are not
// undone.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pgherd {

struct MultipartHead {
    std::string name;
    std::string filename;  // with backslash escapes undone, otherwise as sent: it may be a path
    std::string content_type;
};

class MultipartReader {
  public:
    enum class Event {
        need_more,   // feed() again, or it is an error if there is no more
        part_begin,  // head() says which
        data,        // data() is its next piece, until the next feed()
        part_end,
        end,  // the last boundary was read
    };

    explicit MultipartReader(std::string_view boundary);

    void feed(std::string_view bytes);
    // Errors are of code invalid, and final.
    Result<Event> next();
    const MultipartHead& head() const { return head_; }
    std::string_view data() const { return data_; }

  private:
    enum class State { preamble, head, content, done };
    enum class Found { bytes, boundary, last_boundary, unknown };
    std::string_view rest() const { return std::string_view(buffer_).substr(at_); }
    Result<Event> read_head();
    Found scan();
    Found classify(std::string_view after_delimiter);

    std::string delimiter_;  // with the line end before it
    std::string buffer_;
    std::size_t at_ = 0;
    State state_ = State::preamble;
    MultipartHead head_;
    std::string_view data_;
};

// From `multipart/form-data; boundary="…"`.
Result<std::string> multipart_boundary(std::string_view content_type);

// What goes before a part's content, `first` or not, and after the last one's.
std::string multipart_part(std::string_view boundary, const MultipartHead& head, bool first);
std::string multipart_end(std::string_view boundary, bool first);

}  // namespace pgherd
