// The changes of a supervisor and the rules of their tasks: what may run now, what a failure does to the rest
// of its lane, when a change is ready, what is forgotten.
//
// It runs nothing. The shell takes startable tasks, does them, and reports. Every change of a change's status
// makes a "change-update" notice in the NoticeBook.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "supervise/change.h"
#include "supervise/notice_book.h"

namespace pgherd::supervise {

struct NewTask {
    std::string kind;
    std::string summary;
    std::string subject;
    std::uint32_t lane = 0;
    std::vector<std::size_t> waits_for;  // positions in the same list
};
struct NewChange {
    std::string kind;
    std::string summary;
    std::vector<std::string> subjects;
    std::vector<NewTask> tasks;  // none: the change is done at once
    StringMap notice_data;       // beside "kind"
    JsonObject data;
};

enum class LogKind { info, error };

class ChangeBook {
  public:
    explicit ChangeBook(NoticeBook& notices) : notices_(notices) {}

    ChangeId add(NewChange input, WallTime now);
    const Change* find(ChangeId id) const;
    const Task* find_task(TaskId id) const;
    const std::map<ChangeId, Change>& changes() const { return changes_; }
    // "cannot perform the following tasks:\n- …"; empty when nothing failed.
    std::string error_of(const Change& change) const;

    // Tasks that may start now; they count as doing from here on.
    std::vector<TaskId> take_startable(WallTime now);
    void log(TaskId id, LogKind kind, std::string_view text, WallTime now);
    void set_data(TaskId id, std::string_view key, Json value);
    void finish(TaskId id, WallTime now);                        // done
    void fail(TaskId id, std::string_view error, WallTime now);  // error, logged when not empty
    // Tasks that are being done and must be stopped because their lane failed or the change was aborted. The
    // shell ends them and reports finish or fail as ever.
    std::vector<TaskId> take_to_abort();
    // Error: `cannot abort change 1 with nothing pending`.
    Status abort(ChangeId id, std::string_view why, WallTime now);
    // No task begins any more, of any change there is.
    void hold_waiting(WallTime now);

    // Changes that became ready since the last call, for those who wait.
    std::vector<ChangeId> take_ready();
    // Forgets old ready changes and gives up those that are never ready (checks and the newest excepted).
    void prune(WallTime now);

    // For the state file.
    std::vector<ChangeId> take_changed();
    std::vector<TaskId> take_changed_tasks();
    std::vector<ChangeId> take_removed();
    void restore(Change change);
    void restore(Task task);
    void restore_last_ids(ChangeId change, TaskId task);
    // After a restart of the supervisor: what was under way is not.
    void give_up_unfinished(WallTime now);
    ChangeId last_change_id() const { return last_change_; }
    TaskId last_task_id() const { return last_task_; }

  private:
    Task& task(TaskId id);
    void set_status(Task& task, WorkStatus status, WallTime now);
    void hold_lane(const Task& failed, WallTime now);
    void refresh(Change& change, WallTime now);
    void notify(const Change& change, WallTime now);
    bool startable(const Task& task) const;

    NoticeBook& notices_;
    std::map<ChangeId, Change> changes_;
    std::map<TaskId, Task> tasks_;
    std::map<ChangeId, StringMap> notice_data_;
    std::set<ChangeId> unfinished_;
    ChangeId last_change_ = 0;
    TaskId last_task_ = 0;
    std::vector<TaskId> to_abort_;
    std::vector<ChangeId> ready_;
    std::set<ChangeId> changed_;
    std::set<TaskId> changed_tasks_;
    std::vector<ChangeId> removed_;
};

}  // namespace pgherd::supervise
