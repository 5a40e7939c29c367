// What no part of the program has caught is a bug. The program says what it was and aborts, like one whose
// assertion has failed (base/assert.h).
#pragma once

namespace pgherd {

void report_uncaught_exceptions();

}  // namespace pgherd
