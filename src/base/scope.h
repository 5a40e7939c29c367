// Scope: keeps an answer from reaching an owner that is gone.
//
// An object owns a Scope as its last member and wraps what it hands out: `scope_.guard([this](…) {…})`. Once
// the Scope is destroyed, a wrapped function does nothing. Only for one thread: the function runs in the loop
// that destroys the owner.
#pragma once

#include <memory>
#include <utility>

namespace pgherd {

class Scope {
  public:
    Scope() : token_(std::make_shared<char>()) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    template <class Function>
    auto guard(Function function) const {
        return
            [weak = std::weak_ptr<void>(token_), inner = std::move(function)](auto&&... arguments) mutable {
                if (!weak.expired()) inner(std::forward<decltype(arguments)>(arguments)...);
            };
    }

  private:
    std::shared_ptr<void> token_;
};

}  // namespace pgherd
