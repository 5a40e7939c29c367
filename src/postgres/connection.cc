#include "postgres/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <boost/asio/ip/tcp.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::postgres {

namespace {

using Wait = asio::posix::stream_descriptor::wait_type;

// The SQLSTATE as a verbose message has it, in front of words in the server's language. libpq tells that of a
// refused connection in no other way.
constexpr std::string_view kInvalidPassword = " 28P01: ";
constexpr std::string_view kInvalidAuthorization = " 28000: ";

bool is_address(const std::string& host) {
    boost::system::error_code error;
    asio::ip::make_address(host, error);
    return !error;
}

bool is_name(const std::string& host) {
    return !host.empty() && host[0] != '/' && host[0] != '@' && !is_address(host);
}

Async<std::vector<std::string>> look_up(const std::string& host, Instant deadline) {
    using namespace asio::experimental::awaitable_operators;
    const auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::resolver resolver(executor);
    asio::steady_timer timer(executor, left_until(deadline));
    const auto first = co_await (resolver.async_resolve(host, "", kTuple) || timer.async_wait(kTuple));
    if (first.index() != 0)
        co_return fail(ErrorCode::timeout, fmt::format("cannot look up \"{}\" in time", host));
    const auto& [error, results] = std::get<0>(first);
    if (error || results.empty())
        co_return fail(ErrorCode::unavailable,
                       fmt::format("cannot look up \"{}\": {}", host, error.message()));
    std::vector<std::string> addresses;
    for (const auto& entry : results) addresses.push_back(entry.endpoint().address().to_string());
    co_return addresses;
}

// Names each host once for each of its addresses, which libpq tries in turn: a server may listen on one of
// them only. Of several hosts, those whose names cannot be looked up are left out.
Async<void> name_addresses(ConnectionParameters& parameters, Instant deadline) {
    std::vector<std::string> hosts, addresses;
    Status failure;
    for (const std::string& host : split(parameters["host"], ',')) {
        std::vector<std::string> found{is_address(host) ? host : ""};
        if (is_name(host)) {
            auto answer = co_await look_up(host, deadline);
            if (!answer) failure = std::unexpected(with_context(answer.error(), "cannot connect"));
            found = answer ? std::move(*answer) : std::vector<std::string>{};
        }
        hosts.insert(hosts.end(), found.size(), host);
        addresses.insert(addresses.end(), found.begin(), found.end());
    }
    if (hosts.empty()) co_return failure;
    parameters["host"] = join(hosts, ",");
    parameters["hostaddr"] = join(addresses, ",");
    co_return Status{};
}

Table to_table(const PGresult* result) {
    Table table;
    const int columns = PQnfields(result);
    for (int c = 0; c < columns; ++c) table.columns.emplace_back(PQfname(result, c));
    for (int r = 0; r < PQntuples(result); ++r) {
        auto& row = table.rows.emplace_back();
        for (int c = 0; c < columns; ++c) {
            if (PQgetisnull(result, r, c))
                row.emplace_back();
            else
                row.emplace_back(std::string(PQgetvalue(result, r, c),
                                             static_cast<std::size_t>(PQgetlength(result, r, c))));
        }
    }
    return table;
}

}  // namespace

std::string Table::at(std::size_t row, std::string_view column) const {
    const auto found = std::ranges::find(columns, column);
    if (row >= rows.size() || found == columns.end()) return {};
    return rows[row][static_cast<std::size_t>(found - columns.begin())].value_or("");
}

std::string conninfo_text(const ConnectionParameters& parameters) {
    std::string text;
    for (const auto& [key, value] : parameters) {
        if (value.empty()) continue;
        text += fmt::format("{}{}='", text.empty() ? "" : " ", key);
        for (const char c : value) {
            if (c == '\'' || c == '\\') text += '\\';
            text += c;
        }
        text += '\'';
    }
    return text;
}

bool refused_by_hba(const Error& error) {
    return error.message.find(kInvalidAuthorization) != std::string::npos;
}

Connection::~Connection() {
    socket_.reset();  // our own duplicate, before libpq closes its descriptor
    PQfinish(connection_);
}

Error Connection::failure(std::string_view what) const {
    std::vector<std::string> lines = split(PQerrorMessage(connection_), '\n');
    // The place in the server's source, of a verbose message.
    std::erase_if(
        lines, [](const std::string& line) { return trim(line).empty() || line.starts_with("LOCATION:"); });
    const std::string why = join(lines, " ");
    const bool broken = PQstatus(connection_) == CONNECTION_BAD;
    const bool wrong_password = broken && why.find(kInvalidPassword) != std::string::npos;
    return Error{wrong_password ? ErrorCode::denied
                 : broken       ? ErrorCode::unavailable
                                : ErrorCode::failed,
                 fmt::format("cannot {}: {}", what, why.empty() ? "no connection" : why)};
}

Status Connection::watch_socket(asio::any_io_executor executor) {
    // A duplicate: libpq closes and replaces its socket while it tries addresses, which must not upset the
    // event loop.
    const int copy = ::fcntl(PQsocket(connection_), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return std::unexpected(failure("connect"));
    socket_.reset();
    boost::system::error_code error;
    socket_.emplace(executor);
    socket_->assign(copy, error);
    if (error) {
        ::close(copy);
        return fail(fmt::format("cannot connect: {}", error.message()));
    }
    return {};
}

Async<void> Connection::connect(Instant deadline) {
    const auto executor = co_await asio::this_coro::executor;
    auto next = PGRES_POLLING_WRITING;
    if (PQstatus(connection_) == CONNECTION_BAD) co_return std::unexpected(failure("connect"));
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) co_return std::unexpected(failure("connect"));
        if (auto watched = watch_socket(executor); !watched) co_return watched;
        const bool ready = co_await wait_ready(
            *socket_, next == PGRES_POLLING_READING ? Wait::wait_read : Wait::wait_write, deadline);
        if (!ready) co_return fail(ErrorCode::timeout, "cannot connect: no answer in time");
        next = PQconnectPoll(connection_);
    }
    PQsetErrorVerbosity(connection_, PQERRORS_DEFAULT);
    PQsetnonblocking(connection_, 1);
    if (auto watched = watch_socket(executor); !watched) co_return watched;
    ok_ = true;
    co_return Status{};
}

Async<std::unique_ptr<Connection>> Connection::open(ConnectionParameters parameters, Instant deadline) {
    PGHERD_CO_CHECK(co_await name_addresses(parameters, deadline));
    std::vector<const char*> keys, values;
    for (const auto& [key, value] : parameters) {
        if (value.empty()) continue;
        keys.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    PGconn* raw = PQconnectStartParams(keys.data(), values.data(), 0);
    if (!raw) co_return fail("cannot connect: out of memory");
    std::unique_ptr<Connection> connection(new Connection(raw));
    PQsetErrorVerbosity(raw, PQERRORS_VERBOSE);  // until it is connected
    PQsetNoticeProcessor(raw, [](void*, const char*) {}, nullptr);
    auto connected = co_await connection->connect(deadline);
    if (!connected) co_return std::unexpected(std::move(connected).error());
    co_return connection;
}

Async<Table> Connection::query(std::string sql, Instant deadline) {
    if (!ok_) co_return fail(ErrorCode::unavailable, "cannot ask PostgreSQL: no connection");
    ok_ = false;  // until the answer is complete
    if (!PQsendQuery(connection_, sql.c_str())) co_return std::unexpected(failure("ask PostgreSQL"));
    while (true) {
        const int pending = PQflush(connection_);
        if (pending < 0) co_return std::unexpected(failure("ask PostgreSQL"));
        if (pending == 0) break;
        if (!co_await wait_ready(*socket_, Wait::wait_write, deadline))
            co_return fail(ErrorCode::timeout, "PostgreSQL does not take a question in time");
    }
    Result<Table> last = Table{};
    while (true) {
        while (PQisBusy(connection_)) {
            if (!co_await wait_ready(*socket_, Wait::wait_read, deadline))
                co_return fail(ErrorCode::timeout, "PostgreSQL does not answer in time");
            if (!PQconsumeInput(connection_)) co_return std::unexpected(failure("ask PostgreSQL"));
        }
        const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQgetResult(connection_), PQclear);
        if (!result) break;
        const auto status = PQresultStatus(result.get());
        if (!last) continue;  // the first mistake counts
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
            last = to_table(result.get());
        else
            last = std::unexpected(failure("ask PostgreSQL"));
    }
    ok_ = PQstatus(connection_) == CONNECTION_OK;
    co_return last;
}

Result<std::string> Connection::encrypt_password(const std::string& user, const std::string& password) {
    char* encrypted = PQencryptPasswordConn(connection_, password.c_str(), user.c_str(), "scram-sha-256");
    if (!encrypted) return std::unexpected(failure("encrypt a password"));
    std::string text = encrypted;
    PQfreemem(encrypted);
    return text;
}

}  // namespace pgherd::postgres
