// Sets of written values, as ranges: a run of a day is a few ranges, one for every time that something broke.
#pragma once

#include <cstdint>
#include <vector>

namespace pgherd::writes {

struct ValueRange {
    std::int64_t first = 0;
    std::int64_t last = 0;  // inclusive
    bool operator==(const ValueRange&) const = default;
};

// Ascending, disjoint, not adjacent.
class ValueSet {
  public:
    ValueSet() = default;
    ValueSet(std::initializer_list<ValueRange> ranges) {
        for (ValueRange range : ranges) append(range);
    }

    // Values come in ascending order.
    void append(std::int64_t value) { append(ValueRange{value, value}); }
    void append(ValueRange range);

    std::int64_t count() const;
    bool empty() const { return ranges_.empty(); }
    const std::vector<ValueRange>& ranges() const { return ranges_; }
    bool operator==(const ValueSet&) const = default;

  private:
    std::vector<ValueRange> ranges_;
};

ValueSet intersection(const ValueSet& a, const ValueSet& b);
ValueSet difference(const ValueSet& a, const ValueSet& b);  // in a, not in b

// Consecutive values that are in the table equally often.
struct TableRange {
    ValueRange range;
    std::int64_t copies = 1;
};

struct Findings {
    ValueSet lost;             // acknowledged, and absent
    ValueSet duplicated;       // more than once in the table
    ValueSet unknown_present;  // outcome unknown, and present: no fault
    std::int64_t rows = 0;
    bool clean() const { return lost.empty() && duplicated.empty(); }
};

// `table`: ascending by value.
Findings compare(const ValueSet& acknowledged, const ValueSet& unknown, const std::vector<TableRange>& table);

}  // namespace pgherd::writes
