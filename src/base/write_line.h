// Log lines from processes that must never wait for whoever reads them.
//
// A reader that is stopped (a hung log collector, Ctrl-S on a terminal) fills the pipe; an agent that waited
// there would lose its lease, and its primary. So a line that is not taken at once is lost.
#pragma once

#include <string_view>

namespace pgherd {

// Gives whether it was taken. A line of more than 4096 bytes may still wait for a pipe's reader.
bool write_line(int descriptor, std::string_view line);

}  // namespace pgherd
