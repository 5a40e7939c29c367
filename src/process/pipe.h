// Descriptors for talking with a child: pipes and terminals. All are closed in other children.
#pragma once

#include <utility>

#include <unistd.h>

#include "base/result.h"

namespace pgherd {

class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~Descriptor() { reset(); }

    int get() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }
    [[nodiscard]] int release() { return std::exchange(number_, -1); }
    void reset(int number = -1) {
        if (number_ >= 0) ::close(number_);
        number_ = number;
    }

  private:
    int number_ = -1;
};

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
