#include "http/multipart.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"

namespace pgherd {

namespace {

constexpr std::size_t kMaxHead = 16 * 1024;
constexpr std::size_t kMaxPadding = 64;  // blanks that may follow a boundary

std::size_t find(std::string_view text, std::string_view what) {
    const void* found = ::memmem(text.data(), text.size(), what.data(), what.size());
    return found == nullptr ? std::string_view::npos
                            : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

// What a backslash may hide in a quoted string, as Go's mime package has it; before anything else it is
// itself.
bool is_special(char c) {
    return std::string_view("()<>@,;:\\\"/[]?=").find(c) != std::string_view::npos;
}

std::string unquote(std::string_view& text) {
    std::string value;
    text.remove_prefix(1);
    while (!text.empty() && text.front() != '"') {
        if (text.front() == '\\' && text.size() > 1 && is_special(text[1])) text.remove_prefix(1);
        value += text.front();
        text.remove_prefix(1);
    }
    if (!text.empty()) text.remove_prefix(1);
    return value;
}

// The value of `name` in `type; a=b; name="value"`.
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
    std::size_t at = header.find(';');
    while (at != std::string_view::npos) {
        header = trim(header.substr(at + 1));
        const std::size_t equals = header.find_first_of("=;");
        if (equals == std::string_view::npos || header[equals] == ';') {
            at = equals;
            continue;
        }
        const std::string_view key = trim(header.substr(0, equals));
        header = trim(header.substr(equals + 1));
        std::string value;
        if (header.starts_with('"')) {
            value = unquote(header);
        } else {
            const std::size_t end = std::min(header.find(';'), header.size());
            value = trim(header.substr(0, end));
            header.remove_prefix(end);
        }
        if (iequals(key, name)) return value;
        at = header.find(';');
    }
    return std::nullopt;
}

Result<MultipartHead> parse_head(std::string_view lines) {
    MultipartHead head;
    while (!lines.empty()) {
        const std::size_t end = std::min(find(lines, "\r\n"), lines.size());
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(std::min(end + 2, lines.size()));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos)
            return fail(ErrorCode::invalid, "malformed multipart body: a part's header has no colon");
        const std::string_view name = trim(line.substr(0, colon));
        const std::string_view value = trim(line.substr(colon + 1));
        if (iequals(name, "Content-Type")) head.content_type = value;
        if (!iequals(name, "Content-Disposition")) continue;
        head.name = parameter(value, "name").value_or("");
        head.filename = parameter(value, "filename").value_or("");
    }
    return head;
}

std::string quote(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        if (c == '\r')
            quoted += "%0D";
        else if (c == '\n')
            quoted += "%0A";
        else
            quoted += c;
    }
    return quoted + '"';
}

}  // namespace

// The first boundary needs no line end before it, so one is put there.
MultipartReader::MultipartReader(std::string_view boundary)
    : delimiter_("\r\n--" + std::string(boundary)), buffer_("\r\n") {}

void MultipartReader::feed(std::string_view bytes) {
    data_ = {};
    buffer_.erase(0, at_);
    at_ = 0;
    buffer_ += bytes;
}

Result<MultipartReader::Event> MultipartReader::next() {
    data_ = {};
    while (state_ == State::preamble) {
        const Found found = scan();
        if (found == Found::unknown) return Event::need_more;
        if (found == Found::boundary) state_ = State::head;
        if (found == Found::last_boundary) state_ = State::done;
    }
    if (state_ == State::done) return Event::end;
    if (state_ == State::head) return read_head();
    const Found found = scan();
    if (found == Found::unknown) return Event::need_more;
    if (found == Found::bytes) return Event::data;
    state_ = found == Found::boundary ? State::head : State::done;
    return Event::part_end;
}

Result<MultipartReader::Event> MultipartReader::read_head() {
    const std::string_view text = rest();
    const bool empty = text.starts_with("\r\n");
    const std::size_t end = empty ? 0 : find(text, "\r\n\r\n");
    if (std::min(end, text.size()) > kMaxHead)
        return fail(ErrorCode::invalid, "malformed multipart body: a part's headers are too long");
    if (end == std::string_view::npos) return Event::need_more;
    PGHERD_TRY(head_, parse_head(text.substr(0, end)));
    at_ += empty ? 2 : end + 4;
    state_ = State::content;
    return Event::part_begin;
}

// Takes what surely is content, or the boundary that follows at once.
MultipartReader::Found MultipartReader::scan() {
    const std::string_view text = rest();
    for (std::size_t from = 0;; from = 1) {
        std::size_t at = find(text.substr(std::min(from, text.size())), delimiter_);
        if (at == std::string_view::npos) {
            // Its beginning may be there already.
            at = text.size() - std::min(text.size(), delimiter_.size() - 1);
            if (at == 0) return Found::unknown;
        } else {
            at += from;
        }
        if (at > 0) {
            data_ = text.substr(0, at);
            at_ += at;
            return Found::bytes;
        }
        // What looks like a boundary and goes on in another way is content.
        const Found found = classify(text.substr(delimiter_.size()));
        if (found != Found::bytes) return found;
    }
}

MultipartReader::Found MultipartReader::classify(std::string_view after) {
    if (after.starts_with("--")) {
        at_ += delimiter_.size() + 2;
        return Found::last_boundary;
    }
    const std::size_t line_end = std::min(after.find_first_not_of(" \t"), after.size());
    if (line_end > kMaxPadding) return Found::bytes;
    const std::string_view tail = after.substr(line_end);
    if (tail.starts_with("\r\n")) {
        at_ += delimiter_.size() + line_end + 2;
        return Found::boundary;
    }
    const bool unfinished = tail.empty() || tail == "\r" || after == "-";
    return unfinished ? Found::unknown : Found::bytes;
}

Result<std::string> multipart_boundary(std::string_view content_type) {
    const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
    if (!iequals(type, "multipart/form-data"))
        return fail(ErrorCode::invalid, fmt::format("invalid media type \"{}\"", type));
    const auto boundary = parameter(content_type, "boundary");
    if (!boundary || boundary->empty() || boundary->size() > 256)
        return fail(ErrorCode::invalid, "no multipart boundary param in Content-Type");
    return *boundary;
}

std::string multipart_part(std::string_view boundary, const MultipartHead& head, bool first) {
    std::string text = fmt::format("{}--{}\r\nContent-Disposition: form-data; name={}", first ? "" : "\r\n",
                                   boundary, quote(head.name));
    if (!head.filename.empty()) text += "; filename=" + quote(head.filename);
    text += "\r\n";
    if (!head.content_type.empty()) text += fmt::format("Content-Type: {}\r\n", head.content_type);
    return text + "\r\n";
}

std::string multipart_end(std::string_view boundary, bool first) {
    return fmt::format("{}--{}--\r\n", first ? "" : "\r\n", boundary);
}

}  // namespace pgherd
