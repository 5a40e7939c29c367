// Changes, tasks and notices as JSON: for clients, and for the state file (which keeps more).
#pragma once

#include "supervise/change.h"
#include "supervise/change_book.h"

namespace pgherd::supervise {

JsonObject change_json(const ChangeBook& book, const Change& change);  // with its tasks, for clients
JsonObject notice_json(const Notice& notice);

JsonObject change_record(const Change& change);
JsonObject task_record(const Task& task);
JsonObject notice_record(const Notice& notice);
Result<Change> read_change(const JsonObject& object);
Result<Task> read_task(const JsonObject& object);
Result<Notice> read_notice(const JsonObject& object);

}  // namespace pgherd::supervise
