// The loop: one value per transaction, one transaction per interval, one connection at a time.
//
// A value is acknowledged, or its outcome is unknown; it is never written twice. Whatever goes wrong, the
// connection is dropped and all hosts are tried again: the error may mean that this server is no primary any
// more.
#pragma once

#include <optional>

#include "writes/options.h"
#include "writes/report.h"
#include "writes/waiting.h"

namespace pgherd::writes {

class Writer {
  public:
    Writer(const Options& options, StopSignals& signals);

    // Writes until the duration is over or a signal came. An error: it could not even begin.
    Status run();
    const RunLog& log() const { return log_; }

  private:
    Status begin();
    // A connection, or nothing when `until` has passed or a signal came.
    bool connect(Mono until);
    Status prepare_table();
    Status choose_first_value();
    void write_one();
    void failed(std::string_view sqlstate, const std::string& message);
    // Until `when`; false after a signal.
    bool sleep_until(Mono when);
    void show_progress();

    const Options& options_;
    StopSignals& signals_;
    std::string insert_;
    std::optional<Connected> connected_;
    std::optional<HostRace> race_;  // while there is no connection
    std::int64_t next_value_ = 1;
    bool stopped_ = false;
    Mono next_progress_;
    RunLog log_;
};

}  // namespace pgherd::writes
