#include "supervisor/exec_sessions.h"

#include "supervisor/daemon.h"

namespace pgherd::supervisor {

ExecSessions::ExecSessions(Daemon& daemon) : daemon_(daemon) {
    daemon_.set_task_kind("exec", {.run = {}, .abort = [this](supervise::TaskId task) {
                                       if (const auto session = find(task)) session->abort("aborted");
                                   }});
}

ExecSessions::~ExecSessions() {
    end_all();
}

void ExecSessions::end_all() {
    const auto all = sessions_;
    for (const auto& [task, session] : all) session->abort("the supervisor ends");
}

void ExecSessions::start(supervise::TaskId task, ExecOrder order) {
    const auto session =
        std::make_shared<ExecSession>(daemon_.loop(), daemon_.processes(), std::move(order),
                                      scope_.guard([this, task](const ExecEnd& end) { ended(task, end); }));
    sessions_[task] = session;
    session->start();
}

std::shared_ptr<ExecSession> ExecSessions::find(supervise::TaskId task) const {
    const auto found = sessions_.find(task);
    return found == sessions_.end() ? nullptr : found->second;
}

void ExecSessions::ended(supervise::TaskId task, const ExecEnd& end) {
    sessions_.erase(task);
    daemon_.changes().set_data(task, "exit-code", end.code);
    if (end.error.empty())
        daemon_.task_done(task);
    else
        daemon_.task_failed(task, end.error);
    daemon_.settle();
}

}  // namespace pgherd::supervisor
