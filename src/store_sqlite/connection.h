// A connection to an SQLite file: statements, transactions, and SQLite's errors in words.
//
// Writers and checkpoints take a lock of their own (`X-lock`, flock) around SQLite's. Up to version 3.51.2
// SQLite may corrupt a file when a checkpoint of one process meets a commit of another that restarts the log
// (https://www.sqlite.org/wal.html#walresetbug), and Debian ships such a version; so here a checkpoint only
// runs while nobody writes. Used by one thread at a time. Knows no tables.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pgherd::sqlite {

// A prepared statement in use; resets itself. Parameters and columns count from 0. An error shows in the last
// next().
class Statement {
  public:
    Statement(sqlite3_stmt* statement, int prepared) : statement_(statement), code_(prepared) {}
    ~Statement();
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    Statement& bind(std::int64_t number);
    Statement& bind(std::string_view text);
    Statement& bind_blob(std::string_view bytes);
    bool next();  // false: no row, or an error
    std::int64_t number(int column) const;
    std::string text(int column) const;
    int code() const { return code_; }  // SQLite's code of an error, 0 for none

  private:
    sqlite3_stmt* statement_;
    int parameter_ = 0;
    int code_;
};

class Connection {
  public:
    Connection();
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // While waiting for a lock, `go_on` is asked again and again; false gives up.
    void set_patience(std::function<bool()> go_on) { go_on_ = std::move(go_on); }
    // Creates an empty file when there is none, and changes nothing in one that exists.
    Status open(const std::string& path);
    // Switches to the write-ahead log, synced at each commit; before the first transaction.
    Status use_log();
    const std::string& path() const { return path_; }
    // The path still leads to the file that is open.
    Status still_there() const;

    // `sql` is a literal: statements are kept by its address.
    Statement sql(const char* sql);
    // Runs one that gives no rows.
    Status run(Statement& statement);
    Status run(Statement&& statement) { return run(statement); }
    Status run(const char* text) { return run(sql(text)); }
    Result<std::string> pragma(const char* text);
    int changes() const;  // rows of the latest INSERT, UPDATE or DELETE
    std::int64_t last_id() const;

    Status begin_read();
    Status begin_write();
    void rollback();  // also ends a read
    // The error says whether the transaction may have survived.
    Status commit();

    // An SQLite code as an error of what was to be done.
    Error error(int code) const;

  private:
    static int wait_for_lock(void* self, int attempt);
    static int note_log_size(void* self, sqlite3* handle, const char* name, int pages);
    Status lock_writers();
    void unlock_writers();
    void checkpoint();
    Status create_file() const;

    std::string path_;
    std::function<bool()> go_on_;
    sqlite3* handle_ = nullptr;
    std::unordered_map<const char*, sqlite3_stmt*> statements_;
    int lock_ = -1;
    bool writing_ = false;
    std::uint64_t inode_ = 0;
    std::uint64_t device_ = 0;
    int wal_pages_ = 0;
};

}  // namespace pgherd::sqlite
