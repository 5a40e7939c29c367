// Files and descriptors on this side of the command line; errors in the words of the API: "open x: no such
// file or directory".
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace pgherd::pebble_cli {

class LocalFile {
  public:
    static Result<LocalFile> open_to_read(const std::string& path);
    static Result<LocalFile> open_to_write(const std::string& path);  // made, or emptied
    LocalFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
    ~LocalFile();
    LocalFile(LocalFile&& other) noexcept
        : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}
    LocalFile& operator=(LocalFile&&) = delete;

    Result<std::string> read_some();  // empty at the end
    Result<std::string> read_all();
    Status write(std::string_view bytes);
    std::string permissions() const;  // "644"

  private:
    int descriptor_;
    std::string path_;
};

// All of `bytes` to a descriptor, waiting as long as it takes.
Status write_all(int descriptor, std::string_view bytes);

}  // namespace pgherd::pebble_cli
