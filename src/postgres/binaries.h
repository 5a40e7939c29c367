// Where PostgreSQL's programs are, and of which version. PostgreSQL 14 to 18.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/agent_config.h"

namespace pgherd::postgres {

class Binaries {
  public:
    Binaries(std::string directory, std::map<std::string, std::string> names, int major)
        : directory_(std::move(directory)), names_(std::move(names)), major_(major) {}

    std::string path(const std::string& program) const;  // "/usr/lib/postgresql/15/bin/initdb"
    const std::string& directory() const { return directory_; }
    int major() const { return major_; }

  private:
    std::string directory_;
    std::map<std::string, std::string> names_;  // bin_name of the configuration
    int major_;
};

// bin_dir of the configuration if set; otherwise the directory for the version of the data directory;
// otherwise the one on PATH; otherwise the highest version below /usr/lib/postgresql.
Result<Binaries> find_binaries(const PostgresConfig& config, std::optional<int> data_version);

}  // namespace pgherd::postgres
