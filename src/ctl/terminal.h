// Where a verb prints, and whom it asks.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/standard_output.h"

namespace pgherd::ctl {

class Terminal {
  public:
    virtual ~Terminal() = default;
    virtual void print(std::string_view text) = 0;     // standard output, as it is
    virtual void complain(std::string_view text) = 0;  // standard error, one line
    virtual bool interactive() const = 0;              // somebody can answer
    // One line. `hidden`: not shown while it is typed.
    virtual std::string read_line(std::string_view prompt, bool hidden) = 0;
    virtual void clear() = 0;  // the screen, where there is one
    // Nothing that is printed arrives any more: `list --watch 1 | head`.
    virtual bool output_closed() const { return false; }
};

// The process's own.
class ProcessTerminal final : public Terminal {
  public:
    void print(std::string_view text) override { output_.print(text); }
    void complain(std::string_view text) override;
    bool interactive() const override;
    std::string read_line(std::string_view prompt, bool hidden) override;
    void clear() override;
    bool output_closed() const override { return output_.failed(); }
    Status print_status() const { return output_.status(); }

  private:
    StandardOutput output_;
};

// Asks for a value; an empty answer is `fallback`. An error when nobody can answer: a script shall not hang.
Result<std::string> ask(Terminal& terminal, const std::string& question, const std::string& fallback);
Result<std::string> ask_secret(Terminal& terminal, const std::string& question);
// Success when the answer is yes. `what` is what does not happen otherwise: "switchover".
Status confirm(Terminal& terminal, const std::string& question, std::string_view what);

}  // namespace pgherd::ctl
