#include "http/connection_table.h"

namespace pgherd {

Instant ConnectionTable::deadline(ConnectionPhase phase, Instant now) const {
    const Duration limit = limits_[static_cast<std::size_t>(phase)];
    return limit == Duration{} ? Instant::max() : now + limit;
}

void ConnectionTable::add(TabledConnection& connection, Instant now) {
    connection.phase_ = ConnectionPhase::idle;
    connection.deadline_ = deadline(ConnectionPhase::idle, now);
    connection.place_ = list(ConnectionPhase::idle).insert(list(ConnectionPhase::idle).end(), &connection);
    ++size_;
}

void ConnectionTable::enter(TabledConnection& connection, ConnectionPhase phase, Instant now) {
    if (connection.aborted_) return;
    list(phase).splice(list(phase).end(), list(connection.phase_), connection.place_);
    connection.phase_ = phase;
    connection.deadline_ = deadline(phase, now);
}

void ConnectionTable::remove(TabledConnection& connection) {
    (connection.aborted_ ? aborted_ : list(connection.phase_)).erase(connection.place_);
    --size_;
}

void ConnectionTable::abort(TabledConnection& connection) {
    aborted_.splice(aborted_.end(), list(connection.phase_), connection.place_);
    connection.aborted_ = true;
    connection.abort();
}

void ConnectionTable::abort_overdue(Instant now) {
    for (List& waiting : lists_)
        while (!waiting.empty() && waiting.front()->deadline_ <= now) abort(*waiting.front());
}

bool ConnectionTable::abort_oldest(std::initializer_list<ConnectionPhase> phases) {
    for (const ConnectionPhase phase : phases) {
        if (list(phase).empty()) continue;
        abort(*list(phase).front());
        return true;
    }
    return false;
}

void ConnectionTable::abort_all() {
    for (List& waiting : lists_)
        while (!waiting.empty()) abort(*waiting.front());
}

}  // namespace pgherd
