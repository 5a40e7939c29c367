#include "supervisor/log_files.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pgherd::supervisor {

namespace {

std::string file_name(std::string_view service) {
    std::string name;
    for (const char c : service)
        if (c == '/' || c == '%' || (c == '.' && name.empty()) || static_cast<unsigned char>(c) < 0x20)
            name += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        else
            name += c;
    return name;
}

std::uint64_t lines_in(std::string_view text) {
    return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

// The length of the whole lines within the first `limit` bytes.
std::size_t whole_lines(std::string_view text, std::uint64_t limit) {
    const std::size_t end =
        limit == 0 ? std::string_view::npos : text.rfind('\n', static_cast<std::size_t>(limit) - 1);
    return end == std::string_view::npos ? 0 : end + 1;
}

}  // namespace

std::string LogFiles::path_of(const std::string& service) const {
    return fmt::format("{}/{}.log", options_.directory, file_name(service));
}

bool LogFiles::open(const std::string& service, File& file) const {
    file.descriptor.reset(::open(path_of(service).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    struct stat there{};
    if (file.descriptor && ::fstat(file.descriptor.get(), &there) == 0) {
        file.size = static_cast<std::uint64_t>(there.st_size);
        return true;
    }
    file.why = std::strerror(errno);
    file.descriptor.reset();
    return false;
}

bool LogFiles::rotate(const std::string& service, File& file) const {
    const std::string path = path_of(service);
    file.descriptor.reset();
    for (unsigned number = options_.keep; number > 1; --number)
        ::rename(fmt::format("{}.{}", path, number - 1).c_str(), fmt::format("{}.{}", path, number).c_str());
    const int moved =
        options_.keep > 0 ? ::rename(path.c_str(), (path + ".1").c_str()) : ::unlink(path.c_str());
    if (moved != 0 && errno != ENOENT) {
        file.why = fmt::format("cannot rotate it: {}", std::strerror(errno));
        return false;
    }
    return open(service, file);
}

// Gives how much of them is in the file: whole lines.
std::size_t LogFiles::append(File& file, std::string_view lines) {
    std::size_t written = 0;
    while (written < lines.size()) {
        const ssize_t taken = ::write(file.descriptor.get(), lines.data() + written, lines.size() - written);
        if (taken < 0 && errno == EINTR) continue;
        if (taken < 0) {
            file.why = std::strerror(errno);
            break;
        }
        written += static_cast<std::size_t>(taken);
    }
    const std::size_t whole = written == lines.size() ? written : whole_lines(lines, written);
    struct stat there{};
    if (whole < written && ::fstat(file.descriptor.get(), &there) == 0)
        static_cast<void>(
            !::ftruncate(file.descriptor.get(), there.st_size - static_cast<off_t>(written - whole)));
    file.size += whole;
    return whole;
}

// Gives what could not be written. Cuts between lines.
std::string_view LogFiles::put(const std::string& service, File& file, std::string_view lines) const {
    if (!file.descriptor && !open(service, file)) return lines;
    while (!lines.empty()) {
        const std::uint64_t room = options_.max_size - std::min(options_.max_size, file.size);
        std::size_t take = lines.size() <= room ? lines.size() : whole_lines(lines, room);
        // A line that is longer than a file has one for itself.
        if (take == 0 && file.size == 0) take = lines.find('\n') + 1;
        if (take == 0) {
            if (!rotate(service, file)) return lines;
            continue;
        }
        const std::size_t written = append(file, lines.substr(0, take));
        lines.remove_prefix(written);
        if (written < take) return lines;
    }
    return lines;
}

bool LogFiles::tell(const std::string& service, File& file, WallTime now) {
    if (file.untold == 0) return true;
    std::string note;
    formatter_.append_text(note, service,
                           {now, 0, fmt::format("(... {} lines lost: {} ...)", file.untold, file.why)});
    if (!put(service, file, note).empty()) return false;
    file.untold = 0;
    return true;
}

LogFiles::Outcome LogFiles::write(const std::string& service, const Batch& batch, WallTime now) {
    File& file = files_[service];
    std::string_view rest = batch.text;
    if (tell(service, file, now)) rest = put(service, file, rest);
    Outcome outcome{.lost = lines_in(rest)};
    if (batch.lost > 0 && outcome.lost == 0 && file.untold == 0) file.why = "the disk is too slow";
    file.untold += outcome.lost + batch.lost;
    outcome.failing = !tell(service, file, now) || outcome.lost > 0;
    if (outcome.failing && !file.failing)
        outcome.news =
            fmt::format("cannot write log file {}: {}; lines are lost", path_of(service), file.why);
    if (!outcome.failing && file.failing)
        outcome.news = fmt::format("log file {} can be written again", path_of(service));
    file.failing = outcome.failing;
    return outcome;
}

}  // namespace pgherd::supervisor
