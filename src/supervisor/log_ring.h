// The last lines that a service wrote, as many as fit into a fixed number of bytes.
//
// One ring of bytes per service, which grows with what the service writes up to its bound; a line costs a
// header and its text. The oldest lines make room for new ones. Readers keep a cursor of their own and find
// out, when they come too late, how many lines they have missed; none of them holds anything up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace pgherd::supervisor {

struct LogLine {
    WallTime time;
    std::uint64_t sequence = 0;  // grows over all services, in the order of arrival
    std::string_view text;       // any bytes but a line end
};

class LogRing {
  public:
    struct Cursor {
        std::uint64_t offset = 0;
        std::uint64_t number = 0;
    };

    explicit LogRing(std::size_t capacity);

    void append(const LogLine& line);

    Cursor oldest() const { return first_; }
    Cursor newest() const { return end_; }  // behind the last line
    // The place of the line `count` before the end, or of the oldest.
    Cursor last(std::size_t count) const;
    std::uint64_t size() const { return end_.number - first_.number; }

    // Moves a cursor whose line is gone to the oldest, and gives how many lines it missed.
    std::uint64_t catch_up(Cursor& cursor) const;
    // The line at the cursor, which must be in the ring and not at its end; the text is valid until the next
    // append, or the next call with the same `scratch`.
    LogLine read(const Cursor& cursor, std::string& scratch) const;
    std::uint64_t sequence_at(const Cursor& cursor) const;
    void advance(Cursor& cursor) const;

  private:
    struct Header {
        std::int64_t time = 0;
        std::uint64_t sequence = 0;
        std::uint32_t size = 0;
    };
    static constexpr std::size_t kHeaderSize = 20;

    Header header_at(std::uint64_t offset) const;
    void put(std::uint64_t offset, const void* bytes, std::size_t size);
    void get(std::uint64_t offset, void* bytes, std::size_t size) const;
    void make_room(std::size_t size);
    void grow(std::size_t needed);

    std::size_t capacity_;
    std::vector<char> bytes_;  // a line at offset o begins at o modulo its size
    Cursor first_;
    Cursor end_;
};

}  // namespace pgherd::supervisor
