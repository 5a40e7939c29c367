// Names and ids as types of their own, so that a member's name cannot be passed where a slot's is wanted.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace pgherd {

template <class Tag, class Value>
class Strong {
  public:
    Strong() = default;
    explicit Strong(Value value) : value_(std::move(value)) {}

    const Value& value() const { return value_; }
    auto operator<=>(const Strong&) const = default;

  private:
    Value value_{};
};

// The name of a member of the cluster, unique within its scope. Empty means "none".
struct MemberNameTag {};
class MemberName : public Strong<MemberNameTag, std::string> {
  public:
    using Strong::Strong;
    explicit MemberName(std::string_view name) : Strong(std::string(name)) {}
    explicit MemberName(const char* name) : Strong(std::string(name)) {}
    bool empty() const { return value().empty(); }
    const std::string& text() const { return value(); }
};

// A version number of the store: grows with every change of any record. 0 means "none yet".
using Revision = Strong<struct RevisionTag, std::int64_t>;
// A lease of the store; 0 means "none".
using LeaseId = Strong<struct LeaseIdTag, std::int64_t>;
// PostgreSQL's system identifier (pg_control); 0 means "unknown". Decimal in the store.
using SystemId = Strong<struct SystemIdTag, std::uint64_t>;

}  // namespace pgherd

template <>
struct std::hash<pgherd::MemberName> {
    std::size_t operator()(const pgherd::MemberName& name) const noexcept {
        return std::hash<std::string>{}(name.text());
    }
};
