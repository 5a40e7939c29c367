// The data directory as files: what it is, its journal, its lock file, its timelines.
//
// The journal is a file beside the data directory, `<data_dir>.pgherd`. It exists exactly while an initdb, a
// clone or a rewind of ours is under way; one that is found at rest means that the directory is half done.
// Only such a directory is ever cleared. What cannot be read (no descriptors left, say) is an error or
// `unreadable`, never something that is not there: then it is left alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "model/postgres_state.h"
#include "postgres/identity.h"

namespace pgherd::postgres {

// An error: it cannot be looked at.
Result<DataDirectory> examine(const std::string& data_dir);
// The same without the reason.
DataDirectory inspect(const std::string& data_dir);
// From PG_VERSION; nothing when there is none.
Result<std::optional<int>> data_version(const std::string& data_dir);

std::string journal_path(const std::string& data_dir);
// `tablespaces`: directories elsewhere that are empty now, and that the operation fills.
Status write_journal(const Identity& identity, const std::string& data_dir, const std::string& operation,
                     const std::vector<std::string>& tablespaces = {});
Status clear_journal(const std::string& data_dir);
// The journal's first word, as given to write_journal(): what was interrupted. Empty: no journal.
Result<std::string> interrupted_operation(const std::string& data_dir);

// A file beside the data directory, too, from the end of a bootstrap until its cluster is registered.
std::string unregistered_path(const std::string& data_dir);

// Holds the superuser's password while initdb runs.
std::string secret_path(const std::string& data_dir);

// Removes what is in an incomplete directory and in the tablespaces of its journal, the directory itself
// stays.
Status clear_incomplete(const std::string& data_dir);
// Renames it to <data_dir>.failed; an older one of that name is removed. What an interrupted clone has left
// is removed instead, as the older one may be the data that it was to replace; so is what is incomplete on a
// mount point, which cannot be renamed. What is in tablespaces elsewhere goes the same way. Clears the
// journal and the mark of an unregistered cluster.
Status move_aside(const std::string& data_dir);

// postmaster.pid
struct LockFile {
    pid_t pid = 0;
    std::string data_dir;
    std::string status;  // "starting", "stopping", "ready", "standby"; empty when not written yet
};
Result<std::optional<LockFile>> read_lock_file(const std::string& data_dir);
// The process of the lock file, if it lives and works in this data directory.
Result<std::optional<pid_t>> running_postmaster(const std::string& data_dir);
// The same for `postgres --single`: an administrator's, or pg_rewind's.
Result<std::optional<pid_t>> running_single_user(const std::string& data_dir);
// Removes what an ended instance of this directory has left behind, here and beside its sockets, if the
// process number in it belongs to something else by now (after a reboot, or in a new container on old
// volumes), or if it was killed before it had written one: PostgreSQL would take that for another
// postmaster, and not start.
Status remove_stale_locks(const std::string& data_dir, const std::vector<std::string>& socket_dirs,
                          std::uint16_t port);

// "1\t0/3000000\tno recovery target specified" lines, oldest first.
std::vector<HistoryLine> parse_history(std::string_view text);
// The highest number of which there is a history file; 0: none.
Result<Timeline> newest_timeline(const std::string& data_dir);

// A promotion takes the first number of which PostgreSQL finds no history file. Files that say nothing stand
// for the numbers between `current` and `wanted`; PostgreSQL follows such a timeline never, as nothing is its
// ancestor.
Status pass_over_timelines(const Identity& identity, const std::string& data_dir, Timeline current,
                           Timeline wanted);
// After a promotion that never happened: PostgreSQL would refuse to start for a newest timeline that nothing
// leads to.
Status remove_dangling_timelines(const std::string& data_dir);

// Empty when there is no such file.
Result<std::vector<HistoryLine>> read_history(const std::string& data_dir, Timeline timeline);

}  // namespace pgherd::postgres
