// The real Random: the kernel's.
#pragma once

#include "ports/random.h"

namespace pgherd {

class SystemRandom final : public Random {
  public:
    std::uint64_t next() override;
};

}  // namespace pgherd
