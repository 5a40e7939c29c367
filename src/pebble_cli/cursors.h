// What the user has already been shown of each supervisor's notices and warnings, and has said okay to.
//
// Kept in $XDG_CONFIG_HOME/pebble/cli.json (~/.config without it), an entry for each socket. A file that
// cannot be read counts as empty.
#pragma once

#include <string>

#include "base/result.h"
#include "model/member.h"

namespace pgherd::pebble_cli {

struct Cursor {
    std::string listed;  // last-repeated of the last one that was shown
    std::string okayed;  // the same at the last `okay`
};

class Cursors {
  public:
    explicit Cursors(std::string socket);
    Cursor notices() const { return read("notices"); }
    Cursor warnings() const { return read("warnings"); }
    Status set_notices(const Cursor& cursor) { return write("notices", cursor); }
    Status set_warnings(const Cursor& cursor) { return write("warnings", cursor); }

  private:
    Cursor read(const std::string& kind) const;
    Status write(const std::string& kind, const Cursor& cursor);

    std::string socket_;
    std::string path_;
    JsonObject all_;
};

}  // namespace pgherd::pebble_cli
