#include "writes/gaps.h"

namespace pgherd::writes {

void GapLog::acknowledged(Mono now) {
    if (last_) close(now);
    if (!first_) first_ = now;
    last_ = now;
}

void GapLog::finished(Mono now) {
    if (last_ && now - *last_ > noteworthy_) close(now);
}

void GapLog::close(Mono now) {
    Gap gap{*last_, now - *last_};
    if (gap.length > longest_.length) longest_ = gap;
    if (gap.length > noteworthy_) gaps_.push_back(gap);
}

}  // namespace pgherd::writes
