// The commands that clients run at the moment, by the task of their change.
#pragma once

#include <map>
#include <memory>

#include "base/scope.h"
#include "supervise/change.h"
#include "supervisor/exec_session.h"

namespace pgherd::supervisor {

class Daemon;

class ExecSessions {
  public:
    explicit ExecSessions(Daemon& daemon);
    // Ends them all.
    ~ExecSessions();
    ExecSessions(const ExecSessions&) = delete;
    ExecSessions& operator=(const ExecSessions&) = delete;

    // Ends with the task done, and its exit code in the task's data, or failed.
    void start(supervise::TaskId task, ExecOrder order);
    std::shared_ptr<ExecSession> find(supervise::TaskId task) const;
    void end_all();

  private:
    void ended(supervise::TaskId task, const ExecEnd& end);

    Daemon& daemon_;
    std::map<supervise::TaskId, std::shared_ptr<ExecSession>> sessions_;
    Scope scope_;
};

}  // namespace pgherd::supervisor
