// Pebble's command line: `pgherd supervisor COMMAND …`, and the whole program when it is called `pebble`.
#pragma once

namespace pgherd::pebble_cli {

// argv[0] is what the program is called in its texts, argv[1] the command; `run` and `enter` are the daemon's
// and not handled here. Gives the exit code: the command's, or 1 with `error: …` on standard error.
int pebble_cli_main(int argc, char** argv);

}  // namespace pgherd::pebble_cli
