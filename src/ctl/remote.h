// The cluster as ctl reaches it: its store, and the REST API of its members. Everything blocks; ctl does one
// thing.
#pragma once

#include <memory>
#include <string>

#include "base/time.h"
#include "ctl/location.h"
#include "model/cluster.h"
#include "ports/http.h"
#include "ports/store.h"

namespace pgherd::ctl {

struct Loaded {
    ClusterView view;
    SnapshotPtr snapshot;  // the records as they are

    const Record* record(const std::string& key) const;
};

struct RestCall {
    std::string method;  // "POST"
    std::string path;    // "switchover"
    std::string body;    // JSON, may be empty
    Duration timeout = std::chrono::seconds(10);
};

class Remote {
  public:
    virtual ~Remote() = default;
    virtual Result<Loaded> load() = 0;
    virtual Result<Revision> swap(Swap swap) = 0;
    // Any answer, whatever its status, is a success. Errors have the code `failed`, and their certainty
    // counts: the member may have got the request.
    virtual Result<HttpResponse> call(const Member& member, const RestCall& call) = 0;
    virtual void sleep(Duration duration) = 0;
};

// Opens the store and makes `location.scope` definite: the one cluster that the store holds, if it was left
// open. A scope that does not exist is an error that names those that do.
Result<std::unique_ptr<Remote>> connect(Location& location);

}  // namespace pgherd::ctl
