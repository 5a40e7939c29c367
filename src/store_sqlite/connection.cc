#include "store_sqlite/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pgherd::sqlite {

namespace {

constexpr int kCheckpointPages = 250;  // 1 MB of log

std::string errno_text(int number) {
    return std::error_code(number, std::generic_category()).message();
}

}  // namespace

// --- Statement ---------------------------------------------------------------------------------------------

Statement::~Statement() {
    if (statement_ == nullptr) return;
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

Statement& Statement::bind(std::int64_t number) {
    if (code_ == SQLITE_OK) code_ = sqlite3_bind_int64(statement_, ++parameter_, number);
    return *this;
}

Statement& Statement::bind(std::string_view text) {
    if (code_ == SQLITE_OK)
        code_ = sqlite3_bind_text64(statement_, ++parameter_, text.data() == nullptr ? "" : text.data(),
                                    text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
    // A null pointer would be NULL instead of an empty blob.
    if (code_ == SQLITE_OK)
        code_ = sqlite3_bind_blob64(statement_, ++parameter_, bytes.data() == nullptr ? "" : bytes.data(),
                                    bytes.size(), SQLITE_STATIC);
    return *this;
}

bool Statement::next() {
    if (code_ != SQLITE_OK) return false;
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) code_ = code;
    return code == SQLITE_ROW;
}

std::int64_t Statement::number(int column) const {
    return sqlite3_column_int64(statement_, column);
}

std::string Statement::text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

// --- Connection: opening -----------------------------------------------------------------------------------

Connection::Connection() = default;

Connection::~Connection() {
    for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close(handle_);
    if (lock_ >= 0) close(lock_);
}

Status Connection::open(const std::string& path) {
    path_ = path;
    PGHERD_CHECK(create_file());
    const int code =
        sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    if (code != SQLITE_OK) return std::unexpected(error(code));
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_handler(handle_, &Connection::wait_for_lock, this);
    if (sqlite3_db_readonly(handle_, "main") == 1) return fail(ErrorCode::denied, "the file is read-only");
    // Also keeps SQLite from checkpoints of its own.
    sqlite3_wal_hook(handle_, &Connection::note_log_size, this);
    struct stat file{};
    if (stat(path.c_str(), &file) != 0) return fail(ErrorCode::unavailable, errno_text(errno));
    inode_ = file.st_ino;
    device_ = file.st_dev;
    return {};
}

// SQLite would create the file with the umask's mode. Never opened here when it exists: closing such a
// descriptor would drop the locks that another connection of this process holds (POSIX).
Status Connection::create_file() const {
    const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) {
        close(file);
        return {};
    }
    if (errno == EEXIST) return {};
    if (errno == ENOENT) {
        const auto slash = path_.find_last_of('/');
        return fail(ErrorCode::invalid,
                    fmt::format("the directory {} does not exist",
                                slash == std::string::npos ? "." : path_.substr(0, slash)));
    }
    const bool denied = errno == EACCES || errno == EPERM || errno == EROFS;
    return fail(denied ? ErrorCode::denied : ErrorCode::unavailable, errno_text(errno));
}

Status Connection::use_log() {
    lock_ = ::open((path_ + "-lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0)
        return fail(errno == EACCES || errno == EROFS ? ErrorCode::denied : ErrorCode::unavailable,
                    fmt::format("cannot open {}-lock: {}", path_, errno_text(errno)));
    PGHERD_CHECK(lock_writers());
    auto mode = pragma("PRAGMA journal_mode = WAL");
    unlock_writers();
    if (!mode) return std::unexpected(std::move(mode).error());
    if (*mode != "wal")
        return fail(ErrorCode::unavailable, "this file system cannot hold a write-ahead log (network?)");
    PGHERD_CHECK(pragma("PRAGMA journal_size_limit = 4194304"));
    return run("PRAGMA synchronous = FULL");
}

Status Connection::still_there() const {
    struct stat file{};
    if (stat(path_.c_str(), &file) != 0)
        return fail(ErrorCode::unavailable, fmt::format("the file is gone: {}", errno_text(errno)));
    if (file.st_ino != inode_ || file.st_dev != device_)
        return fail(ErrorCode::unavailable, "the file was replaced by another one; restart the program");
    return {};
}

// --- Connection: statements --------------------------------------------------------------------------------

Statement Connection::sql(const char* sql) {
    auto& statement = statements_[sql];
    int code = SQLITE_OK;
    if (statement == nullptr)
        code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    return {statement, code};
}

Status Connection::run(Statement& statement) {
    while (statement.next()) {
    }
    if (statement.code() != SQLITE_OK) return std::unexpected(error(statement.code()));
    return {};
}

Result<std::string> Connection::pragma(const char* text) {
    Statement statement = sql(text);
    if (statement.next()) return statement.text(0);
    if (statement.code() != SQLITE_OK) return std::unexpected(error(statement.code()));
    return std::string{};
}

int Connection::changes() const {
    return sqlite3_changes(handle_);
}
std::int64_t Connection::last_id() const {
    return sqlite3_last_insert_rowid(handle_);
}

// --- Connection: transactions ------------------------------------------------------------------------------

int Connection::wait_for_lock(void* self, int attempt) {
    if (const auto& go_on = static_cast<Connection*>(self)->go_on_; !go_on || !go_on()) return 0;
    std::this_thread::sleep_for(std::chrono::microseconds(std::min(200 << std::min(attempt, 5), 5000)));
    return 1;
}

int Connection::note_log_size(void* self, sqlite3*, const char*, int pages) {
    static_cast<Connection*>(self)->wal_pages_ = pages;
    return SQLITE_OK;
}

Status Connection::lock_writers() {
    for (int attempt = 0; flock(lock_, LOCK_EX | LOCK_NB) != 0; ++attempt) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK)
            return fail(ErrorCode::unavailable,
                        fmt::format("cannot lock {}-lock: {}", path_, errno_text(errno)));
        if (wait_for_lock(this, attempt) == 0) return std::unexpected(error(SQLITE_BUSY));
    }
    return {};
}

void Connection::unlock_writers() {
    flock(lock_, LOCK_UN);
}

Status Connection::begin_read() {
    return run("BEGIN");
}

Status Connection::begin_write() {
    PGHERD_CHECK(lock_writers());
    writing_ = true;
    auto begun = run("BEGIN IMMEDIATE");
    if (!begun) rollback();
    return begun;
}

void Connection::rollback() {
    // Some errors have ended the transaction already.
    if (sqlite3_get_autocommit(handle_) == 0) (void)run("ROLLBACK");
    if (writing_) unlock_writers();
    writing_ = false;
}

Status Connection::commit() {
    auto status = run("COMMIT");
    if (status) {
        checkpoint();
    } else if (sqlite3_extended_errcode(handle_) != SQLITE_FULL && sqlite3_errcode(handle_) != SQLITE_BUSY) {
        // A lock that was not given and a frame that found no room have left nothing behind. After anything
        // else (a failed fsync, above all) the commit frame may be in the log, where no process sees it now,
        // but the recovery after a crash of all of them would find it.
        status.error().certainty = Certainty::maybe_done;
    }
    rollback();
    return status;
}

// Moves the log into the database while nobody can write (see the header). Readers hold it up at most, and
// its failure takes nothing away from the commit before it: the next one tries again.
void Connection::checkpoint() {
    int pages = 0;
    int moved = 0;
    if (wal_pages_ < kCheckpointPages) return;
    sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
}

Error Connection::error(int code) const {
    const auto say = [&](ErrorCode kind, std::string text) {
        return Error{kind, std::move(text), Certainty::not_done};
    };
    const std::string detail = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
    const int number = handle_ != nullptr ? sqlite3_system_errno(handle_) : 0;
    const std::string cause = number != 0 ? fmt::format("{} ({})", detail, errno_text(number)) : detail;
    switch (code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return say(ErrorCode::timeout, "locked by another process until the deadline");
        case SQLITE_FULL: return say(ErrorCode::unavailable, "the disk is full");
        case SQLITE_IOERR:
        case SQLITE_NOMEM:
        case SQLITE_PROTOCOL: return say(ErrorCode::unavailable, cause);
        case SQLITE_CANTOPEN:
            return say(number == EACCES ? ErrorCode::denied : ErrorCode::unavailable, cause);
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH: return say(ErrorCode::denied, cause);
        case SQLITE_NOTADB: return say(ErrorCode::invalid, "the file is not a database");
        case SQLITE_CORRUPT: return say(ErrorCode::failed, fmt::format("the file is damaged: {}", cause));
        default: return say(ErrorCode::failed, cause);
    }
}

}  // namespace pgherd::sqlite
