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
#include "base/process_info.h"
#include "base/text.h"
#include "postgres/tablespaces.h"

namespace pgherd::postgres {

namespace {

std::unexpected<Error> cannot_read(const std::string& path, int error) {
    return fail(fmt::format("cannot read {}: {}", path, std::strerror(error)));
}

Result<bool> is_empty(const std::string& directory) {
    DIR* handle = ::opendir(directory.c_str());
    if (!handle) return cannot_read(directory, errno);
    bool empty = true;
    errno = 0;
    while (const dirent* entry = ::readdir(handle)) {
        const std::string_view name = entry->d_name;
        // A file system's own directory, when the mount point itself is the data directory.
        if (name != "." && name != ".." && name != "lost+found") empty = false;
    }
    const int error = errno;
    ::closedir(handle);
    if (error != 0) return cannot_read(directory, error);
    return empty;
}

bool same_file(const std::string& a, const std::string& b) {
    struct stat first{}, second{};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace

Result<DataDirectory> examine(const std::string& data_dir) {
    const std::string control_file = data_dir + "/global/pg_control";
    PGHERD_TRY(const bool journal, is_there(journal_path(data_dir)));
    PGHERD_TRY(const bool directory, is_there(data_dir));
    if (!directory) return journal ? DataDirectory::incomplete : DataDirectory::absent;
    PGHERD_TRY(const bool empty, is_empty(data_dir));
    if (journal) return DataDirectory::incomplete;
    if (empty) return DataDirectory::absent;
    PGHERD_TRY(const bool version, is_there(data_dir + "/PG_VERSION"));
    PGHERD_TRY(const bool control, is_there(control_file));
    if (!version || !control) return DataDirectory::foreign;
    if (::access(control_file.c_str(), R_OK) != 0) return cannot_read(control_file, errno);
    return DataDirectory::valid;
}

DataDirectory inspect(const std::string& data_dir) {
    return examine(data_dir).value_or(DataDirectory::unreadable);
}

namespace {

constexpr std::string_view kTablespace = "tablespace ";  // begins a line of the journal

// Nothing: there is no such file.
Result<std::optional<std::string>> read_if_there(const std::string& path) {
    auto text = read_file(path);
    if (text) return std::optional(std::move(*text));
    if (text.error().code == ErrorCode::not_found) return std::nullopt;
    return std::unexpected(std::move(text).error());
}

}  // namespace

Result<std::optional<int>> data_version(const std::string& data_dir) {
    PGHERD_TRY(const auto text, read_if_there(data_dir + "/PG_VERSION"));
    const auto number = parse_int(trim(text.value_or("")));
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

Status write_journal(const Identity& identity, const std::string& data_dir, const std::string& operation,
                     const std::vector<std::string>& tablespaces) {
    std::string text = operation + " under way: the data directory is incomplete\n";
    for (const std::string& tablespace : tablespaces) text += fmt::format("{}{}\n", kTablespace, tablespace);
    return write_file(identity, journal_path(data_dir), text);
}

Status clear_journal(const std::string& data_dir) {
    PGHERD_CHECK(remove_file(journal_path(data_dir)));
    return sync_parent(journal_path(data_dir));
}

Result<std::string> interrupted_operation(const std::string& data_dir) {
    PGHERD_TRY(const auto journal, read_if_there(journal_path(data_dir)));
    return journal ? split(*journal, ' ').front() : std::string();
}

namespace {

Status clear_journalled_tablespaces(const std::string& data_dir) {
    PGHERD_TRY(const auto journal, read_if_there(journal_path(data_dir)));
    for (const std::string& line : split(journal.value_or(""), '\n'))
        if (line.starts_with(kTablespace)) PGHERD_CHECK(clear_tablespace(line.substr(kTablespace.size())));
    return {};
}

}  // namespace

Status clear_incomplete(const std::string& data_dir) {
    if (inspect(data_dir) != DataDirectory::incomplete)
        return fail(ErrorCode::conflict,
                    fmt::format("cannot clear {}: it is not an interrupted copy of ours", data_dir));
    PGHERD_CHECK(clear_journalled_tablespaces(data_dir));
    std::error_code error;
    std::filesystem::directory_iterator entry(data_dir, error), end;
    for (; !error && entry != end; entry.increment(error)) {
        if (entry->path().filename() == "lost+found") continue;
        std::error_code failure;
        std::filesystem::remove_all(entry->path(), failure);
        if (failure)
            return fail(fmt::format("cannot clear {}: {}", entry->path().string(), failure.message()));
    }
    if (error && error != std::errc::no_such_file_or_directory)
        return fail(fmt::format("cannot clear {}: {}", data_dir, error.message()));
    return {};
}

namespace {

Status rename_aside(const std::string& data_dir) {
    const std::string aside = data_dir + ".failed";
    std::error_code error;
    std::filesystem::remove_all(aside, error);
    if (error) return fail(fmt::format("cannot remove {}: {}", aside, error.message()));
    if (::rename(data_dir.c_str(), aside.c_str()) == 0) return move_tablespaces_aside(aside);
    const int why = errno;
    const bool is_mount_point = why == EBUSY;
    if (is_mount_point && inspect(data_dir) == DataDirectory::incomplete) {
        PGHERD_CHECK(remove_linked_tablespaces(data_dir));
        return clear_incomplete(data_dir);
    }
    return fail(fmt::format(
        "cannot move {} to {}: {}{}", data_dir, aside, std::strerror(why),
        is_mount_point ? " (a file system is mounted there; a directory in it can be moved)" : ""));
}

}  // namespace

Status move_aside(const std::string& data_dir) {
    PGHERD_TRY(const bool there, is_there(data_dir));
    PGHERD_TRY(const std::string interrupted, interrupted_operation(data_dir));
    if (there) PGHERD_CHECK(interrupted == "clone" ? clear_incomplete(data_dir) : rename_aside(data_dir));
    PGHERD_CHECK(remove_file(unregistered_path(data_dir)));
    return clear_journal(data_dir);
}

namespace {

std::string lock_path(const std::string& data_dir) {
    return data_dir + "/postmaster.pid";
}

// The lock files of sockets begin with the same lines.
Result<std::optional<LockFile>> read_lock_lines(const std::string& path) {
    PGHERD_TRY(const auto text, read_if_there(path));
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
Result<bool> works_in(pid_t pid, const std::string& data_dir) {
    if (pid <= 1 || !lives(pid)) return false;
    const std::string place = fmt::format("/proc/{}/cwd", pid);
    struct stat its{}, ours{};
    if (::stat(place.c_str(), &its) != 0) {
        // It has ended meanwhile, or is of another user, whom PostgreSQL does not run as.
        if (errno == ENOENT || errno == ESRCH || errno == EACCES || errno == EPERM) return false;
        return cannot_read(place, errno);
    }
    if (::stat(data_dir.c_str(), &ours) != 0) {
        if (errno == ENOENT) return false;
        return cannot_read(data_dir, errno);
    }
    return its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
}

// Also when that cannot be told.
bool anybody_may_work_in(const std::string& data_dir) {
    const auto processes = all_processes();
    return processes.empty() || std::ranges::any_of(processes, [&](const ProcessInfo& process) {
               return works_in(process.pid, data_dir).value_or(true);
           });
}

// The process of the lock file; `sign`: -1 for a standalone backend, which has a negative number there.
Result<std::optional<pid_t>> worker(const std::string& data_dir, int sign) {
    PGHERD_TRY(const auto lock, read_lock_file(data_dir));
    if (!lock) return std::nullopt;
    const pid_t pid = sign * lock->pid;
    PGHERD_TRY(const bool works, works_in(pid, data_dir));
    return works ? std::optional(pid) : std::nullopt;
}

}  // namespace

Result<std::optional<LockFile>> read_lock_file(const std::string& data_dir) {
    return read_lock_lines(lock_path(data_dir));
}

Result<std::optional<pid_t>> running_postmaster(const std::string& data_dir) {
    return worker(data_dir, 1);
}

Result<std::optional<pid_t>> running_single_user(const std::string& data_dir) {
    return worker(data_dir, -1);
}

Status remove_stale_locks(const std::string& data_dir, const std::vector<std::string>& socket_dirs,
                          std::uint16_t port) {
    // One whose process is gone PostgreSQL removes itself.
    const auto stale = [&](const LockFile& lock) {
        return lives(lock.pid) && !works_in(std::abs(lock.pid), data_dir).value_or(true);
    };
    if (const auto text = read_file(lock_path(data_dir));
        text && text->empty() && !anybody_may_work_in(data_dir))
        PGHERD_CHECK(remove_file(lock_path(data_dir)));
    PGHERD_TRY(const auto own, read_lock_file(data_dir));
    if (own && stale(*own)) PGHERD_CHECK(remove_file(lock_path(data_dir)));
    for (const std::string& directory : socket_dirs) {
        const std::string path = fmt::format("{}/.s.PGSQL.{}.lock", directory, port);
        const auto lock = read_lock_lines(path);  // one of another user is not ours to judge
        if (lock && *lock && same_file((*lock)->data_dir, data_dir) && stale(**lock))
            PGHERD_CHECK(remove_file(path));
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

Result<std::vector<Timeline>> history_files(const std::string& data_dir) {
    const std::string wal = data_dir + "/pg_wal";
    std::vector<Timeline> found;
    std::error_code error;
    std::filesystem::directory_iterator entry(wal, error), last;
    for (; !error && entry != last; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        std::uint32_t number = 0;
        const char* end = name.data() + std::min<std::size_t>(name.size(), 8);
        const bool named = name.size() == 16 && name.ends_with(".history") &&
                           std::from_chars(name.data(), end, number, 16).ptr == end;
        if (named) found.push_back({number});
    }
    if (error && error != std::errc::no_such_file_or_directory) return cannot_read(wal, error.value());
    return found;
}

bool was_passed_over(const std::string& data_dir, Timeline timeline) {
    const auto text = read_file(history_path(data_dir, timeline));
    return text && *text == kPassedOver;
}

}  // namespace

Result<Timeline> newest_timeline(const std::string& data_dir) {
    PGHERD_TRY(const auto found, history_files(data_dir));
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
        PGHERD_TRY(const bool used, is_there(history_path(data_dir, {number})));
        if (used) continue;
        PGHERD_CHECK(write_file(identity, history_path(data_dir, {number}), kPassedOver));
    }
    return {};
}

Status remove_dangling_timelines(const std::string& data_dir) {
    PGHERD_TRY(auto found, history_files(data_dir));
    std::ranges::sort(found, std::greater{});
    for (const Timeline timeline : found) {
        if (!was_passed_over(data_dir, timeline)) break;
        PGHERD_CHECK(remove_file(history_path(data_dir, timeline)));
    }
    return {};
}

Result<std::vector<HistoryLine>> read_history(const std::string& data_dir, Timeline timeline) {
    if (timeline.value <= 1) return std::vector<HistoryLine>{};
    PGHERD_TRY(const auto text, read_if_there(history_path(data_dir, timeline)));
    return parse_history(text.value_or(""));
}

}  // namespace pgherd::postgres
