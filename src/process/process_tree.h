// Ends a process together with everything that it has started, wherever that has gone.
//
// A parent's death moves children to the subreaper, setsid moves them out of the session; so four traces are
// followed: the parent, the process group, the session, and a mark in the environment, which every descendant
// inherits unless it cleans its environment. All that are found are stopped first, until no new ones turn up,
// and then killed: none can escape by starting another meanwhile.
#pragma once

#include <cstddef>
#include <string>

namespace pgherd {

struct ProcessTree {
    int leader = 0;
    bool leader_reaped = false;  // its process id may belong to somebody else by now
    std::string mark;            // "NAME=value" in the environment; empty = none
};

// How many were killed. Takes some milliseconds on a machine with many processes.
std::size_t kill_tree(const ProcessTree& tree);

}  // namespace pgherd
