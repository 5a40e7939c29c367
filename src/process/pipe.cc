#include "process/pipe.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <sys/ioctl.h>

namespace pgherd {

namespace {

std::unexpected<Error> cannot(const std::string& what) {
    return fail("cannot " + what + ": " + std::generic_category().message(errno));
}

bool unblock(int descriptor) {
    return ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0;
}

}  // namespace

Result<Pipe> make_pipe(OurEnd our_end, int size) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return cannot("make a pipe");
    const bool reads = our_end == OurEnd::reads;
    Pipe pipe{Descriptor(ends[reads ? 0 : 1]), Descriptor(ends[reads ? 1 : 0])};
    if (!unblock(pipe.ours.get())) return cannot("make a pipe");
    if (size > 0) ::fcntl(pipe.ours.get(), F_SETPIPE_SZ, size);
    return pipe;
}

Result<Terminal> make_terminal(int columns, int rows) {
    Terminal terminal;
    terminal.ours.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.ours) return cannot("open a terminal");
    std::array<char, 128> name{};
    if (::grantpt(terminal.ours.get()) != 0 || ::unlockpt(terminal.ours.get()) != 0 ||
        ::ptsname_r(terminal.ours.get(), name.data(), name.size()) != 0)
        return cannot("open a terminal");
    terminal.childs.reset(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.childs || !unblock(terminal.ours.get())) return cannot("open a terminal");
    if (columns > 0 && rows > 0) resize_terminal(terminal.ours.get(), columns, rows);
    return terminal;
}

void resize_terminal(int descriptor, int columns, int rows) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = static_cast<unsigned short>(rows);
    ::ioctl(descriptor, TIOCSWINSZ, &size);
}

}  // namespace pgherd
