// The terminal that the command line itself runs in.
#pragma once

#include <memory>

namespace pgherd::pebble_cli {

struct TerminalSize {
    int width = 0, height = 0;  // 0: unknown
};

bool is_terminal(int descriptor);
TerminalSize terminal_size(int descriptor);
bool same_file(int one, int other);

// Every key goes through as it is until this is destroyed.
class RawTerminal {
  public:
    explicit RawTerminal(int descriptor);
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

  private:
    struct Before;
    int descriptor_;
    std::unique_ptr<Before> before_;
};

}  // namespace pgherd::pebble_cli
