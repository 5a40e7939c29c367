#include "pebble_cli/own_terminal.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace pgherd::pebble_cli {

bool is_terminal(int descriptor) {
    return ::isatty(descriptor) != 0;
}

TerminalSize terminal_size(int descriptor) {
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return {};
    return {size.ws_col, size.ws_row};
}

bool same_file(int one, int other) {
    struct stat first{}, second{};
    return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

struct RawTerminal::Before {
    termios settings{};
};

RawTerminal::RawTerminal(int descriptor) : descriptor_(descriptor), before_(std::make_unique<Before>()) {
    if (::tcgetattr(descriptor, &before_->settings) != 0) {
        before_.reset();
        return;
    }
    termios raw = before_->settings;
    ::cfmakeraw(&raw);
    ::tcsetattr(descriptor, TCSADRAIN, &raw);
}

RawTerminal::~RawTerminal() {
    if (before_) ::tcsetattr(descriptor_, TCSADRAIN, &before_->settings);
}

}  // namespace pgherd::pebble_cli
