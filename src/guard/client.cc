#include "guard/client.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::guard {

namespace {

bool append(Order& order, std::string_view text) {
    if (order.blob_size + text.size() + 1 > kBlobSize || text.find('\0') != std::string_view::npos)
        return false;
    std::memcpy(order.blob + order.blob_size, text.data(), text.size());
    order.blob_size += static_cast<std::uint32_t>(text.size() + 1);  // the blob is all zeros before
    return true;
}

}  // namespace

Client::Client(int fd) : fd_(fd) {
    ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
}

Client::~Client() {
    if (fd_ >= 0) ::close(fd_);
}

Client::Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), sequence_(other.sequence_) {}

Result<Client> Client::from_environment() {
    const char* text = std::getenv(kFdVariable);
    if (!text)
        return fail(ErrorCode::not_found,
                    fmt::format("{} is not set: this process was not started by a guard", kFdVariable));
    const auto number = parse_int(text);
    int type = 0;
    socklen_t size = sizeof type;
    if (!number || ::getsockopt(static_cast<int>(*number), SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
        type != SOCK_SEQPACKET)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot reach the guard: {}={} is no socket of it", kFdVariable, text));
    return Client(static_cast<int>(*number));
}

Result<std::uint32_t> Client::send(Order& order) {
    order.sequence = ++sequence_;
    const std::size_t size = kOrderHead + order.blob_size;
    if (::send(fd_, &order, size, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(size))
        return order.sequence;
    return fail(ErrorCode::unavailable, fmt::format("cannot reach the guard: {}", std::strerror(errno)));
}

Result<std::uint32_t> Client::status() {
    auto order = std::make_unique<Order>();
    return send(*order);
}

Result<std::uint32_t> Client::ready() {
    auto order = std::make_unique<Order>();
    order->type = OrderType::ready;
    return send(*order);
}

Result<std::uint32_t> Client::arm(std::int64_t deadline, bool as_primary) {
    auto order = std::make_unique<Order>();
    order->type = OrderType::arm;
    order->deadline = deadline;
    order->as_primary = as_primary;
    return send(*order);
}

Result<std::uint32_t> Client::disarm() {
    auto order = std::make_unique<Order>();
    order->type = OrderType::disarm;
    return send(*order);
}

Result<std::uint32_t> Client::adopt(std::int32_t pid) {
    auto order = std::make_unique<Order>();
    order->type = OrderType::adopt;
    order->pid = pid;
    return send(*order);
}

Result<std::uint32_t> Client::signal(std::int32_t number) {
    auto order = std::make_unique<Order>();
    order->type = OrderType::signal;
    order->signal = number;
    return send(*order);
}

Result<std::uint32_t> Client::start(const StartOrder& start) {
    auto order = std::make_unique<Order>();
    order->type = OrderType::start;
    order->as_primary = start.as_primary;
    order->change_user = start.change_user;
    order->uid = start.uid;
    order->gid = start.gid;
    if (start.groups.size() > kMaxGroups) return fail(ErrorCode::invalid, "cannot start: too many groups");
    order->group_count = static_cast<std::uint32_t>(start.groups.size());
    for (std::size_t i = 0; i < start.groups.size(); ++i) order->groups[i] = start.groups[i];
    bool fits = append(*order, start.working_directory) && append(*order, start.log_file);
    for (const auto& argument : start.argv) fits = fits && append(*order, argument);
    for (const auto& variable : start.environment) fits = fits && append(*order, variable);
    if (!fits)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot start: more than {} bytes of arguments and environment", kBlobSize));
    order->argument_count = static_cast<std::uint32_t>(start.argv.size());
    order->environment_count = static_cast<std::uint32_t>(start.environment.size());
    return send(*order);
}

Result<std::optional<Report>> Client::receive() {
    Report report;
    const ssize_t size = ::recv(fd_, &report, sizeof report, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<Report>{};
    if (size <= 0) return fail(ErrorCode::unavailable, "the guard has gone");
    if (size != sizeof report || report.version != kProtocolVersion)
        return fail(ErrorCode::invalid, "the guard is of another version: restart the whole agent");
    report.text[kTextSize - 1] = '\0';
    return std::optional<Report>{report};
}

Result<Report> Client::wait(std::uint32_t sequence, Duration timeout) {
    const Instant end = boottime_now() + timeout;
    while (boottime_now() < end) {
        pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - boottime_now());
        if (::poll(&ready, 1, static_cast<int>(left.count())) <= 0) continue;
        PGHERD_TRY(const std::optional<Report> report, receive());
        if (report && report->type == ReportType::acknowledgement && report->sequence == sequence)
            return *report;
    }
    return fail(ErrorCode::timeout, fmt::format("the guard does not answer within {}", to_text(timeout)));
}

Status to_status(const Report& report) {
    if (report.error == 0) return {};
    const ErrorCode code = report.error == EPERM || report.error == EBUSY || report.error == ESRCH
                               ? ErrorCode::conflict
                           : report.error == EINVAL ? ErrorCode::invalid
                                                    : ErrorCode::failed;
    return fail(code, report.text[0] ? std::string(report.text) : std::string(std::strerror(report.error)));
}

}  // namespace pgherd::guard
