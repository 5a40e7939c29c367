// The check of the table against what was acknowledged, on whichever host takes writes now.
#pragma once

#include "writes/options.h"
#include "writes/report.h"
#include "writes/waiting.h"

namespace pgherd::writes {

// Quoted, part by part: "public"."pgherd_writes".
std::string quoted_table(const std::string& table);

// Connects, reads the run's rows as ranges, and compares. Tries again after a broken connection, for
// `options.wait` in all; a signal ends it. Never clean by accident: an error is no finding.
Check check_table(const Options& options, const Expected& expected, StopSignals& signals);

}  // namespace pgherd::writes
