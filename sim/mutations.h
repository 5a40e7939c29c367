// Every safety rule switched off in turn: does anything notice?
//
// sim/mutations.txt remembers for each rule the scenario or the seed that noticed last time, so that a look
// at all rules takes seconds; only where that no longer notices is there a search. What notices must pass
// with the rule in force. A rule that is a second line of defence is switched off together with the first
// one, and must pass with only the first one off: then it is the second one that holds.
#pragma once

#include <string>

namespace pgherd::sim {

struct MutationOptions {
    std::string directory;  // of the simulator's texts
    std::string only;       // one rule; empty: all
    std::uint64_t first = 1;
    std::uint64_t seeds = 300;  // to be searched where nothing is remembered
    bool remember = false;      // write mutations.txt anew
};

// Prints the table; 0 when every rule is caught.
int run_mutations(const MutationOptions& options);

}  // namespace pgherd::sim
