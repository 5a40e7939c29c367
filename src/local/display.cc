#include "local/display.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace pgherd::local {
namespace {

class TerminalDisplay final : public Display {
  public:
    explicit TerminalDisplay(int fd) : fd_(fd) {}

    void show(const View& view) override {
        winsize size{};
        bool known = ::ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
        std::size_t width = known ? size.ws_col : 80;
        std::string picture = render(view, width);
        if (picture == last_) return;
        // Back to the first line of the last picture, and away with it.
        std::string text = rows_ > 0 ? fmt::format("\033[{}F\033[J", rows_) : "";
        text += picture;
        write(text);
        last_ = std::move(picture);
        rows_ = rows_of(last_, width);
    }
    void event(const std::string&) override {}
    void hints(const std::vector<std::string>&) override {}

  private:
    // Hints are not cut and may take several rows.
    static std::size_t rows_of(const std::string& picture, std::size_t width) {
        std::size_t rows = 0, length = 0;
        for (char c : picture) {
            if (c == '\n') {
                rows += 1 + (length > 0 ? (length - 1) / width : 0);
                length = 0;
            } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
                ++length;
            }
        }
        return rows;
    }
    void write(std::string_view text) {
        while (!text.empty()) {
            ssize_t written = ::write(fd_, text.data(), text.size());
            if (written <= 0) return;
            text.remove_prefix(std::size_t(written));
        }
    }

    int fd_;
    std::size_t rows_ = 0;
    std::string last_;
};

class LineDisplay final : public Display {
  public:
    explicit LineDisplay(std::function<void(const std::string&)> write) : write_(std::move(write)) {}

    void show(const View&) override {}
    void event(const std::string& line) override { write_(line); }
    void hints(const std::vector<std::string>& lines) override { std::ranges::for_each(lines, write_); }

  private:
    std::function<void(const std::string&)> write_;
};

}  // namespace

std::unique_ptr<Display> terminal_display(int fd) {
    return std::make_unique<TerminalDisplay>(fd);
}
std::unique_ptr<Display> line_display(std::function<void(const std::string&)> write) {
    return std::make_unique<LineDisplay>(std::move(write));
}

}  // namespace pgherd::local
