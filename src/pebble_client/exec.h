// A command run by the supervisor, with its streams here: POST /v1/exec, three websockets, and the change at
// the end.
//
// Input is read from a descriptor as fast as the supervisor takes it, output is given to a function; nothing
// is kept but one message each way. Signals and a new size of the terminal go over the control socket. It
// knows nothing of terminals: who wants one puts the descriptor into raw mode before.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pebble_client/client.h"

namespace pgherd::pebble {

enum class OutputStream { standard_output, standard_error };

struct ExecRequest {
    Json body;                   // of POST /v1/exec
    int input = -1;              // a descriptor; -1: no input at all
    bool separate_error = true;  // the body says "split-stderr"
    std::function<void(OutputStream, std::string_view)> output;
};

class Exec {
  public:
    explicit Exec(Client& client);
    ~Exec();
    Exec(const Exec&) = delete;
    Exec& operator=(const Exec&) = delete;

    // The exit code. Errors: the command could not be started, or it was ended by its time-out.
    Result<int> run(ExecRequest request);

    // While it runs, from a handler of the loop.
    void send_signal(std::string_view name);  // "SIGTERM"
    void resize(int width, int height);

  private:
    struct Session;
    Client& client_;
    std::shared_ptr<Session> session_;
};

}  // namespace pgherd::pebble
