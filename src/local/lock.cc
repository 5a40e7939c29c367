#include "local/lock.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/process_info.h"

namespace pgherd::local {
namespace {

Holder read_holder(const std::filesystem::path& file) {
    Holder holder;
    std::ifstream(file) >> holder.pid >> holder.started;
    return holder;
}

}  // namespace

UpLock& UpLock::operator=(UpLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

UpLock::~UpLock() {
    if (fd_ >= 0) ::close(fd_);
}

Result<UpLock> UpLock::take(const std::filesystem::path& file, const User& owner) {
    UpLock lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (lock.fd_ < 0) return fail(fmt::format("cannot open {}: {}", file.string(), std::strerror(errno)));
    if (owner.change && ::fchown(lock.fd_, owner.uid, owner.gid) != 0)
        return fail(fmt::format("cannot change the owner of {}: {}", file.string(), std::strerror(errno)));
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0)
        return fail(
            ErrorCode::conflict,
            fmt::format("{} is up already (pid {}); `pgherd down --dir {}` stops it",
                        file.parent_path().string(), read_holder(file).pid, file.parent_path().string()));
    return lock;
}

Status UpLock::sign() const {
    std::string text = fmt::format("{} {}\n", ::getpid(), process_start(::getpid()).value_or(0));
    if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, text.data(), text.size(), 0) != ssize_t(text.size()))
        return fail(fmt::format("cannot write the lock file: {}", std::strerror(errno)));
    return {};
}

std::optional<Holder> lock_holder(const std::filesystem::path& file) {
    int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0;
    ::close(fd);
    return held ? std::optional(read_holder(file)) : std::nullopt;
}

std::optional<std::uint64_t> process_start(pid_t pid) {
    const auto info = process_info(pid);
    return info && info->state != 'Z' ? std::optional(info->start) : std::nullopt;
}

bool is_alive(const Holder& holder) {
    return holder.pid > 0 && process_start(holder.pid) == holder.started;
}

}  // namespace pgherd::local
