// The report of a run: what happened, for machines, with everything that a later --verify needs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "writes/gaps.h"
#include "writes/values.h"

namespace pgherd::writes {

constexpr Duration kNoteworthyGap = std::chrono::milliseconds(100);

// What the writer got to know.
struct RunLog {
    std::string run;
    std::string table;
    WallTime started_wall;
    Mono started;
    Mono ended;
    ValueSet acknowledged;
    ValueSet unknown;  // the outcome of the transaction is not known
    GapLog gaps{kNoteworthyGap};
    int connects = 0;
    std::vector<std::pair<Mono, std::string>> hosts;  // every connection: when, and where
    std::map<std::string, int>
        errors;  // by SQLSTATE class; "08" also for a broken connection, "timeout" for no answer
    std::string last_error;
};

// What a later check needs of a report.
struct Expected {
    std::string run;
    std::string table;
    ValueSet acknowledged;
    ValueSet unknown;
};

using Check = Result<Findings>;

std::string run_report(const RunLog& log, const Check& check);
std::string verify_report(const Expected& expected, const Check& check);
// Reads what run_report wrote; `source` is for messages.
Result<Expected> read_report(const std::string& text, const std::string& source);

}  // namespace pgherd::writes
