// `pgherd exporter`: PgBouncer's statistics for Prometheus.
#pragma once

#include <string>
#include <vector>

namespace pgherd::exporter {

int exporter_main(const std::vector<std::string>& args);

}  // namespace pgherd::exporter
