// One libpq connection without blocking calls: the socket is watched by the event loop, and every call has a
// deadline.
//
// Host names are looked up here, as libpq would block while it does. One query at a time; after a timeout or
// a lost connection ok() is false, and the connection is of no use.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "postgres/async.h"

typedef struct pg_conn PGconn;

namespace pgherd::postgres {

// Rows as text; nothing = NULL.
struct Table {
    std::vector<std::string> columns;
    std::vector<std::vector<std::optional<std::string>>> rows;

    // The value, or "" for NULL and for what is not there.
    std::string at(std::size_t row, std::string_view column) const;
};

using ConnectionParameters = std::map<std::string, std::string>;  // libpq keywords; empty values are left out

// Why a connection was refused: no line of pg_hba.conf lets the user in.
bool refused_by_hba(const Error& error);

class Connection {
  public:
    // Errors: denied (a wrong password), unavailable, timeout.
    static Async<std::unique_ptr<Connection>> open(ConnectionParameters parameters, Instant deadline);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // The result of the last statement. Errors: unavailable, timeout, failed (the server's message).
    Async<Table> query(std::string sql, Instant deadline);
    bool ok() const { return ok_; }
    // A password as the server stores it (SCRAM), so that it never appears in a statement. For the connected
    // server.
    Result<std::string> encrypt_password(const std::string& user, const std::string& password);

  private:
    explicit Connection(PGconn* connection) : connection_(connection) {}
    Async<void> connect(Instant deadline);
    Status watch_socket(asio::any_io_executor executor);
    Error failure(std::string_view what) const;

    PGconn* connection_;
    std::optional<asio::posix::stream_descriptor> socket_;
    bool ok_ = false;
};

// "host='db 1' port='5432'" for a program's argument or for primary_conninfo. No password may be in it.
std::string conninfo_text(const ConnectionParameters& parameters);

}  // namespace pgherd::postgres
