// One command that a client runs: waits for the client's websockets, starts it, carries its streams, and says
// how it ended.
//
// Back-pressure goes through: a client that reads nothing stops the command, and nobody else. The end comes
// when the command has ended and its output was sent; children that keep the output open without writing are
// not waited for. A time-out, a client that vanishes and an abort kill the command with everything it has
// started.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "eventloop/wakeup.h"
#include "http/web_socket.h"
#include "process/pipe.h"
#include "process/process.h"

namespace pgherd::supervisor {

struct ExecOrder {
    std::string id;  // of the task, for messages
    SpawnOptions spawn;
    std::optional<Duration> timeout;
    Duration connect_limit = std::chrono::seconds(5);  // for the client to open its websockets
    bool terminal = false;
    bool interactive = false;
    bool split_stderr = false;
    int width = 0;
    int height = 0;
};

// The exit code, or why there is none.
struct ExecEnd {
    int code = -1;
    std::string error;
};

enum class ExecSocket { control, stdio, stderr_only };

class ExecSession : public std::enable_shared_from_this<ExecSession> {
  public:
    ExecSession(EventLoop& loop, Processes& processes, ExecOrder order, std::function<void(ExecEnd)> on_end);

    void start();
    void abort(std::string why);

    bool offers(ExecSocket which) const;
    // Reserves the place; false: it is taken.
    bool reserve(ExecSocket which);
    void attach(ExecSocket which, std::unique_ptr<WebSocket> socket);  // without one the place is free again

  private:
    using Stream = boost::asio::posix::stream_descriptor;
    struct Place {
        bool reserved = false;
        std::shared_ptr<WebSocket> socket;
    };
    struct ChildEnds {
        Descriptor input;
        Descriptor output;
        Descriptor error;
    };

    boost::asio::awaitable<void> run();
    boost::asio::awaitable<bool> wait_for_sockets();
    Status launch();
    Status open_streams(ChildEnds& ends);
    boost::asio::awaitable<void> wait_for_end();
    void kill(std::string why);
    void finish(ExecEnd end);

    boost::asio::awaitable<void> pump_input(std::shared_ptr<WebSocket> socket);
    boost::asio::awaitable<void> pump_output(std::shared_ptr<Stream> from, std::shared_ptr<WebSocket> socket);
    boost::asio::awaitable<void> obey(std::shared_ptr<WebSocket> socket);
    void begin_to_obey();
    void command(std::string_view text);
    void spawn(boost::asio::awaitable<void> work);
    Place& place(ExecSocket which) { return places_[static_cast<std::size_t>(which)]; }

    EventLoop& loop_;
    Processes& processes_;
    ExecOrder order_;
    std::function<void(ExecEnd)> on_end_;
    Wakeup changed_;
    std::array<Place, 3> places_;
    std::string mark_;
    std::shared_ptr<Stream> input_;
    std::shared_ptr<Stream> output_;
    std::shared_ptr<Stream> error_;
    int terminal_ = -1;  // its descriptor, owned by `output_`
    int pid_ = 0;
    std::optional<int> code_;
    int outputs_open_ = 0;
    int writing_ = 0;  // to a client that takes its time
    Instant last_output_;
    std::string failure_;  // why it was ended
    bool killed_ = false;
    Instant killed_at_;
    bool over_ = false;
};

}  // namespace pgherd::supervisor
