#include "base/files.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"

namespace pgherd {

namespace {

constexpr std::size_t kPiece = 8192;

Descriptor open_file(const std::string& path, int flags) {
    int descriptor = 0;
    do descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    while (descriptor < 0 && errno == EINTR);
    return Descriptor(descriptor);
}

ErrorCode code_of(int error) {
    switch (error) {
        case ENOENT: return ErrorCode::not_found;
        case EACCES:
        case EPERM: return ErrorCode::denied;
        case EISDIR: return ErrorCode::invalid;
        default: return ErrorCode::failed;
    }
}

std::unexpected<Error> cannot(std::string_view verb, const std::string& path, int error) {
    return fail(code_of(error), fmt::format("cannot {} {}: {}", verb, path, std::strerror(error)));
}

// The number of what failed, or 0. The mode comes last: until then nobody else may open it.
int fill(const Descriptor& file, std::string_view content, mode_t mode,
         const std::optional<Ownership>& owner) {
    const bool done = write_all(file.get(), content) &&
                      (!owner || ::fchown(file.get(), owner->user, owner->group) == 0) &&
                      ::fchmod(file.get(), mode) == 0 && ::fsync(file.get()) == 0;
    return done ? 0 : errno;
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::string_view what, std::size_t limit) {
    const std::string verb = what.empty() ? "read" : fmt::format("read {}", what);
    const Descriptor file = open_file(path, O_RDONLY);
    if (!file) return cannot(verb, path, errno);
    std::string text;
    char piece[kPiece];
    for (;;) {
        const ssize_t got = ::read(file.get(), piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot(verb, path, errno);
        if (got == 0) return text;
        text.append(piece, static_cast<std::size_t>(got));
        if (text.size() > limit)
            return fail(ErrorCode::invalid,
                        fmt::format("cannot {} {}: it has more than {} bytes", verb, path, limit));
    }
}

Status write_file_atomically(const std::string& path, std::string_view content, mode_t mode,
                             std::optional<Ownership> owner) {
    const std::string fresh = path + std::string(kUnfinished);
    ::unlink(fresh.c_str());
    int error = 0;
    {
        const Descriptor file = open_file(fresh, O_WRONLY | O_CREAT | O_EXCL);
        if (!file) return cannot("write", path, errno);
        error = fill(file, content, mode, owner);
    }
    if (error == 0 && ::rename(fresh.c_str(), path.c_str()) != 0) error = errno;
    if (error == 0) return sync_parent(path);
    ::unlink(fresh.c_str());
    return cannot("write", path, error);
}

Status sync_parent(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
    const Descriptor directory = open_file(parent, O_RDONLY | O_DIRECTORY);
    if (!directory) return cannot("open", parent, errno);
    // Some file systems cannot, and say so.
    if (::fsync(directory.get()) != 0 && errno != EINVAL) return cannot("sync", parent, errno);
    return {};
}

bool write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace pgherd
