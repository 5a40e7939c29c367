// What the annotations of a record do not tell: its revisions, its lease, and a value that has no form.
//
// All of it is in one annotation of the object, `pgherd.dev/records`. A record's revision is the version that
// its object got by the record's latest change. The writer cannot know that version, so it leaves the
// revision of what it changes open ("this very version"), and writes down the ones that were open before: it
// knows them, since each write is bound to the version that it was based on. So a neighbour's change does not
// move a record's revision, for all clients alike.
//
// Patroni and people change annotations without this one. A fingerprint tells; such a change counts from the
// version in which this client first saw it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ports/store.h"
#include "store_kube/forms.h"
#include "store_kube/objects.h"

namespace pgherd::kube {

inline const std::string kMarks = "pgherd.dev/records";

struct Item {
    Record record;
    std::string print;           // of its annotations
    bool has_form = true;        // the annotations alone give the value
    bool foreign_lease = false;  // a leader of Patroni's: alive as long as it renews
};
using Items = std::map<std::string, Item>;  // by key

// An object's records, and which write made it what it is.
struct Reading {
    std::int64_t version = 0;
    std::string uid;
    std::string write;      // the latest one of ours
    std::int64_t base = 0;  // the version which that one was based on; 0: it created the object
    Items items;
};

// `before`: what this client read out of an earlier version of the same object; may be null.
Reading read_object(const Object& object, const Layout& layout, bool pod, const Reading* before);

// A change of one record.
struct Change {
    Field field;
    std::optional<std::string> value;  // nothing: the record is taken away
    LeaseId lease;
};
// `change`: null when only `more` changes, annotations that are no record. `write` names this write.
AnnotationChanges change_of(const Object* base, const Reading& reading, const Change* change,
                            const AnnotationChanges& more, const std::string& write);

// Of a Patroni leader, by who leads since when.
LeaseId foreign_lease(const Annotations& annotations);

}  // namespace pgherd::kube
