// The next step of a rolling change with one switchover.
//
// A StatefulSet by itself goes by ordinal numbers, so a cluster of three may change its primary three times.
// Here whoever leads decides, each time anew from what is true now; a rollout that is interrupted, by a
// failover too, goes on wherever it is.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/strong.h"

namespace pgherd::rollout {

struct PodFacts {
    MemberName name;
    bool updated = false;  // it is as the StatefulSet wants it
    bool leaving = false;  // it is being deleted
    bool leads = false;
    bool well = false;      // leads, or streams without much lag, and is ready
    bool can_lead = false;  // a switchover to it would be accepted
    bool operator==(const PodFacts&) const = default;
};

struct Facts {
    int wanted = 0;  // pods
    bool paused = false;
    std::vector<PodFacts> pods;  // by name
};

struct Nothing {
    bool operator==(const Nothing&) const = default;
};
struct Replace {  // delete the pod; its successor is made from the new template
    MemberName pod;
    bool operator==(const Replace&) const = default;
};
struct Switchover {
    MemberName to;
    bool operator==(const Switchover&) const = default;
};
struct Step {
    std::variant<Nothing, Replace, Switchover> what;
    std::string why;       // for people: "pg-2 is to be replaced next"
    bool finished = true;  // nothing is left to do; otherwise look again soon
};

Step next_step(const Facts& facts);

}  // namespace pgherd::rollout
