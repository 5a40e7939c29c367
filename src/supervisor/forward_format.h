// Log lines in the forms that their targets take: Loki, OpenTelemetry over HTTP, and syslog (RFC 5424). Pure.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/forward_queue.h"

namespace pgherd::supervisor {

using LogLabels = std::map<std::string, std::string, std::less<>>;
using LabelsOf = std::function<const LogLabels&(const std::string& service)>;

// Puts in `$NAME` and `${NAME}` from the environment; what is not set is empty.
std::string expand_label(std::string_view text, const LogLabels& environment);

std::string loki_body(const std::vector<ForwardedLine>& lines, const LabelsOf& labels_of);
std::string opentelemetry_body(const std::vector<ForwardedLine>& lines, const LabelsOf& labels_of);
std::string syslog_message(const ForwardedLine& line, const LogLabels& labels, std::string_view host);

}  // namespace pgherd::supervisor
