// One kind of objects, followed: a list, then its changes for ever.
//
// A stream that ends is resumed where it stopped; when the API does not have that any more (410), or cannot
// be reached twice in a row, the list is read anew. Trouble is told once the first attempt to go on has
// failed; it is over with the next list. A stream that the server forgets to end is ended here.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "eventloop/loop.h"
#include "store_kube/api.h"
#include "store_kube/objects.h"

namespace pgherd::kube {

class Stream : public std::enable_shared_from_this<Stream> {
  public:
    struct Handlers {
        std::function<void(ObjectList)> on_list;
        std::function<void(const Event&)> on_event;  // changed and deleted
        std::function<void(Error)> on_trouble;
    };
    // `path`: of the collection, with the label selector.
    Stream(EventLoop& loop, Api& api, std::string path, Handlers handlers);

    void begin();
    // Nothing is told any more, the API is not used any more.
    void end();
    // There are doubts whether it shows everything: reads the list anew.
    void resync();
    // This version exists: if it is not seen soon, the stream is frozen.
    void expect(std::int64_t version);

    std::int64_t position() const { return position_; }
    bool good() const { return good_; }

  private:
    void list();
    void listed(Result<JsonObject> answer);
    void follow();
    void take(std::string_view chunk);
    void ended(Result<void> how);
    void expired();
    void trouble(Error error);
    // Gives a way back to this object for as long as this round lasts.
    std::function<std::shared_ptr<Stream>()> self();

    EventLoop& loop_;
    Api* api_;
    std::string path_;
    Handlers handlers_;
    std::unique_ptr<HttpStream> stream_;
    std::string line_;  // not complete yet
    std::int64_t position_ = 0;
    std::int64_t expected_ = 0;
    Instant listed_;
    Instant followed_;
    Timer frozen_;
    Timer overdue_;
    Timer again_;
    int troubles_ = 0;  // since it last worked
    std::uint64_t round_ = 0;
    bool good_ = false;
    bool listing_ = false;
};

}  // namespace pgherd::kube
