#include "writes/writes.h"

#include <fstream>

#include <fmt/format.h>

#include "base/files.h"
#include "writes/verify.h"
#include "writes/writer.h"

namespace pgherd {
namespace {

using namespace writes;

enum ExitCode { kClean = 0, kFaulty = 1, kUsage = 2, kImpossible = 3 };

int complain(const Error& error, int code) {
    fmt::print(stderr, "pgherd writes: {}\n", error.message);
    return code;
}

Status deliver(const std::string& path, const std::string& report) {
    if (path.empty()) {
        fmt::print("{}", report);
        std::fflush(stdout);
        return {};
    }
    std::ofstream file(path);
    file << report;
    file.close();
    if (!file) return fail(fmt::format("cannot write the report to {}", path));
    return {};
}

int verdict(const Options& options, const std::string& report, const Check& check) {
    if (auto delivered = deliver(options.report, report); !delivered)
        return complain(delivered.error(), kImpossible);
    if (!check) return complain(check.error(), kImpossible);
    if (check->clean()) return kClean;
    return complain(
        {.message = fmt::format("{} acknowledged values are lost, {} are in the table more than once",
                                check->lost.count(), check->duplicated.count())},
        kFaulty);
}

int verify(const Options& options) {
    auto text = read_file(options.verify);
    if (!text) return complain(text.error(), kUsage);
    auto expected = read_report(*text, options.verify);
    if (!expected) return complain(expected.error(), kUsage);
    StopSignals signals;
    Check check = check_table(options, *expected, signals);
    return verdict(options, verify_report(*expected, check), check);
}

int write(const Options& options) {
    // A report that cannot be written should not cost a run.
    if (!options.report.empty() && !std::ofstream(options.report, std::ios::app))
        return complain({.message = fmt::format("cannot write the report to {}", options.report)}, kUsage);
    StopSignals signals;
    Writer writer(options, signals);
    if (auto begun = writer.run(); !begun)
        return complain(begun.error(), begun.error().code == ErrorCode::conflict ? kUsage : kImpossible);
    const RunLog& log = writer.log();
    Check check = check_table(options, {log.run, log.table, log.acknowledged, log.unknown}, signals);
    if (check && log.acknowledged.empty())
        check = fail(fmt::format("nothing was acknowledged: {}",
                                 log.last_error.empty() ? "the run was too short" : log.last_error));
    return verdict(options, run_report(log, check), check);
}

}  // namespace

int writes_main(std::span<const std::string> args) {
    auto options = read_options(args);
    if (!options) return options.error();
    return options->verify.empty() ? write(*options) : verify(*options);
}

}  // namespace pgherd
