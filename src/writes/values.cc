#include "writes/values.h"

#include <algorithm>

#include "base/assert.h"

namespace pgherd::writes {

void ValueSet::append(ValueRange range) {
    PGHERD_ASSERT(range.first <= range.last, "an empty range of values");
    if (ranges_.empty()) {
        ranges_.push_back(range);
        return;
    }
    ValueRange& back = ranges_.back();
    PGHERD_ASSERT(range.first > back.last, "values are appended in ascending order");
    if (range.first == back.last + 1)
        back.last = range.last;
    else
        ranges_.push_back(range);
}

std::int64_t ValueSet::count() const {
    std::int64_t count = 0;
    for (const ValueRange& range : ranges_) count += range.last - range.first + 1;
    return count;
}

ValueSet intersection(const ValueSet& a, const ValueSet& b) {
    ValueSet both;
    auto left = a.ranges().begin();
    auto right = b.ranges().begin();
    while (left != a.ranges().end() && right != b.ranges().end()) {
        ValueRange common{std::max(left->first, right->first), std::min(left->last, right->last)};
        if (common.first <= common.last) both.append(common);
        if (left->last < right->last)
            ++left;
        else
            ++right;
    }
    return both;
}

ValueSet difference(const ValueSet& a, const ValueSet& b) {
    ValueSet rest;
    auto right = b.ranges().begin();
    for (const ValueRange& range : a.ranges()) {
        std::int64_t next = range.first;
        while (right != b.ranges().end() && right->last < next) ++right;
        for (auto hole = right; hole != b.ranges().end() && hole->first <= range.last; ++hole) {
            if (hole->first > next) rest.append({next, hole->first - 1});
            next = hole->last + 1;
        }
        if (next <= range.last) rest.append({next, range.last});
    }
    return rest;
}

Findings compare(const ValueSet& acknowledged, const ValueSet& unknown,
                 const std::vector<TableRange>& table) {
    Findings findings;
    ValueSet present;
    for (const TableRange& part : table) {
        present.append(part.range);
        findings.rows += (part.range.last - part.range.first + 1) * part.copies;
        if (part.copies > 1) findings.duplicated.append(part.range);
    }
    findings.lost = difference(acknowledged, present);
    findings.unknown_present = intersection(unknown, present);
    return findings;
}

}  // namespace pgherd::writes
