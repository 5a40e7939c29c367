#include "supervisor/enter.h"

#include <csignal>

#include <unistd.h>

namespace pgherd::supervisor {

Enter::Enter(Daemon& daemon) : daemon_(daemon) {
    // Default services come first: their change is the newest that is not ready.
    for (const auto& [id, change] : daemon_.changes().changes()) {
        if (change.kind != "autostart" || change.ready) continue;
        daemon_.wait_for_change(id, std::nullopt, scope_.guard([this](bool) { begin(); }));
        return;
    }
    daemon_.clock().post(scope_.guard([this] { begin(); }));
}

void Enter::begin() {
    SpawnOptions options;
    options.command = {"/proc/self/exe", "supervisor"};
    options.command.insert(options.command.end(), daemon_.options().inner.begin(),
                           daemon_.options().inner.end());
    options.environment = daemon_.own_environment();
    options.environment.insert_or_assign("PEBBLE", daemon_.options().directory);
    options.environment.insert_or_assign("PEBBLE_SOCKET", daemon_.options().socket);
    options.standard_input = STDIN_FILENO;
    options.standard_output = STDOUT_FILENO;
    options.standard_error = STDERR_FILENO;
    const Result<int> pid =
        daemon_.processes().spawn(options, scope_.guard([this](int code) { ended(code); }));
    if (!pid) {
        daemon_.log().error("enter", pid.error().message);
        return ended(1);
    }
    // It leads a process group of its own, which only as the terminal's foreground may read from it.
    if (::isatty(STDIN_FILENO) != 0) {
        std::signal(SIGTTOU, SIG_IGN);
        static_cast<void>(::tcsetpgrp(STDIN_FILENO, *pid));
    }
}

void Enter::ended(int code) {
    if (::isatty(STDIN_FILENO) != 0) static_cast<void>(::tcsetpgrp(STDIN_FILENO, ::getpgrp()));
    const std::string& command = daemon_.options().inner.front();
    if (code == 0 && (command == "start" || command == "stop")) return;
    exit_code_ = code;
    daemon_.shut_down(0, "the command has ended");
}

}  // namespace pgherd::supervisor
