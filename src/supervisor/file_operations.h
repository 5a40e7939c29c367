// What clients may do with files, as blocking functions with Pebble's texts and kinds of errors.
//
// Paths are absolute. Messages name the step as Go's os package does ("open /x: no such file or directory"),
// because clients show them and some look at them.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/descriptor.h"
#include "base/time.h"
#include "process/users.h"

namespace pgherd::supervisor {

struct FileError {
    enum class Kind { not_found, permission_denied, generic };
    Kind kind = Kind::generic;
    std::string message;
    std::string_view kind_name() const;  // "not-found", "permission-denied", "generic-file-error"
};
template <class T>
using FileResult = std::expected<T, FileError>;
using FileStatus = FileResult<std::monostate>;

struct FileInfo {
    std::string path;
    std::string name;
    std::string_view type;              // "file", "directory", "symlink", …
    std::optional<std::uint64_t> size;  // of regular files
    unsigned permissions = 0;           // the lowest nine bits
    WallTime modified;
    std::uint32_t user_id = 0;
    std::uint32_t group_id = 0;
    std::string user;  // may be unknown
    std::string group;
};

// Whom a new file or directory belongs to; nothing = us.
struct FileOwner {
    std::optional<std::int64_t> user_id;
    std::string user;
    std::optional<std::int64_t> group_id;
    std::string group;
};

// A directory's entries whose names match the pattern ("" = all), by name; or the one entry that `path`
// itself is.
FileResult<std::vector<FileInfo>> list_files(const std::string& path, const std::string& pattern,
                                             bool itself);

FileResult<unsigned> parse_permissions(std::string_view text, unsigned standard);

struct DirectoryOrder {
    std::string path;
    bool make_parents = false;
    std::string permissions;
    FileOwner owner;
};
FileStatus make_directory(const DirectoryOrder& order);
FileStatus remove_path(const std::string& path, bool recursive);

FileResult<Descriptor> open_for_reading(const std::string& path);

struct WriteOrder {
    std::string path;
    bool make_dirs = false;
    std::string permissions;
    FileOwner owner;
};

// A file that takes its place only when it is whole and on disk; until then its content is in another beside
// it, which is removed when this goes.
class FileReplacement {
  public:
    static FileResult<FileReplacement> open(const WriteOrder& order);
    FileReplacement(FileReplacement&&) = default;
    FileReplacement& operator=(FileReplacement&&) = delete;
    ~FileReplacement();

    FileStatus write(std::string_view bytes);
    FileStatus commit();

  private:
    FileReplacement() = default;
    Descriptor descriptor_;
    std::string path_;
    std::string temporary_;
};

}  // namespace pgherd::supervisor
