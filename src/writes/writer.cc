#include "writes/writer.h"

#include <random>

#include <fmt/format.h>

#include "base/text.h"
#include "writes/query.h"
#include "writes/verify.h"

namespace pgherd::writes {
namespace {

constexpr Duration kProgressEvery = std::chrono::seconds(1);

Mono now() {
    return std::chrono::steady_clock::now();
}

std::string fresh_run() {
    std::random_device chance;
    return fmt::format("{:08x}{:08x}", chance(), chance());
}

}  // namespace

Writer::Writer(const Options& options, StopSignals& signals) : options_(options), signals_(signals) {
    log_.run = options.run.empty() ? fresh_run() : options.run;
    log_.table = options.table;
    log_.started_wall =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    log_.started = now();
    next_progress_ = log_.started + kProgressEvery;
    insert_ = fmt::format("INSERT INTO {} (run, value) VALUES ($1, $2)", quoted_table(options.table));
}

Status Writer::run() {
    auto begun = begin();
    if (begun) {
        Mono end = options_.duration ? now() + *options_.duration : Mono::max();
        for (Mono slot = now(); !stopped_ && now() < end;) {
            if (!connected_ && !connect(end)) break;
            write_one();
            show_progress();
            // After an error the next attempt follows at once; a late start is not caught up.
            if (!connected_) continue;
            slot = std::max(slot + options_.interval, now());
            stopped_ = !sleep_until(std::min(slot, end)) || stopped_;
        }
    }
    connected_.reset();
    race_.reset();
    log_.ended = now();
    log_.gaps.finished(log_.ended);
    return begun;
}

Status Writer::begin() {
    Mono deadline = now() + options_.wait;
    for (;;) {
        if (!connect(deadline)) {
            std::string why = log_.last_error.empty() ? race_->troubles() : log_.last_error;
            return fail(
                ErrorCode::unavailable,
                fmt::format("cannot begin: {}: {}", stopped_ ? "interrupted" : "no host takes writes", why));
        }
        auto prepared = prepare_table();
        if (prepared) prepared = choose_first_value();
        if (prepared || prepared.error().code != ErrorCode::unavailable) return prepared;
    }
}

bool Writer::connect(Mono until) {
    if (connected_) return true;
    if (!race_) race_.emplace(options_.hosts, options_.pace);
    while (!stopped_ && now() < until) {
        connected_ = race_->run_until(std::min(until, next_progress_), signals_.descriptor());
        stopped_ = signals_.take();
        show_progress();
        if (!connected_) continue;
        race_.reset();
        ++log_.connects;
        log_.hosts.emplace_back(now(), connected_->label);
        return true;
    }
    return false;
}

Status Writer::prepare_table() {
    std::string sql = fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (run text NOT NULL, value bigint NOT NULL,"
        " written timestamptz NOT NULL DEFAULT clock_timestamp())",
        quoted_table(options_.table));
    Answer answer =
        execute(connected_->connection.get(), sql.c_str(), {}, now() + options_.statement_timeout);
    if (answer.ok) return {};
    failed(answer.sqlstate, answer.message);
    // 42: no permission, no such schema. Everything else may pass.
    auto code = answer.sqlstate.starts_with("42") || answer.sqlstate == "3F000" ? ErrorCode::denied
                                                                                : ErrorCode::unavailable;
    return fail(code, fmt::format("cannot create the table {}: {}", options_.table, answer.message));
}

Status Writer::choose_first_value() {
    if (options_.run.empty()) return {};
    std::string sql =
        fmt::format("SELECT coalesce(max(value), 0) FROM {} WHERE run = $1", quoted_table(options_.table));
    Answer answer = execute(connected_->connection.get(), sql.c_str(), {log_.run}, now() + options_.wait);
    if (!answer.ok) {
        failed(answer.sqlstate, answer.message);
        return fail(ErrorCode::unavailable, "cannot read the table: " + answer.message);
    }
    PGHERD_TRY(auto highest, parse_int(PQgetvalue(answer.result.get(), 0, 0)));
    if (highest > 0 && !options_.append)
        return fail(
            ErrorCode::conflict,
            fmt::format(
                "cannot begin: the table {} already has rows of the run \"{}\"; add --append to go on "
                "with it, or leave --run out",
                options_.table, log_.run));
    next_value_ = highest + 1;
    return {};
}

void Writer::write_one() {
    std::int64_t value = next_value_++;
    Answer answer = execute(connected_->connection.get(), insert_.c_str(), {log_.run, std::to_string(value)},
                            now() + options_.statement_timeout);
    if (answer.ok) {
        log_.gaps.acknowledged(now());
        log_.acknowledged.append(value);
        return;
    }
    log_.unknown.append(value);
    failed(answer.sqlstate, answer.message);
    // The table itself was lost with a primary that had not replicated it.
    if (answer.sqlstate == "42P01" && connect(now() + options_.wait)) (void)prepare_table();
}

void Writer::failed(std::string_view sqlstate, const std::string& message) {
    std::string_view kind = !sqlstate.empty()      ? sqlstate.substr(0, 2)
                            : message == kNoAnswer ? "timeout"
                                                   : "08";
    ++log_.errors[std::string(kind)];
    log_.last_error = connected_->label + ": " + message;
    connected_.reset();
}

bool Writer::sleep_until(Mono when) {
    for (;;) {
        Waiting waiting;
        waiting.add(signals_.descriptor(), POLLIN);
        waiting.wait_until(when);
        if (signals_.take()) return false;
        if (now() >= when) return true;
    }
}

void Writer::show_progress() {
    if (now() < next_progress_) return;
    next_progress_ = now() + kProgressEvery;
    if (!options_.progress) return;
    Mono reference = log_.gaps.last().value_or(log_.started);
    fmt::print(stderr,
               "{:6.1f} s: {} acknowledged, {} unknown, last {:.3f} s ago, longest gap {:.3f} s, {}\n",
               seconds(now() - log_.started), log_.acknowledged.count(), log_.unknown.count(),
               seconds(now() - reference), seconds(log_.gaps.longest().length),
               connected_ ? "at " + connected_->label
                          : "looking for a primary: " + (race_ ? race_->troubles() : log_.last_error));
}

}  // namespace pgherd::writes
