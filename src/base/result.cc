#include "base/result.h"

namespace pgherd {

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::failed: return "failed";
        case ErrorCode::invalid: return "invalid";
        case ErrorCode::not_found: return "not found";
        case ErrorCode::conflict: return "conflict";
        case ErrorCode::unavailable: return "unavailable";
        case ErrorCode::timeout: return "timeout";
        case ErrorCode::denied: return "denied";
        case ErrorCode::cancelled: return "cancelled";
    }
    return "failed";
}

}  // namespace pgherd
