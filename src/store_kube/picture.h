// What this client knows of the cluster's objects, and the snapshot that follows from it.
//
// Knowledge keeps the newest version of each object that any answer has shown, with its records read in the
// light of the version before. A Picture is one consistent state: of lists, or of lists and the changes
// since.
//
// The revision of a snapshot is how far the records' own kind of objects has been seen. Members are pods,
// whose changes arrive on another stream; their revisions are never above that. A record whose lease has
// ended is not there, whether it has been cleared away yet or not.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ports/store.h"
#include "store_kube/layout.h"
#include "store_kube/marks.h"
#include "store_kube/objects.h"

namespace pgherd::kube {

enum class Kind { main, pod, lease };

struct Known {
    Object object;
    Reading reading;
};
using KnownPtr = std::shared_ptr<const Known>;

class Knowledge {
  public:
    explicit Knowledge(const Layout& layout) : layout_(layout) {}

    KnownPtr learn(Kind kind, Object object);
    KnownPtr latest(Kind kind, const std::string& name) const;
    void forget(Kind kind, const std::string& name);

  private:
    const Layout& layout_;
    std::map<std::pair<Kind, std::string>, KnownPtr> known_;
};

// A record, and the object that holds it.
struct Place {
    Kind kind;
    std::string object;
    std::string key;
    LeaseId lease;
};

class Picture {
  public:
    // `lease_objects`: leases are objects of a kind of their own.
    Picture(const Layout& layout, Knowledge& knowledge, bool lease_objects)
        : layout_(layout), knowledge_(knowledge), lease_objects_(lease_objects) {}

    void replace(Kind kind, ObjectList list);
    void apply(Kind kind, const Event& event);
    void clear();
    // Each kind has been listed.
    bool complete() const;

    SnapshotPtr snapshot() const;
    bool has_lease(LeaseId lease) const { return leases_.contains(lease); }
    const std::map<LeaseId, KnownPtr>& leases() const { return leases_; }
    const Known* main_object(const std::string& name) const;
    Revision revision() const { return Revision(positions_.at(0)); }
    // Records of a lease; of any lease that has ended when none is named.
    std::vector<Place> places(LeaseId lease) const;

  private:
    bool ended(const Known& known, const Item& item) const;
    void add(Kind kind, const KnownPtr& known);
    void remove(Kind kind, const std::string& name);
    std::map<std::string, KnownPtr>& objects(Kind kind) { return kind == Kind::pod ? pods_ : main_; }

    const Layout& layout_;
    Knowledge& knowledge_;
    bool lease_objects_;
    std::map<std::string, KnownPtr> main_;
    std::map<std::string, KnownPtr> pods_;
    std::map<LeaseId, KnownPtr> leases_;
    std::vector<std::int64_t> positions_ = {0, 0, 0};  // by kind
};

}  // namespace pgherd::kube
