// All connections of a server, by what they wait for, so that the one that has waited the longest is found at
// once.
//
// A phase lasts equally long for everybody; so a list in the order of entering it is also in the order of
// deadlines, and neither a timer nor a search per connection is needed.
#pragma once

#include <array>
#include <initializer_list>
#include <list>

#include "base/time.h"

namespace pgherd {

enum class ConnectionPhase { idle, idle_tls, reading, answering, writing };
inline constexpr std::size_t kConnectionPhases = 5;

class TabledConnection {
  public:
    virtual ~TabledConnection() = default;
    // Ends whatever is under way. The connection leaves the table by itself, later.
    virtual void abort() = 0;

  private:
    friend class ConnectionTable;
    ConnectionPhase phase_ = ConnectionPhase::idle;
    Instant deadline_;
    bool aborted_ = false;
    std::list<TabledConnection*>::iterator place_;
};

class ConnectionTable {
  public:
    // In the order of ConnectionPhase; 0 = no limit.
    using Limits = std::array<Duration, kConnectionPhases>;
    explicit ConnectionTable(Limits limits) : limits_(limits) {}

    void add(TabledConnection& connection, Instant now);
    void enter(TabledConnection& connection, ConnectionPhase phase, Instant now);
    void remove(TabledConnection& connection);

    void abort_overdue(Instant now);
    // The one that has been in the first of these phases for the longest, or in the next, and so on. False:
    // there is none.
    bool abort_oldest(std::initializer_list<ConnectionPhase> phases);
    void abort_all();
    std::size_t size() const { return size_; }

  private:
    using List = std::list<TabledConnection*>;
    List& list(ConnectionPhase phase) { return lists_[static_cast<std::size_t>(phase)]; }
    void abort(TabledConnection& connection);
    Instant deadline(ConnectionPhase phase, Instant now) const;

    Limits limits_;
    std::array<List, kConnectionPhases> lists_;
    List aborted_;
    std::size_t size_ = 0;
};

}  // namespace pgherd
