#include "supervisor/log_ring.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace pgherd::supervisor {

namespace {
constexpr std::size_t kFirstSize = 4096;
}

LogRing::LogRing(std::size_t capacity) : capacity_(std::max(capacity, kFirstSize)) {}

void LogRing::append(const LogLine& line) {
    const std::size_t needed = kHeaderSize + line.text.size();
    PGHERD_ASSERT(needed <= capacity_, "a line is larger than the ring");
    make_room(needed);
    char header[kHeaderSize];
    const std::int64_t time = line.time.time_since_epoch().count();
    const auto size = static_cast<std::uint32_t>(line.text.size());
    std::memcpy(header, &time, 8);
    std::memcpy(header + 8, &line.sequence, 8);
    std::memcpy(header + 16, &size, 4);
    put(end_.offset, header, kHeaderSize);
    put(end_.offset + kHeaderSize, line.text.data(), line.text.size());
    end_.offset += needed;
    ++end_.number;
}

void LogRing::make_room(std::size_t size) {
    const std::size_t used = end_.offset - first_.offset;
    if (used + size > bytes_.size() && bytes_.size() < capacity_) grow(used + size);
    while (end_.offset - first_.offset + size > bytes_.size()) advance(first_);
}

void LogRing::grow(std::size_t needed) {
    std::size_t size = std::max(bytes_.size(), kFirstSize);
    while (size < needed) size *= 2;
    std::vector<char> larger(std::min(size, capacity_));
    for (std::uint64_t at = first_.offset; at < end_.offset;) {
        const std::size_t from = at % bytes_.size();
        const std::size_t to = at % larger.size();
        const std::size_t run = std::min(
            {end_.offset - at, std::uint64_t{bytes_.size() - from}, std::uint64_t{larger.size() - to}});
        std::memcpy(larger.data() + to, bytes_.data() + from, run);
        at += run;
    }
    bytes_ = std::move(larger);
}

LogRing::Cursor LogRing::last(std::size_t count) const {
    Cursor cursor = first_;
    while (end_.number - cursor.number > count) advance(cursor);
    return cursor;
}

std::uint64_t LogRing::catch_up(Cursor& cursor) const {
    if (cursor.number >= first_.number) return 0;
    const std::uint64_t missed = first_.number - cursor.number;
    cursor = first_;
    return missed;
}

LogRing::Header LogRing::header_at(std::uint64_t offset) const {
    char raw[kHeaderSize];
    get(offset, raw, kHeaderSize);
    Header header;
    std::memcpy(&header.time, raw, 8);
    std::memcpy(&header.sequence, raw + 8, 8);
    std::memcpy(&header.size, raw + 16, 4);
    return header;
}

LogLine LogRing::read(const Cursor& cursor, std::string& scratch) const {
    const Header header = header_at(cursor.offset);
    LogLine line{WallTime(WallTime::duration(header.time)), header.sequence, {}};
    const std::uint64_t offset = cursor.offset + kHeaderSize;
    const std::size_t at = offset % bytes_.size();
    if (at + header.size <= bytes_.size()) {
        line.text = {bytes_.data() + at, header.size};
    } else {
        scratch.resize(header.size);
        get(offset, scratch.data(), header.size);
        line.text = scratch;
    }
    return line;
}

std::uint64_t LogRing::sequence_at(const Cursor& cursor) const {
    return header_at(cursor.offset).sequence;
}

void LogRing::advance(Cursor& cursor) const {
    cursor.offset += kHeaderSize + header_at(cursor.offset).size;
    ++cursor.number;
}

void LogRing::put(std::uint64_t offset, const void* bytes, std::size_t size) {
    const std::size_t at = offset % bytes_.size();
    const std::size_t first = std::min(size, bytes_.size() - at);
    std::memcpy(bytes_.data() + at, bytes, first);
    if (first < size) std::memcpy(bytes_.data(), static_cast<const char*>(bytes) + first, size - first);
}

void LogRing::get(std::uint64_t offset, void* bytes, std::size_t size) const {
    const std::size_t at = offset % bytes_.size();
    const std::size_t first = std::min(size, bytes_.size() - at);
    std::memcpy(bytes, bytes_.data() + at, first);
    if (first < size) std::memcpy(static_cast<char*>(bytes) + first, bytes_.data(), size - first);
}

}  // namespace pgherd::supervisor
