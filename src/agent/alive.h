// Completions that outlive their owner do nothing.
//
// Destroying an agent is the crash of a brain: answers that are still on their way must find nobody. Every
// completion that touches the owner is wrapped by the owner's Alive.
#pragma once

#include <memory>
#include <utility>

namespace pgherd::agent {

class Alive {
  public:
    Alive() : token_(std::make_shared<char>()) {}
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;

    template <class F>
    auto operator()(F call) const {
        return [token = std::weak_ptr<char>(token_), call = std::move(call)](auto&&... args) mutable {
            if (auto held = token.lock()) call(std::forward<decltype(args)>(args)...);
        };
    }

  private:
    std::shared_ptr<char> token_;
};

}  // namespace pgherd::agent
