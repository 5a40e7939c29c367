#include "pebble_cli/local_file.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::pebble_cli {
namespace {

constexpr std::size_t kPiece = 128 * 1024;

std::string reason(int error) {
    return to_lower(std::strerror(error));
}

Result<LocalFile> open(const std::string& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (descriptor < 0) return fail(ErrorCode::invalid, fmt::format("open {}: {}", path, reason(errno)));
    return LocalFile(descriptor, path);
}

}  // namespace

Result<LocalFile> LocalFile::open_to_read(const std::string& path) {
    return open(path, O_RDONLY);
}
Result<LocalFile> LocalFile::open_to_write(const std::string& path) {
    return open(path, O_WRONLY | O_CREAT | O_TRUNC);
}

LocalFile::~LocalFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::string> LocalFile::read_some() {
    std::string piece(kPiece, '\0');
    ssize_t got = 0;
    do got = ::read(descriptor_, piece.data(), piece.size());
    while (got < 0 && errno == EINTR);
    if (got < 0) return fail(ErrorCode::invalid, fmt::format("read {}: {}", path_, reason(errno)));
    piece.resize(static_cast<std::size_t>(got));
    return piece;
}

Result<std::string> LocalFile::read_all() {
    std::string all;
    for (;;) {
        PGHERD_TRY(const std::string piece, read_some());
        if (piece.empty()) return all;
        all += piece;
    }
}

Status LocalFile::write(std::string_view bytes) {
    const Status written = write_all(descriptor_, bytes);
    if (!written) return fail(fmt::format("write {}: {}", path_, written.error().message));
    return {};
}

std::string LocalFile::permissions() const {
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) return "644";
    return fmt::format("{:03o}", status.st_mode & 0777U);
}

Status write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            // Somebody who shares the descriptor has made it non-blocking.
            pollfd wait{descriptor, POLLOUT, 0};
            ::poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return fail(reason(errno));
        }
    }
    return {};
}

}  // namespace pgherd::pebble_cli
