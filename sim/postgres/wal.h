// The write-ahead log of one instance, as the model needs it: a list of records, each on a timeline.
//
// A record's id is unique in the world and is given when the record is written. As records are only ever
// appended to a history or copied together with all that precedes them, two logs that hold the same id at the
// same place agree on everything before it: that is how the model knows the truth, while its PostgreSQL sees
// only timelines and LSNs, as the real one does.
#pragma once

#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/lsn.h"

namespace pgherd::sim {

struct WalRecord {
    std::uint64_t id = 0;
    Lsn end;
    Timeline timeline;
    std::uint64_t value = 0;  // what a client committed; 0: no commit (checkpoint, end of recovery, …)
    bool checkpoint = false;
};

using Switchpoints = std::vector<std::pair<Timeline, Lsn>>;

class Wal {
  public:
    std::size_t size() const { return records_.size(); }
    bool empty() const { return records_.empty(); }
    const WalRecord& operator[](std::size_t i) const { return records_[i]; }
    Lsn end() const { return empty() ? Lsn{} : records_.back().end; }
    Lsn end_at(std::size_t size) const { return size == 0 ? Lsn{} : records_[size - 1].end; }
    Timeline timeline_at(std::size_t size) const {
        return size == 0 ? Timeline{} : records_[size - 1].timeline;
    }
    Timeline timeline() const { return timeline_at(size()); }

    void append(const WalRecord& record) {
        PGHERD_ASSERT(record.end > end());
        if (!empty() && record.timeline != timeline()) switchpoints_.emplace_back(timeline(), end());
        records_.push_back(record);
    }
    void truncate(std::size_t size) {
        if (size >= records_.size()) return;
        records_.resize(size);
        while (!switchpoints_.empty() && switchpoints_.back().second >= end()) switchpoints_.pop_back();
    }
    void clear() {
        records_.clear();
        switchpoints_.clear();
    }
    // Where each earlier timeline was left, oldest first.
    const Switchpoints& switchpoints() const { return switchpoints_; }
    // Where this history leaves `timeline`; nothing: it never was on it, or still is.
    std::optional<Lsn> left(Timeline timeline) const {
        for (const auto& [old, at] : switchpoints_)
            if (old == timeline) return at;
        return std::nullopt;
    }
    bool holds(std::size_t place, std::uint64_t id) const {
        return place < records_.size() && records_[place].id == id;
    }
    // The truth: everything here is there as well.
    bool is_prefix_of(const Wal& other) const {
        return empty() || other.holds(size() - 1, records_.back().id);
    }

  private:
    std::vector<WalRecord> records_;
    Switchpoints switchpoints_;
};

}  // namespace pgherd::sim
