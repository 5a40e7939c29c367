// One query on one connection with a deadline, and what is known of its outcome afterwards.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

#include "writes/gaps.h"

namespace pgherd::writes {

struct ClearResult {
    void operator()(PGresult* result) const { PQclear(result); }
};

// The message when the time was up.
constexpr std::string_view kNoAnswer = "no answer in time";

struct Answer {
    bool ok = false;
    std::string sqlstate;  // of the server's error; empty when the connection broke or the time was up
    std::string message;   // for people, when not ok
    std::unique_ptr<PGresult, ClearResult> result;
};

// Sends `sql` and waits for its end. At `deadline` the socket is shut: the connection is of no use after any
// answer that is not ok. A write that is not ok may have happened, except where the caller knows better from
// the SQLSTATE. `wake` (-1 = none): becomes readable to give up before the deadline.
Answer execute(PGconn* connection, const char* sql, const std::vector<std::string>& parameters, Mono deadline,
               int wake = -1);

}  // namespace pgherd::writes
