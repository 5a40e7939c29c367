// PostgreSQL's tools and the users' commands as child processes: run as the right user, output captured
// (bounded), ended together with this process, and with all of their group when the wait is cancelled or its
// deadline passes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "postgres/async.h"
#include "postgres/identity.h"

namespace pgherd::postgres {

struct ChildSpec {
    std::vector<std::string> argv;
    std::vector<std::string> environment;  // see tool_environment()
    std::string working_directory = "/";
    std::function<void(std::string_view)> on_output;  // each piece as it comes
};

struct ChildResult {
    int status = 0;      // wait status
    std::string output;  // standard output and error; the last 64 kB of them

    bool succeeded() const { return status == 0; }
    // "exited with code 1: <last line>" or "was ended by signal 9"
    std::string describe() const;
};

// Errors: not_found (cannot be executed), timeout.
Async<ChildResult> run_child(const Identity& identity, ChildSpec spec, Instant deadline);
// A command as users write it in the configuration, through the shell; `arguments` are appended, quoted.
std::vector<std::string> shell_command(const std::string& command, const std::vector<std::string>& arguments);

// This process' environment without the agent's own settings (they hold passwords) and without PG*; HOME and
// USER are the identity's. `extra`: "NAME=value".
std::vector<std::string> tool_environment(const Identity& identity, const std::vector<std::string>& extra);
// The same for the postmaster: also without the guard's mark.
std::vector<std::string> server_environment(const Identity& identity);

// All that were executed with this variable, "NAME=value", as far as this process may know. An error: they
// cannot be looked at now.
Result<std::vector<pid_t>> processes_with(const std::string& variable);

}  // namespace pgherd::postgres
