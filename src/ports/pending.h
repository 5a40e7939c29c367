// A call between its start and its answer: answered once, by whoever is first (its deadline, say).
#pragma once

#include <utility>

#include "ports/clock.h"

namespace pgherd {

template <class T>
struct Pending {
    Done<T> done;
    Timer deadline;

    void answer(Result<T> result) {
        deadline.reset();
        if (auto function = std::exchange(done, nullptr)) function(std::move(result));
    }
};

}  // namespace pgherd
