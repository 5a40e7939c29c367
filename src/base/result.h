// Result<T>: a value or an Error.
//
// An Error says what could not be done, with what and why; every hop adds its part in front ("cannot renew
// lease of "c1": cannot reach etcd at …"). A code exists only where a caller branches on it. `certainty`
// matters for remote writes alone: a write that timed out may still be applied, and must not be repeated
// blindly.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace pgherd {

enum class ErrorCode {
    failed,       // anything that no caller tells apart
    invalid,      // the input is wrong; trying again will not help
    not_found,    // the thing asked for does not exist
    conflict,     // a compare-and-swap lost, or the state forbids the operation now
    unavailable,  // the other side cannot be reached or refuses to serve
    timeout,      // the deadline passed
    denied,       // credentials or permissions
    cancelled,    // the caller, or the end of the program, stopped it
};

enum class Certainty {
    not_done,    // the operation had no effect
    maybe_done,  // it may have happened, or may still happen later
};

struct Error {
    ErrorCode code = ErrorCode::failed;
    std::string message;
    Certainty certainty = Certainty::not_done;

    bool maybe_done() const { return certainty == Certainty::maybe_done; }
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message,
                                   Certainty certainty = Certainty::not_done) {
    return std::unexpected(Error{code, std::move(message), certainty});
}
inline std::unexpected<Error> fail(std::string message) {
    return fail(ErrorCode::failed, std::move(message));
}

// The same error, one hop further up: "<context>: <message>".
inline Error with_context(Error error, std::string_view context) {
    error.message.insert(0, ": ");
    error.message.insert(0, context);
    return error;
}

std::string_view to_string(ErrorCode code);

}  // namespace pgherd

#define PGHERD_CONCAT_(a, b) a##b
#define PGHERD_CONCAT(a, b) PGHERD_CONCAT_(a, b)
// PGHERD_TRY(auto x, expr): declares x from a Result, or returns its error from the enclosing function.
#define PGHERD_TRY(declaration, ...) \
    PGHERD_TRY_(PGHERD_CONCAT(try_result_, __LINE__), declaration, __VA_ARGS__)
#define PGHERD_TRY_(temporary, declaration, ...)                          \
    auto temporary = (__VA_ARGS__);                                       \
    if (!temporary) return std::unexpected(std::move(temporary).error()); \
    declaration = std::move(*temporary)
// PGHERD_CHECK(expr): returns the error of a Status from the enclosing function.
#define PGHERD_CHECK(...)                                            \
    do {                                                             \
        if (auto check_result = (__VA_ARGS__); !check_result)        \
            return std::unexpected(std::move(check_result).error()); \
    } while (false)
