// Descriptors for talking with a child: pipes and terminals. All are closed in other children.
#pragma once

#include "base/descriptor.h"
#include "base/result.h"

namespace pgherd {

enum class OurEnd { reads, writes };

struct Pipe {
    Descriptor ours;  // does not block
    Descriptor childs;
};

// `size`: bytes that the kernel buffers, where it allows; 0 = its default.
Result<Pipe> make_pipe(OurEnd our_end, int size = 0);

struct Terminal {
    Descriptor ours;  // the controlling side; does not block
    Descriptor childs;
};

Result<Terminal> make_terminal(int columns, int rows);
void resize_terminal(int descriptor, int columns, int rows);

}  // namespace pgherd
