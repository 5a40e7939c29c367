#include "supervisor/state_file.h"

#include <cerrno>
#include <cstring>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/utf8.h"
#include "codec/json.h"

namespace pgherd::supervisor {
namespace {

constexpr std::size_t kMinimumGrowth = 1024 * 1024;
constexpr std::size_t kMaximum = 256 * 1024 * 1024;
constexpr int kVersion = 1;

std::string errno_text() {
    return std::strerror(errno);
}

struct Parsed {
    std::vector<JsonObject> records;
    std::size_t damaged = 0;
    bool complete = false;  // header and end of the snapshot were there
};

Parsed parse(std::string_view text) {
    Parsed parsed;
    bool header = false;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        const bool whole = end != std::string_view::npos;
        text.remove_prefix(whole ? end + 1 : text.size());
        auto record = parse_json_object(line);
        if (!record) {
            parsed.damaged += whole;  // a last line without an end was never acknowledged
            continue;
        }
        if (const Json* version = record->if_contains("journal"))
            header = version->is_int64() && *version == kVersion;
        if (record->contains("snapshot-end")) parsed.complete = header;
        parsed.records.push_back(std::move(*record));
    }
    return parsed;
}

void append_line(std::string& target, const JsonObject& record) {
    target += to_utf8(boost::json::serialize(record));  // or it could not be read back
    target += '\n';
}

}  // namespace

StateFile::~StateFile() {
    static_cast<void>(flush());
    close();
}

void StateFile::close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
}

Result<StateFile::Loaded> StateFile::load() {
    Loaded loaded;
    bool any = false;
    for (const std::string& path : {path_, path_ + ".old"}) {
        const Result<std::string> text = read_file(path, "state file", kMaximum);
        if (!text && text.error().code == ErrorCode::not_found) continue;
        if (!text) return std::unexpected(text.error());
        any = true;
        Parsed parsed = parse(*text);
        if (!parsed.complete) continue;
        if (parsed.damaged > 0)
            loaded.warning = fmt::format("{} lines of state file {} cannot be read and are left out",
                                         parsed.damaged, path);
        if (path != path_)
            loaded.warning = fmt::format("state file {} is incomplete, took {} instead", path_, path);
        loaded.records = std::move(parsed.records);
        return loaded;
    }
    if (any) {
        const std::string aside = path_ + ".damaged";
        ::rename(path_.c_str(), aside.c_str());
        loaded.warning =
            fmt::format("state file {} cannot be read: put aside as {}, starting anew", path_, aside);
    }
    return loaded;
}

Status StateFile::rewrite(const Snapshot& snapshot) {
    broken_ = true;  // until the new one is in its place
    std::string text;
    append_line(text, JsonObject{{"journal", kVersion}});
    snapshot([&](const JsonObject& record) { append_line(text, record); });
    append_line(text, JsonObject{{"snapshot-end", true}});
    const std::string fresh = path_ + ".new", old = path_ + ".old";
    const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0) return fail(fmt::format("cannot create state file {}: {}", fresh, errno_text()));
    if (!write_all(descriptor, text)) {
        const std::string why = errno_text();
        ::close(descriptor);
        ::unlink(fresh.c_str());
        return fail(fmt::format("cannot write state file {}: {}", fresh, why));
    }
    // At no moment is there neither.
    ::unlink(old.c_str());
    if (::link(path_.c_str(), old.c_str()) != 0 && errno != ENOENT) ::rename(path_.c_str(), old.c_str());
    if (::rename(fresh.c_str(), path_.c_str()) != 0) {
        const std::string why = errno_text();
        ::close(descriptor);
        ::unlink(fresh.c_str());
        return fail(fmt::format("cannot rename state file {} to {}: {}", fresh, path_, why));
    }
    close();
    descriptor_ = descriptor;
    size_ = snapshot_size_ = text.size();
    buffer_.clear();
    broken_ = false;
    return {};
}

void StateFile::append(const JsonObject& record) {
    append_line(buffer_, record);
}

Status StateFile::flush(bool to_disk) {
    if (descriptor_ < 0) {
        // The snapshot that is missing will have it all.
        buffer_ = {};
        if (!to_disk) return {};
        return fail(fmt::format("cannot write state file {}: it was not begun", path_));
    }
    if (buffer_.empty() && !to_disk) return {};
    const bool kept = write_all(descriptor_, buffer_) && (!to_disk || ::fdatasync(descriptor_) == 0);
    const std::string why = kept ? "" : errno_text();
    if (kept) size_ += buffer_.size();
    if (buffer_.capacity() > 64 * 1024) buffer_ = {};
    buffer_.clear();
    if (kept) return {};
    // Half a line must not spoil the next one, and what has failed must not come back.
    broken_ = true;
    static_cast<void>(!::ftruncate(descriptor_, static_cast<off_t>(size_)));
    return fail(fmt::format("cannot write state file {}: {}", path_, why));
}

bool StateFile::has_grown() const {
    return broken_ || size_ > std::max(kMinimumGrowth, 4 * snapshot_size_);
}

}  // namespace pgherd::supervisor
