// Completion scripts for shells, made from the very options that the program understands.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace pgherd::ctl {

// `shell`: bash, zsh or fish.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace pgherd::ctl
