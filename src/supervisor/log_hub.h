// The logs of all services: takes what they write, keeps the last of it, and lets others read along.
//
// Everybody writes into a pipe of their own, and everything goes into a ring per service (log_ring.h). A
// reader follows at its own pace from the rings, so that a stuck one costs nothing. Readers take turns, and
// together only a share of the loop's time: with a hundred of them behind a service that writes as fast as it
// can, other requests wait for no longer than one share.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eventloop/loop.h"
#include "supervisor/log_ring.h"
#include "supervisor/turns.h"

namespace pgherd::supervisor {

class LogReader;

using LineCounts = std::map<std::string, std::uint64_t, std::less<>>;  // by service

// What is done with every line beside keeping it (log_sink.h). Must not block.
class LogOutput {
  public:
    virtual ~LogOutput() = default;
    virtual void write(std::string_view service, const LogLine& line) = 0;
    virtual void flush() = 0;  // after some lines

    // Of each service, lines that did not get there.
    const LineCounts& lost() const { return lost_; }

  protected:
    void count_lost(std::string_view service, std::uint64_t lines);

  private:
    LineCounts lost_;
};

class LogHub {
  public:
    static constexpr std::size_t kRingSize = 100 * 1024;

    explicit LogHub(EventLoop& loop, std::size_t ring_size = kRingSize);
    ~LogHub();
    LogHub(const LogHub&) = delete;
    LogHub& operator=(const LogHub&) = delete;

    // Gives the end of a pipe into which a process of the service may write, as its standard output and
    // error; the caller owns it. What is written there becomes lines of the service. Reading ends with the
    // pipe, or `drain` after process_ended, when others still hold it.
    Result<int> open_writer(const std::string& service, Duration drain);
    void process_ended(const std::string& service);
    // What lies in the pipes already becomes lines, and nothing comes later: for the end.
    void take_rest();
    // A line that nobody wrote into a pipe.
    void append(const std::string& service, std::string_view text);

    // The last lines, each with its line end, and "(...)\n" before them when there were more.
    std::string last_lines(const std::string& service, std::size_t count) const;
    std::vector<std::string> services() const;

    void add_output(std::shared_ptr<LogOutput> output);
    LineCounts lost_lines() const;  // of all outputs together

  private:
    friend class LogReader;
    class Core;
    std::shared_ptr<Core> core_;
};

struct LogSelection {
    std::set<std::string, std::less<>> services;  // none = all, also those that are yet to come
    std::int64_t last = 0;                        // how many of the lines that are there already; -1 = all
    bool follow = true;                           // false: nothing that comes later
};

class LogReader {
  public:
    LogReader(LogHub& hub, LogSelection selection);
    ~LogReader();
    LogReader(const LogReader&) = delete;
    LogReader& operator=(const LogReader&) = delete;

    // Gives lines in the order of their arrival to `take(service, line)`, until it has given `bytes` of text
    // or there are no more for now; how many. Lines that left their ring before they were read are told by
    // one that counts them.
    using Take = std::function<void(std::string_view service, const LogLine& line)>;
    std::size_t read(std::size_t bytes, const Take& take);
    bool behind() const;  // there are lines to read

    // Calls `then` once, from the loop, when it is this reader's turn and there are lines to read. It
    // replaces an earlier one; an empty one takes it back.
    void when_readable(std::function<void()> then);
    // The same whether there are lines or not, for who has to go on with what was read before.
    void when_turn(std::function<void()> then);

  private:
    friend class LogHub::Core;
    struct Place {
        std::string_view service;
        const LogRing* ring = nullptr;
        LogRing::Cursor cursor;
    };
    bool wants(std::string_view service) const;
    bool has_next(const Place& place) const;
    void add(std::string_view service, const LogRing& ring, LogRing::Cursor from);
    void start_at_last(std::size_t count);

    std::shared_ptr<LogHub::Core> core_;
    LogSelection selection_;
    std::vector<Place> places_;
    std::uint64_t last_sequence_;
    std::function<void()> then_;
    Turn turn_;
    std::string scratch_;
};

}  // namespace pgherd::supervisor
