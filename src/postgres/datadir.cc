#include "postgres/datadir.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "guard/processes.h"

namespace pgherd::postgres {

namespace {

enum class Presence { absent, present, unknown };

Presence presence(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) return Presence::present;
    return errno == ENOENT ? Presence::absent : Presence::unknown;
}

// Nothing: cannot be read.
std::optional<bool> is_empty(const std::string& directory) {
    DIR* handle = ::opendir(directory.c_str());
    if (!handle) return std::nullopt;
    bool empty = true;
    errno = 0;
    while (const dirent* entry = ::readdir(handle)) {
        const std::string_view name = entry->d_name;
        // A file system's own directory, when the mount point itself is the data directory.
        if (name != "." && name != ".." && name != "lost+found") empty = false;
    }
    const int error = errno;
    ::closedir(handle);
    if (error != 0) return std::nullopt;
    return empty;
}

bool same_file(const std::string& a, const std::string& b) {
    struct stat first{}, second{};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace

DataDirectory inspect(const std::string& data_dir) {
    const Presence journal = presence(journal_path(data_dir));
    const Presence directory = presence(data_dir);
    if (directory == Presence::unknown || journal == Presence::unknown) return DataDirectory::unreadable;
    if (directory == Presence::absent)
        return journal == Presence::present ? DataDirectory::incomplete : DataDirectory::absent;
    const auto empty = is_empty(data_dir);
    if (!empty) return DataDirectory::unreadable;
    if (journal == Presence::present) return DataDirectory::incomplete;
    if (*empty) return DataDirectory::absent;
    const Presence version = presence(data_dir + "/PG_VERSION");
    const Presence control = presence(data_dir + "/global/pg_control");
    if (version == Presence::unknown || control == Presence::unknown) return DataDirectory::unreadable;
    if (version == Presence::absent || control == Presence::absent) return DataDirectory::foreign;
    return ::access((data_dir + "/global/pg_control").c_str(), R_OK) == 0 ? DataDirectory::valid
                                                                          : DataDirectory::unreadable;
}

std::optional<int> data_version(const std::string& data_dir) {
    const auto text = read_file(data_dir + "/PG_VERSION");
    if (!text) return std::nullopt;
    const auto number = parse_int(trim(*text));
    return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

std::string journal_path(const std::string& data_dir) {
    return data_dir + ".pgherd";
}

std::string unregistered_path(const std::string& data_dir) {
    return data_dir + ".pgherd-unregistered";
}

std::string secret_path(const std::string& data_dir) {
    return data_dir + ".pgherd-secret";
}

Status write_journal(const Identity& identity, const std::string& data_dir, const std::string& operation) {
    return write_file(identity, journal_path(data_dir),
                      operation + " under way: the data directory is incomplete\n");
}

Status clear_journal(const std::string& data_dir) {
    PGHERD_CHECK(remove_file(journal_path(data_dir)));
    return sync_parent(journal_path(data_dir));
}

Status clear_incomplete(const std::string& data_dir) {
    if (inspect(data_dir) != DataDirectory::incomplete)
        return fail(ErrorCode::conflict,
                    fmt::format("cannot clear {}: it is not an interrupted copy of ours", data_dir));
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir, error)) {
        if (entry.path().filename() == "lost+found") continue;
        std::filesystem::remove_all(entry.path(), error);
        if (error) return fail(fmt::format("cannot clear {}: {}", entry.path().string(), error.message()));
    }
    if (error && error != std::errc::no_such_file_or_directory)
        return fail(fmt::format("cannot clear {}: {}", data_dir, error.message()));
    return {};
}

namespace {

bool clone_was_interrupted(const std::string& data_dir) {
    const auto journal = read_file(journal_path(data_dir));
    return journal && journal->starts_with("clone ");
}

Status rename_aside(const std::string& data_dir) {
    const std::string aside = data_dir + ".failed";
    std::error_code error;
    std::filesystem::remove_all(aside, error);
    if (error) return fail(fmt::format("cannot remove {}: {}", aside, error.message()));
    if (::rename(data_dir.c_str(), aside.c_str()) == 0) return {};
    const bool is_mount_point = errno == EBUSY;
    if (is_mount_point && inspect(data_dir) == DataDirectory::incomplete) return clear_incomplete(data_dir);
    return fail(fmt::format(
        "cannot move {} to {}: {}{}", data_dir, aside, std::strerror(errno),
        is_mount_point ? " (a file system is mounted there; a directory in it can be moved)" : ""));
}

}  // namespace

Status move_aside(const std::string& data_dir) {
    if (presence(data_dir) == Presence::present)
        PGHERD_CHECK(clone_was_interrupted(data_dir) ? clear_incomplete(data_dir) : rename_aside(data_dir));
    PGHERD_CHECK(remove_file(unregistered_path(data_dir)));
    return clear_journal(data_dir);
}

namespace {

std::string lock_path(const std::string& data_dir) {
    return data_dir + "/postmaster.pid";
}

// The lock files of sockets begin with the same lines.
std::optional<LockFile> read_lock_lines(const std::string& path) {
    const auto text = read_file(path);
    if (!text) return std::nullopt;
    const auto lines = split(*text, '\n');
    const auto pid = parse_int(trim(lines[0]));
    if (!pid) return std::nullopt;
    // A negative number is a standalone backend.
    return LockFile{.pid = static_cast<pid_t>(*pid),
                    .data_dir = lines.size() > 1 ? std::string(trim(lines[1])) : std::string(),
                    .status = lines.size() > 7 ? std::string(trim(lines[7])) : std::string()};
}

bool lives(pid_t pid) {
    return ::kill(std::abs(pid), 0) == 0;
}

// A postmaster, or a standalone backend, is where its data is before it makes its lock file.
bool works_in(pid_t pid, const std::string& data_dir) {
    return pid > 1 && lives(pid) && same_file(fmt::format("/proc/{}/cwd", pid), data_dir);
}

bool anybody_works_in(const std::string& data_dir) {
    return std::ranges::any_of(guard::all_processes(), [&](const guard::ProcessInfo& process) {
        return works_in(process.pid, data_dir);
    });
}

}  // namespace

std::optional<LockFile> read_lock_file(const std::string& data_dir) {
    return read_lock_lines(lock_path(data_dir));
}

std::optional<pid_t> running_postmaster(const std::string& data_dir) {
    const auto lock = read_lock_file(data_dir);
    if (!lock || !works_in(lock->pid, data_dir)) return std::nullopt;
    return lock->pid;
}

std::optional<pid_t> running_single_user(const std::string& data_dir) {
    const auto lock = read_lock_file(data_dir);
    if (!lock || !works_in(-lock->pid, data_dir)) return std::nullopt;
    return -lock->pid;
}

Status remove_stale_locks(const std::string& data_dir, const std::vector<std::string>& socket_dirs,
                          std::uint16_t port) {
    // One whose process is gone PostgreSQL removes itself.
    const auto stale = [&](const LockFile& lock) {
        return lives(lock.pid) && !works_in(std::abs(lock.pid), data_dir);
    };
    if (const auto text = read_file(lock_path(data_dir));
        text && text->empty() && !anybody_works_in(data_dir))
        PGHERD_CHECK(remove_file(lock_path(data_dir)));
    if (const auto lock = read_lock_file(data_dir); lock && stale(*lock))
        PGHERD_CHECK(remove_file(lock_path(data_dir)));
    for (const std::string& directory : socket_dirs) {
        const std::string path = fmt::format("{}/.s.PGSQL.{}.lock", directory, port);
        const auto lock = read_lock_lines(path);
        if (lock && same_file(lock->data_dir, data_dir) && stale(*lock)) PGHERD_CHECK(remove_file(path));
    }
    return {};
}

std::vector<HistoryLine> parse_history(std::string_view text) {
    std::vector<HistoryLine> history;
    for (const auto& line : split(text, '\n')) {
        const std::string_view content = trim(line);
        if (content.empty() || content[0] == '#') continue;
        const auto fields = split(content, '\t');
        if (fields.size() < 2) continue;
        const auto timeline = parse_uint(trim(fields[0]));
        const auto lsn = parse_lsn(trim(fields[1]));
        if (!timeline || !lsn) continue;
        history.push_back({.timeline = {static_cast<std::uint32_t>(*timeline)},
                           .lsn = *lsn,
                           .reason = fields.size() > 2 ? fields[2] : ""});
    }
    return history;
}

namespace {

constexpr std::string_view kPassedOver = "# pgherd passed over this number\n";

std::string history_path(const std::string& data_dir, Timeline timeline) {
    return fmt::format("{}/pg_wal/{:08X}.history", data_dir, timeline.value);
}

std::vector<Timeline> history_files(const std::string& data_dir) {
    std::vector<Timeline> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir + "/pg_wal", error)) {
        const std::string name = entry.path().filename().string();
        std::uint32_t number = 0;
        const char* end = name.data() + std::min<std::size_t>(name.size(), 8);
        const bool named = name.size() == 16 && name.ends_with(".history") &&
                           std::from_chars(name.data(), end, number, 16).ptr == end;
        if (named) found.push_back({number});
    }
    return found;
}

bool was_passed_over(const std::string& data_dir, Timeline timeline) {
    const auto text = read_file(history_path(data_dir, timeline));
    return text && *text == kPassedOver;
}

}  // namespace

Timeline newest_timeline(const std::string& data_dir) {
    const auto found = history_files(data_dir);
    return found.empty() ? Timeline{} : std::ranges::max(found);
}

Status pass_over_timelines(const Identity& identity, const std::string& data_dir, Timeline current,
                           Timeline wanted) {
    constexpr std::uint32_t kMost = 1000;
    if (wanted.value > current.value + kMost)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot promote from timeline {} to {}: that passes over too many numbers",
                                current.value, wanted.value));
    for (std::uint32_t number = current.value + 1; number < wanted.value; ++number) {
        if (exists(history_path(data_dir, {number}))) continue;
        PGHERD_CHECK(write_file(identity, history_path(data_dir, {number}), kPassedOver));
    }
    return {};
}

Status remove_dangling_timelines(const std::string& data_dir) {
    auto found = history_files(data_dir);
    std::ranges::sort(found, std::greater{});
    for (const Timeline timeline : found) {
        if (!was_passed_over(data_dir, timeline)) break;
        PGHERD_CHECK(remove_file(history_path(data_dir, timeline)));
    }
    return {};
}

std::vector<HistoryLine> read_history(const std::string& data_dir, Timeline timeline) {
    if (timeline.value <= 1) return {};
    const auto text = read_file(history_path(data_dir, timeline));
    return text ? parse_history(*text) : std::vector<HistoryLine>{};
}

}  // namespace pgherd::postgres
