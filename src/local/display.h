// Where `up` shows the cluster: a picture that is drawn anew on a terminal, or a line for each change
// elsewhere.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "local/view.h"

namespace pgherd::local {

class Display {
  public:
    virtual ~Display() = default;
    virtual void show(const View& view) = 0;
    // Something happened; the view that comes next contains it.
    virtual void event(const std::string& line) = 0;
    // Said once, to be copied: how to connect, where the logs are.
    virtual void hints(const std::vector<std::string>& lines) = 0;
};

std::unique_ptr<Display> terminal_display(int fd);
std::unique_ptr<Display> line_display(std::function<void(const std::string&)> write);

}  // namespace pgherd::local
