#include "writes/query.h"

#include <algorithm>

#include <sys/socket.h>

#include "base/text.h"
#include "writes/waiting.h"

namespace pgherd::writes {
namespace {

std::string one_line(const char* text) {
    std::string line(trim(text ? text : ""));
    std::ranges::replace(line, '\n', ' ');
    return line;
}

enum class Waited { finished, broken, late, woken };

// Until a result can be taken without blocking.
Waited wait_for_result(PGconn* connection, Mono deadline, int wake) {
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent < 0) return Waited::broken;
        if (!PQisBusy(connection)) return Waited::finished;
        if (std::chrono::steady_clock::now() >= deadline) return Waited::late;
        Waiting waiting;
        waiting.add(wake, POLLIN);
        waiting.add(PQsocket(connection), short(unsent > 0 ? POLLIN | POLLOUT : POLLIN));
        waiting.wait_until(deadline);
        if (waiting.ready(0)) return Waited::woken;
        if (waiting.ready(1) && !PQconsumeInput(connection)) return Waited::broken;
    }
}

void read_result(Answer& answer, PGresult* result) {
    auto status = PQresultStatus(result);
    answer.result.reset(result);
    answer.ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (answer.ok) return;
    const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    answer.sqlstate = sqlstate ? sqlstate : "";
    answer.message = one_line(PQresultErrorMessage(result));
}

}  // namespace

Answer execute(PGconn* connection, const char* sql, const std::vector<std::string>& parameters, Mono deadline,
               int wake) {
    Answer answer;
    std::vector<const char*> values;
    for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
    PQsetnonblocking(connection, 1);
    if (!PQsendQueryParams(connection, sql, int(values.size()), nullptr, values.data(), nullptr, nullptr,
                           0)) {
        answer.message = one_line(PQerrorMessage(connection));
        return answer;
    }
    for (;;) {
        Waited waited = wait_for_result(connection, deadline, wake);
        if (waited == Waited::finished) {
            // The transaction ends after its command is complete: only the end of the results is the
            // acknowledgement.
            PGresult* result = PQgetResult(connection);
            if (!result) return answer;
            // The first error stays: what follows it is the end of the connection.
            if (answer.message.empty())
                read_result(answer, result);
            else
                PQclear(result);
            continue;
        }
        answer.ok = false;
        if (waited == Waited::broken) {
            answer.message = one_line(PQerrorMessage(connection));
        } else {
            answer.message = waited == Waited::late ? kNoAnswer : "interrupted";
            ::shutdown(PQsocket(connection), SHUT_RDWR);
        }
        return answer;
    }
}

}  // namespace pgherd::writes
