#include "writes/connect.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "writes/waiting.h"

namespace pgherd::writes {
namespace {

void ignore_notice(void*, const PGresult*) {}

}  // namespace

struct HostRace::Attempt {
    const HostSettings* host = nullptr;
    Connection connection;  // none: pausing until `when`
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    Mono when;  // connecting: the bound; pausing: the next try
    std::string trouble = "not tried yet";

    void start(Mono now, Duration bound) {
        std::vector<const char*> keys;
        std::vector<const char*> values;
        for (const auto& [key, value] : host->parameters) {
            keys.push_back(key.c_str());
            values.push_back(value.c_str());
        }
        keys.push_back(nullptr);
        values.push_back(nullptr);
        connection.reset(PQconnectStartParams(keys.data(), values.data(), 0));
        if (connection) PQsetNoticeReceiver(connection.get(), ignore_notice, nullptr);
        wants = PGRES_POLLING_WRITING;
        when = now + bound;
    }

    void give_up(std::string why, Mono next) {
        trouble = std::move(why);
        connection.reset();
        when = next;
    }
};

namespace {

// libpq's text, on one line and without the address it begins with, which the label repeats.
std::string reason(PGconn* connection) {
    std::string text(trim(PQerrorMessage(connection)));
    if (auto address = text.find(" failed: "); address != std::string::npos) text.erase(0, address + 9);
    std::ranges::replace(text, '\n', ' ');
    std::ranges::replace(text, '\t', ' ');
    return text;
}

}  // namespace

HostRace::HostRace(const std::vector<HostSettings>& hosts, ConnectPace pace) : pace_(pace) {
    attempts_.resize(hosts.size());
    for (std::size_t i = 0; i < hosts.size(); ++i) attempts_[i].host = &hosts[i];
}

HostRace::~HostRace() = default;

std::optional<Connected> HostRace::step(Attempt& attempt, bool ready, Mono now) {
    if (!attempt.connection) {
        if (now < attempt.when) return std::nullopt;
        attempt.start(now, pace_.bound);
        if (!attempt.connection || PQstatus(attempt.connection.get()) == CONNECTION_BAD)
            attempt.give_up(attempt.connection ? reason(attempt.connection.get()) : "out of memory",
                            now + pace_.pause);
        return std::nullopt;
    }
    if (ready) {
        attempt.wants = PQconnectPoll(attempt.connection.get());
        if (attempt.wants == PGRES_POLLING_OK)
            return Connected{std::move(attempt.connection), attempt.host->label};
        if (attempt.wants == PGRES_POLLING_FAILED) {
            attempt.give_up(reason(attempt.connection.get()), now + pace_.pause);
            return std::nullopt;
        }
    }
    if (now >= attempt.when)
        attempt.give_up(fmt::format("no answer within {}", to_text(pace_.bound)), now + pace_.pause);
    return std::nullopt;
}

std::optional<Connected> HostRace::run_until(Mono until, int wake) {
    std::vector<bool> ready(attempts_.size(), false);
    for (;;) {
        Mono now = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < attempts_.size(); ++i)
            if (auto connected = step(attempts_[i], ready[i], now)) return connected;
        if (now >= until) return std::nullopt;

        Waiting waiting;
        waiting.add(wake, POLLIN);
        Mono next = until;
        for (const Attempt& attempt : attempts_) {
            next = std::min(next, attempt.when);
            waiting.add(attempt.connection ? PQsocket(attempt.connection.get()) : -1,
                        attempt.wants == PGRES_POLLING_READING ? POLLIN : POLLOUT);
        }
        waiting.wait_until(next);
        if (waiting.ready(0)) return std::nullopt;
        for (std::size_t i = 0; i < attempts_.size(); ++i) ready[i] = waiting.ready(i + 1);
    }
}

std::string HostRace::troubles() const {
    std::vector<std::string> parts;
    for (const Attempt& attempt : attempts_) parts.push_back(attempt.host->label + ": " + attempt.trouble);
    return join(parts, "; ");
}

}  // namespace pgherd::writes
