// Changes of single objects, each bound to the version that it was based on.
//
// A change is judged on what is known of its object, which may be old: a refusal on that ground is judged
// again on a fresh read, and a change that came too late is refused by the API, read anew and judged again.
// So whoever changes a record does not mind that its neighbour was changed.
//
// When an answer is lost, the object tells: a change carries the name of its write, and the API takes only
// one change of a version. Where the object has gone on too far to tell, the outcome stays open.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "store_kube/api.h"
#include "store_kube/picture.h"

namespace pgherd::kube {

struct Draft {
    AnnotationChanges annotations;
    AnnotationChanges labels;  // of a pod
    std::optional<Json> subsets;
};

class Writer {
  public:
    Writer(EventLoop& loop, Api& api, const Layout& layout, Knowledge& knowledge)
        : loop_(loop), api_(api), layout_(layout), knowledge_(knowledge) {}

    // `base`: null when there is no such object. Gives nothing when nothing has to be changed. An error on a
    // base that is not fresh asks for a fresh one.
    using Judge = std::function<asio::awaitable<Result<std::optional<Draft>>>(const Known* base, bool fresh,
                                                                              const std::string& write)>;
    // The object as it is afterwards; null when there is none.
    asio::awaitable<Result<KnownPtr>> change(Kind kind, std::string object, Judge judge, Instant deadline);
    // Null: it does not exist.
    asio::awaitable<Result<KnownPtr>> get(Kind kind, std::string object, Instant deadline);
    asio::awaitable<Result<ObjectList>> list(Kind kind, Instant deadline);
    // This very version of it; 0: whatever it is. Errors: conflict, not_found.
    asio::awaitable<Status> erase(Kind kind, std::string object, std::string uid, std::int64_t version,
                                  Instant deadline);
    asio::awaitable<Result<Object>> create(Kind kind, const JsonObject& body, Instant deadline);
    asio::awaitable<Result<Object>> patch(Kind kind, const std::string& object, const JsonObject& body,
                                          Repeat repeat, Instant deadline);

    std::string collection(Kind kind) const;
    std::string listing(Kind kind) const;
    // What every new object begins with; `annotations`: those with a value.
    JsonObject new_object(Kind kind, const std::string& name, const AnnotationChanges& annotations) const;

  private:
    asio::awaitable<Result<Object>> send(Kind kind, const std::string& object, const Known* base,
                                         const Draft& draft, Instant deadline);
    std::string path(Kind kind, const std::string& object) const { return collection(kind) + "/" + object; }

    EventLoop& loop_;
    Api& api_;
    const Layout& layout_;
    Knowledge& knowledge_;
};

JsonObject to_json(const AnnotationChanges& changes);

// What became of a write whose answer was lost, as the object shows it now.
enum class Outcome { done, not_done, open, unknown };  // open: it may still happen; unknown: it may have
Outcome outcome_of(const std::string& write, std::int64_t base_version, const std::string& base_write,
                   const Known* now);

}  // namespace pgherd::kube
