#include "supervisor/file_operations.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "supervise/go_text.h"
#include "supervisor/file_pattern.h"

namespace pgherd::supervisor {

namespace {

constexpr unsigned kFileMode = 0644;
constexpr unsigned kDirectoryMode = 0755;
constexpr int kMaxTries = 100;

std::unexpected<FileError> system_error(std::string_view step, std::string_view path, int error = errno) {
    const auto kind = error == ENOENT                     ? FileError::Kind::not_found
                      : error == EACCES || error == EPERM ? FileError::Kind::permission_denied
                                                          : FileError::Kind::generic;
    return std::unexpected(FileError{
        kind, fmt::format("{} {}: {}", step, path, to_lower(std::generic_category().message(error)))});
}

std::unexpected<FileError> mistake(std::string message) {
    return std::unexpected(FileError{FileError::Kind::generic, std::move(message)});
}

FileStatus check_path(const std::string& path) {
    if (!path.starts_with('/')) return mistake("paths must be absolute, got " + supervise::go_quote(path));
    if (path.find('\0') != std::string::npos) return mistake("paths must not have a NUL byte");
    return {};
}

std::string_view type_name(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFREG: return "file";
        case S_IFDIR: return "directory";
        case S_IFLNK: return "symlink";
        case S_IFSOCK: return "socket";
        case S_IFIFO: return "named-pipe";
        case S_IFBLK:
        case S_IFCHR: return "device";
        default: return "unknown";
    }
}

// The names of users and groups, each looked up once.
class Names {
  public:
    FileInfo describe(std::string path, const struct stat& there) {
        const std::size_t slash = path.rfind('/');
        FileInfo info{.path = path,
                      .name = path == "/" ? path : path.substr(slash + 1),
                      .type = type_name(there.st_mode),
                      .permissions = there.st_mode & 0777U,
                      .modified = WallTime(std::chrono::seconds(there.st_mtim.tv_sec)),
                      .user_id = there.st_uid,
                      .group_id = there.st_gid};
        if (S_ISREG(there.st_mode)) info.size = static_cast<std::uint64_t>(there.st_size);
        info.user = user(there.st_uid);
        info.group = group(there.st_gid);
        return info;
    }

  private:
    const std::string& user(std::uint32_t uid) {
        const auto [found, is_new] = users_.try_emplace(uid);
        if (is_new)
            if (const auto entry = find_user(uid)) found->second = entry->name;
        return found->second;
    }
    const std::string& group(std::uint32_t gid) {
        const auto [found, is_new] = groups_.try_emplace(gid);
        if (is_new)
            if (auto name = find_group_name(gid)) found->second = std::move(*name);
        return found->second;
    }
    std::map<std::uint32_t, std::string> users_;
    std::map<std::uint32_t, std::string> groups_;
};

std::string without_end_slash(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
}

FileResult<std::vector<std::string>> names_in(const std::string& path) {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return system_error("open", path);
    std::vector<std::string> names;
    while (const dirent* one = ::readdir(directory)) {
        std::string name = one->d_name;
        if (name != "." && name != "..") names.push_back(std::move(name));
    }
    ::closedir(directory);
    std::ranges::sort(names);
    return names;
}

FileResult<std::optional<ProcessUser>> resolve_owner(const FileOwner& owner) {
    const auto found = resolve_user(owner.user_id, owner.user, owner.group_id, owner.group);
    if (!found) return mistake(found.error().message);
    return *found;
}

FileStatus sync_directory(const std::string& path) {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return system_error("open", path);
    // Some file systems cannot, and say so.
    if (::fsync(directory.get()) != 0 && errno != EINVAL) return system_error("sync", path);
    return {};
}

// Another name beside it, which nobody else has.
FileResult<std::string> fresh_name(const std::string& path) {
    unsigned suffix = 0;
    if (::getentropy(&suffix, sizeof suffix) != 0) return system_error("open", path);
    return fmt::format("{}.{:08x}~", path, suffix);
}

// What is there already is not replaced, not even an empty directory.
bool put_in_place(const std::string& fresh, const std::string& path) {
    if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;  // not every file system can
    return ::rename(fresh.c_str(), path.c_str()) == 0;
}

// Made under another name first, so that nobody sees it with the wrong mode or owner.
FileStatus make_one(const std::string& path, unsigned mode, const std::optional<ProcessUser>& owner) {
    const auto named = fresh_name(path);
    if (!named) return std::unexpected(named.error());
    const std::string& fresh = *named;
    if (::mkdir(fresh.c_str(), 0700) != 0) return system_error("mkdir", path);
    const auto give_up = [&](std::string_view step) {
        const int error = errno;
        ::rmdir(fresh.c_str());
        return system_error(step, path, error);
    };
    if (owner && ::chown(fresh.c_str(), owner->uid, owner->gid) != 0) return give_up("chown");
    if (::chmod(fresh.c_str(), mode) != 0) return give_up("chmod");
    if (!put_in_place(fresh, path)) return give_up("mkdir");
    return {};
}

FileStatus make_with_parents(const std::string& path, unsigned mode,
                             const std::optional<ProcessUser>& owner) {
    struct stat there{};
    if (::stat(path.c_str(), &there) == 0) {
        if (S_ISDIR(there.st_mode)) return {};
        return system_error("mkdir", path, ENOTDIR);
    }
    if (const std::string parent = parent_of(path); parent != path)
        if (FileStatus made = make_with_parents(parent, mode, owner); !made) return made;
    FileStatus made = make_one(path, mode, owner);
    // Another client may have been quicker.
    if (!made && ::stat(path.c_str(), &there) == 0 && S_ISDIR(there.st_mode)) return {};
    return made;
}

FileStatus remove_tree(int directory, const std::string& name, const std::string& shown) {
    if (::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    const int why = errno;
    if (why != EISDIR && why != EPERM) return system_error("unlinkat", shown);
    const int opened = ::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0 && (errno == ENOTDIR || errno == ELOOP)) return system_error("unlinkat", shown, why);
    if (opened < 0) return system_error("unlinkat", shown);
    DIR* listing = ::fdopendir(opened);
    if (listing == nullptr) {
        ::close(opened);
        return system_error("unlinkat", shown);
    }
    FileStatus first;
    while (const dirent* one = ::readdir(listing)) {
        const std::string child = one->d_name;
        if (child == "." || child == "..") continue;
        FileStatus removed = remove_tree(opened, child, shown + "/" + child);
        if (!removed && first) first = std::move(removed);
    }
    ::closedir(listing);
    if (!first) return first;
    if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
        return system_error("unlinkat", shown);
    return {};
}

}  // namespace

std::string_view FileError::kind_name() const {
    switch (kind) {
        case Kind::not_found: return "not-found";
        case Kind::permission_denied: return "permission-denied";
        default: return "generic-file-error";
    }
}

FileResult<std::vector<FileInfo>> list_files(const std::string& given, const std::string& pattern,
                                             bool itself) {
    if (FileStatus checked = check_path(given); !checked) return std::unexpected(checked.error());
    const std::string path = without_end_slash(given);
    struct stat there{};
    if (::stat(path.c_str(), &there) != 0) return system_error("stat", path);
    Names names;
    std::vector<FileInfo> found;
    if (!S_ISDIR(there.st_mode) || itself) {
        FileInfo info = names.describe(path, there);
        if (pattern.empty() || matches_pattern(pattern, info.name)) found.push_back(std::move(info));
        return found;
    }
    const auto entries = names_in(path);
    if (!entries) return std::unexpected(entries.error());
    for (const std::string& name : *entries) {
        if (!pattern.empty() && !matches_pattern(pattern, name)) continue;
        std::string full = path == "/" ? path + name : path + "/" + name;
        // One that is gone meanwhile was never there.
        if (::lstat(full.c_str(), &there) == 0) found.push_back(names.describe(std::move(full), there));
    }
    return found;
}

FileResult<unsigned> parse_permissions(std::string_view text, unsigned standard) {
    if (text.empty()) return standard;
    if (text.size() != 3 || text.find_first_not_of("01234567") != std::string_view::npos)
        return mistake("permissions must be a 3-digit octal string, got " +
                       supervise::go_quote(std::string(text)));
    return static_cast<unsigned>((text[0] - '0') * 64 + (text[1] - '0') * 8 + (text[2] - '0'));
}

FileStatus make_directory(const DirectoryOrder& order) {
    if (FileStatus checked = check_path(order.path); !checked) return checked;
    const auto mode = parse_permissions(order.permissions, kDirectoryMode);
    if (!mode) return std::unexpected(mode.error());
    const auto owner = resolve_owner(order.owner);
    if (!owner) return std::unexpected(owner.error());
    const std::string path = without_end_slash(order.path);
    if (order.make_parents) return make_with_parents(path, *mode, *owner);
    struct stat there{};
    if (::lstat(path.c_str(), &there) == 0) return system_error("mkdir", path, EEXIST);
    return make_one(path, *mode, *owner);
}

FileStatus remove_path(const std::string& given, bool recursive) {
    if (FileStatus checked = check_path(given); !checked) return checked;
    const std::string path = without_end_slash(given);
    if (recursive) return remove_tree(AT_FDCWD, path, path);
    struct stat there{};
    if (::lstat(path.c_str(), &there) != 0) return system_error("remove", path);
    const bool removed = S_ISDIR(there.st_mode) ? ::rmdir(path.c_str()) == 0 : ::unlink(path.c_str()) == 0;
    if (!removed) return system_error("remove", path);
    return {};
}

FileResult<Descriptor> open_for_reading(const std::string& path) {
    if (FileStatus checked = check_path(path); !checked) return std::unexpected(checked.error());
    // A named pipe without a writer must not be waited for.
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return system_error("open", path);
    struct stat there{};
    if (::fstat(file.get(), &there) != 0) return system_error("stat", path);
    if (S_ISDIR(there.st_mode))
        return mistake(fmt::format("can only read a regular file: {}", supervise::go_quote(path)));
    return file;
}

FileResult<FileReplacement> FileReplacement::open(const WriteOrder& order) {
    if (FileStatus checked = check_path(order.path); !checked) return std::unexpected(checked.error());
    const auto mode = parse_permissions(order.permissions, kFileMode);
    if (!mode) return std::unexpected(mode.error());
    const auto owner = resolve_owner(order.owner);
    if (!owner) return std::unexpected(owner.error());
    if (order.make_dirs)
        if (FileStatus made = make_with_parents(parent_of(order.path), kDirectoryMode, *owner); !made)
            return std::unexpected(made.error());
    FileReplacement file;
    file.path_ = order.path;
    for (int attempt = 0; !file.descriptor_ && attempt < kMaxTries; ++attempt) {
        auto name = fresh_name(order.path);
        if (!name) return std::unexpected(name.error());
        file.descriptor_.reset(::open(name->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (file.descriptor_)
            file.temporary_ = std::move(*name);
        else if (errno != EEXIST)
            return system_error("open", *name);
    }
    if (!file.descriptor_) return system_error("open", order.path, EEXIST);
    if (*owner && ::fchown(file.descriptor_.get(), (*owner)->uid, (*owner)->gid) != 0)
        return system_error("chown", file.temporary_);
    if (::fchmod(file.descriptor_.get(), *mode) != 0) return system_error("chmod", file.temporary_);
    return file;
}

FileReplacement::~FileReplacement() {
    if (descriptor_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

FileStatus FileReplacement::write(std::string_view bytes) {
    if (!write_all(descriptor_.get(), bytes)) return system_error("write", temporary_);
    return {};
}

FileStatus FileReplacement::commit() {
    if (::fsync(descriptor_.get()) != 0) return system_error("sync", temporary_);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return system_error("rename", path_);
    temporary_.clear();
    descriptor_.reset();
    return sync_directory(parent_of(path_));
}

}  // namespace pgherd::supervisor
