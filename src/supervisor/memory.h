// Keeps what the supervisor has resident small: it lives beside databases and does next to nothing.
#pragma once

namespace pgherd::supervisor {

// One thread does all the work: one heap is enough, and what is freed goes back early. Call before anything
// else.
void keep_heap_small();

// Lets go of the program's and its libraries' pages that were needed to start and may never be again. They
// stay in the page cache; one that is used after all comes back by a minor fault.
void forget_code();

}  // namespace pgherd::supervisor
