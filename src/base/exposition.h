// Metrics in Prometheus' text format: one family after the other, each with one head.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace pgherd {

class Exposition {
  public:
    using Labels =
        std::vector<std::pair<std::string_view, std::string_view>>;  // name, value of any characters

    // `prefix`: of the name of every family. `common`: labels of every sample.
    explicit Exposition(std::string_view prefix = {}, const Labels& common = {});

    // What follows are its samples.
    void family(std::string_view name, std::string_view type, std::string_view help);
    template <class Value>
    void sample(const Value& value, const Labels& labels = {}) {
        add(fmt::format("{}", value), labels);
    }
    void comment(std::string_view text);

    // Families of one sample.
    template <class Value>
    void gauge(std::string_view name, std::string_view help, const Value& value) {
        family(name, "gauge", help);
        sample(value);
    }
    void flag(std::string_view name, std::string_view help, bool value) { gauge(name, help, int(value)); }
    void counter(std::string_view name, std::string_view help, std::uint64_t value) {
        family(name, "counter", help);
        sample(value);
    }

    std::string take() { return std::move(text_); }

  private:
    void add(std::string_view value, const Labels& labels);

    std::string prefix_;
    std::string common_;  // name="value",…
    std::string name_;
    std::string text_;
};

}  // namespace pgherd
