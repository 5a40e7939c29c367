// The way to a target: one batch of lines at a time, with what came of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "eventloop/loop.h"
#include "supervisor/forward_format.h"

namespace pgherd::supervisor {

enum class Delivery {
    taken,
    refused,      // and would be again
    unavailable,  // now; it may have been taken all the same
};

class ForwardSender {
  public:
    virtual ~ForwardSender() = default;
    // One at a time. `done(what, why)` is called once from the loop, unless the sender is destroyed before.
    using OnDelivery = std::function<void(Delivery what, const std::string& why)>;
    virtual void send(const std::vector<ForwardedLine>& lines, const LabelsOf& labels_of,
                      OnDelivery done) = 0;
};

// `type` is "loki", "opentelemetry" or "syslog".
std::unique_ptr<ForwardSender> make_forward_sender(EventLoop& loop, std::string_view type,
                                                   const std::string& location);

}  // namespace pgherd::supervisor
