#include "base/uncaught.h"

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace pgherd {

namespace {

void print(const char* what) {
    std::fprintf(stderr, "pgherd: bug: an exception that nobody expects: %s\n", what);
}

[[noreturn]] void report() {
    try {
        if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
        std::fputs("pgherd: bug: the program was told to terminate\n", stderr);
    } catch (const std::exception& error) {
        print(error.what());
    } catch (...) {
        print("it has no text");
    }
    std::abort();
}

}  // namespace

void report_uncaught_exceptions() {
    std::set_terminate(report);
}

}  // namespace pgherd
