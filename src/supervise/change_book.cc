#include "supervise/change_book.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/assert.h"
#include "supervise/go_text.h"

namespace pgherd::supervise {
namespace {

constexpr std::size_t kMaxLog = 10;
constexpr std::size_t kMaxReadyChanges = 1000;
constexpr auto kKeepReady = std::chrono::hours(7 * 24);
constexpr auto kGiveUp = std::chrono::hours(14 * 24);

constexpr std::array<std::string_view, 6> kStatusNames{"Do", "Doing", "Done", "Abort", "Error", "Hold"};
// A change has the first of these that one of its tasks has.
constexpr std::array kPrecedence{WorkStatus::aborting, WorkStatus::doing, WorkStatus::waiting,
                                 WorkStatus::failed,   WorkStatus::done,  WorkStatus::held};

bool is_check_change(const Change& change) {
    return change.kind == "perform-check" || change.kind == "recover-check";
}

}  // namespace

std::string_view to_string(WorkStatus status) {
    return kStatusNames[static_cast<std::size_t>(status)];
}

std::optional<WorkStatus> parse_work_status(std::string_view text) {
    for (std::size_t i = 0; i < kStatusNames.size(); ++i)
        if (kStatusNames[i] == text) return static_cast<WorkStatus>(i);
    return std::nullopt;
}

ChangeId ChangeBook::add(NewChange input, WallTime now) {
    const ChangeId id = ++last_change_;
    Change& change = changes_[id];
    change.id = id;
    change.kind = std::move(input.kind);
    change.summary = std::move(input.summary);
    change.subjects = std::move(input.subjects);
    change.spawned = now;
    change.data = std::move(input.data);
    const TaskId first = last_task_ + 1;
    for (NewTask& wanted : input.tasks) {
        const TaskId task_id = ++last_task_;
        Task& added = tasks_[task_id];
        added.id = task_id;
        added.change = id;
        added.kind = std::move(wanted.kind);
        added.summary = std::move(wanted.summary);
        added.subject = std::move(wanted.subject);
        added.lane = wanted.lane;
        added.spawned = now;
        for (const std::size_t position : wanted.waits_for) added.waits_for.push_back(first + position);
        change.tasks.push_back(task_id);
        changed_tasks_.insert(task_id);
    }
    notice_data_[id] = std::move(input.notice_data);
    changed_.insert(id);
    unfinished_.insert(id);
    // Clients may make more of them than `prune` is called for.
    if (changes_.size() - unfinished_.size() > 2 * kMaxReadyChanges) prune(now);
    notify(change, now);
    if (change.tasks.empty()) {
        change.status = WorkStatus::held;  // differs from what refresh makes of it
        refresh(change, now);
    }
    return id;
}

const Change* ChangeBook::find(ChangeId id) const {
    const auto found = changes_.find(id);
    return found == changes_.end() ? nullptr : &found->second;
}

const Task* ChangeBook::find_task(TaskId id) const {
    const auto found = tasks_.find(id);
    return found == tasks_.end() ? nullptr : &found->second;
}

Task& ChangeBook::task(TaskId id) {
    const auto found = tasks_.find(id);
    PGHERD_ASSERT(found != tasks_.end());
    return found->second;
}

std::string ChangeBook::error_of(const Change& change) const {
    std::string lines;
    for (const TaskId id : change.tasks) {
        const Task* failed = find_task(id);
        if (!failed || failed->status != WorkStatus::failed) continue;
        bool any = false;
        for (const std::string& entry : failed->log) {
            constexpr std::string_view kMark = " ERROR ";
            const std::size_t at = entry.find(kMark);
            // Right after the time, or it is part of a text.
            if (at == std::string::npos || at != entry.find(' ')) continue;
            lines += fmt::format("\n- {} ({})", failed->summary,
                                 std::string_view(entry).substr(at + kMark.size()));
            any = true;
        }
        if (!any) lines += fmt::format("\n- {} (internal error: no log entry)", failed->summary);
    }
    return lines.empty() ? lines : "cannot perform the following tasks:" + lines;
}

bool ChangeBook::startable(const Task& waiting) const {
    return std::ranges::all_of(waiting.waits_for, [&](TaskId id) {
        const Task* other = find_task(id);
        return !other || is_ready(other->status);
    });
}

std::vector<TaskId> ChangeBook::take_startable(WallTime now) {
    std::vector<TaskId> started;
    for (const ChangeId id : unfinished_)
        for (const TaskId task_id : changes_.find(id)->second.tasks)
            if (const Task& candidate = task(task_id);
                candidate.status == WorkStatus::waiting && startable(candidate))
                started.push_back(task_id);
    for (const TaskId id : started) set_status(task(id), WorkStatus::doing, now);
    return started;
}

void ChangeBook::log(TaskId id, LogKind kind, std::string_view text, WallTime now) {
    Task& logged = task(id);
    if (logged.log.size() >= kMaxLog) logged.log.erase(logged.log.begin());
    logged.log.push_back(
        fmt::format("{} {} {}", rfc3339_seconds(now), kind == LogKind::info ? "INFO" : "ERROR", text));
    changed_tasks_.insert(id);
}

void ChangeBook::set_data(TaskId id, std::string_view key, Json value) {
    task(id).data.insert_or_assign(boost::json::string_view(key.data(), key.size()), std::move(value));
    changed_tasks_.insert(id);
}

void ChangeBook::finish(TaskId id, WallTime now) {
    Task& finished = task(id);
    if (!is_ready(finished.status)) set_status(finished, WorkStatus::done, now);
}

void ChangeBook::fail(TaskId id, std::string_view error, WallTime now) {
    Task& failed = task(id);
    if (is_ready(failed.status)) return;
    if (!error.empty()) log(id, LogKind::error, error, now);
    hold_lane(failed, now);
    set_status(failed, WorkStatus::failed, now);
}

// What has not begun is not begun; what is being done is ended.
void ChangeBook::hold_lane(const Task& failed, WallTime now) {
    for (const TaskId id : changes_.find(failed.change)->second.tasks) {
        Task& other = task(id);
        if (other.id == failed.id || other.lane != failed.lane) continue;
        if (other.status == WorkStatus::waiting) set_status(other, WorkStatus::held, now);
        if (other.status == WorkStatus::doing) {
            to_abort_.push_back(id);
            set_status(other, WorkStatus::aborting, now);
        }
    }
}

void ChangeBook::set_status(Task& changed, WorkStatus status, WallTime now) {
    if (changed.status == status) return;
    changed.status = status;
    if (is_ready(status)) changed.ready = now;
    changed_tasks_.insert(changed.id);
    refresh(changes_.find(changed.change)->second, now);
}

void ChangeBook::refresh(Change& change, WallTime now) {
    const WorkStatus before = change.status;
    change.status = WorkStatus::done;
    for (auto status = kPrecedence.rbegin(); status != kPrecedence.rend(); ++status)
        if (std::ranges::any_of(change.tasks, [&](TaskId id) { return task(id).status == *status; }))
            change.status = *status;
    if (change.status == before) return;
    changed_.insert(change.id);
    if (is_ready(change.status)) {
        change.ready = now;
        ready_.push_back(change.id);
        unfinished_.erase(change.id);
    }
    // Between one task and the next a change falls back to "Do" for a moment, which is no news.
    const bool flicker =
        (before == WorkStatus::doing && change.status == WorkStatus::waiting) ||
        (before == WorkStatus::waiting && change.status == WorkStatus::doing &&
         std::ranges::any_of(change.tasks, [&](TaskId id) { return task(id).ready.has_value(); }));
    if (!flicker) notify(change, now);
    if (is_ready(change.status)) notice_data_.erase(change.id);
}

void ChangeBook::notify(const Change& change, WallTime now) {
    NoticeInput notice{.user = std::nullopt, .type = "change-update", .key = fmt::format("{}", change.id)};
    if (const auto data = notice_data_.find(change.id); data != notice_data_.end())
        notice.data = data->second;
    notice.data["kind"] = change.kind;
    notices_.record(notice, now);
}

std::vector<TaskId> ChangeBook::take_to_abort() {
    return std::exchange(to_abort_, {});
}

Status ChangeBook::abort(ChangeId id, std::string_view why, WallTime now) {
    const Change& change = changes_.find(id)->second;
    if (change.ready)
        return pgherd::fail(ErrorCode::conflict,
                            fmt::format("cannot abort change {} with nothing pending", id));
    for (const TaskId task_id : change.tasks) {
        Task& stopped = task(task_id);
        if (stopped.status == WorkStatus::waiting) set_status(stopped, WorkStatus::held, now);
        if (stopped.status == WorkStatus::doing) {
            if (!why.empty()) log(task_id, LogKind::info, why, now);
            to_abort_.push_back(task_id);
            set_status(stopped, WorkStatus::aborting, now);
        }
    }
    return {};
}

void ChangeBook::hold_waiting(WallTime now) {
    for (const ChangeId id : std::set(unfinished_))
        for (const TaskId task_id : changes_.find(id)->second.tasks)
            if (Task& waiting = task(task_id); waiting.status == WorkStatus::waiting)
                set_status(waiting, WorkStatus::held, now);
}

std::vector<ChangeId> ChangeBook::take_ready() {
    return std::exchange(ready_, {});
}

void ChangeBook::prune(WallTime now) {
    std::vector<ChangeId> ready;
    for (const auto& [id, change] : changes_) {
        if (change.ready)
            ready.push_back(id);
        else if (!is_check_change(change) && now - change.spawned > kGiveUp)
            static_cast<void>(abort(id, {}, now));
    }
    const std::size_t too_many = ready.size() > kMaxReadyChanges ? ready.size() - kMaxReadyChanges : 0;
    for (std::size_t i = 0; i < ready.size(); ++i) {
        const auto change = changes_.find(ready[i]);
        if (!change->second.ready || (i >= too_many && now - *change->second.ready <= kKeepReady)) continue;
        for (const TaskId task_id : change->second.tasks) {
            tasks_.erase(task_id);
            changed_tasks_.erase(task_id);
        }
        changed_.erase(ready[i]);
        removed_.push_back(ready[i]);
        changes_.erase(change);
    }
}

std::vector<ChangeId> ChangeBook::take_changed() {
    std::vector<ChangeId> ids(changed_.begin(), changed_.end());
    changed_.clear();
    return ids;
}

std::vector<TaskId> ChangeBook::take_changed_tasks() {
    std::vector<TaskId> ids(changed_tasks_.begin(), changed_tasks_.end());
    changed_tasks_.clear();
    return ids;
}

std::vector<ChangeId> ChangeBook::take_removed() {
    return std::exchange(removed_, {});
}

void ChangeBook::restore(Change change) {
    last_change_ = std::max(last_change_, change.id);
    if (!change.ready) unfinished_.insert(change.id);
    const ChangeId id = change.id;
    changes_.insert_or_assign(id, std::move(change));
}

void ChangeBook::restore(Task restored) {
    last_task_ = std::max(last_task_, restored.id);
    const TaskId id = restored.id;
    tasks_.insert_or_assign(id, std::move(restored));
}

void ChangeBook::restore_last_ids(ChangeId change, TaskId task_id) {
    last_change_ = std::max(last_change_, change);
    last_task_ = std::max(last_task_, task_id);
}

void ChangeBook::give_up_unfinished(WallTime now) {
    for (auto& [id, change] : changes_)
        std::erase_if(change.tasks, [&](TaskId task_id) { return !tasks_.contains(task_id); });
    std::erase_if(tasks_, [&](const auto& entry) { return !changes_.contains(entry.second.change); });
    for (const ChangeId id : std::set(unfinished_)) {
        Change& change = changes_.find(id)->second;
        for (const TaskId task_id : change.tasks) {
            Task& lost = task(task_id);
            if (lost.status == WorkStatus::waiting) set_status(lost, WorkStatus::held, now);
            if (is_ready(lost.status)) continue;
            if (is_check_change(change)) {
                set_status(lost, WorkStatus::held, now);
            } else {
                log(task_id, LogKind::error, "the supervisor was restarted meanwhile", now);
                set_status(lost, WorkStatus::failed, now);
            }
        }
        if (!change.ready) {
            change.status = WorkStatus::held;
            refresh(change, now);
            if (!change.ready) change.ready = now;
            unfinished_.erase(id);
        }
    }
    ready_.clear();
}

}  // namespace pgherd::supervise
