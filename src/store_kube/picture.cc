#include "store_kube/picture.h"

#include <algorithm>
#include <utility>

namespace pgherd::kube {

namespace {
std::size_t index(Kind kind) {
    return static_cast<std::size_t>(std::to_underlying(kind));
}
}  // namespace

KnownPtr Knowledge::learn(Kind kind, Object object) {
    KnownPtr& place = known_[{kind, object.name}];
    const bool same_object = place && place->object.uid == object.uid;
    if (same_object && place->object.version == object.version) return place;
    const bool older = same_object && object.version < place->object.version;
    const Reading* before = same_object && !older ? &place->reading : nullptr;
    Reading reading = read_object(object, layout_, kind == Kind::pod, before);
    auto known = std::make_shared<const Known>(Known{std::move(object), std::move(reading)});
    if (!older) place = known;
    return known;
}

KnownPtr Knowledge::latest(Kind kind, const std::string& name) const {
    const auto found = known_.find({kind, name});
    return found == known_.end() ? nullptr : found->second;
}

void Knowledge::forget(Kind kind, const std::string& name) {
    known_.erase({kind, name});
}

void Picture::add(Kind kind, const KnownPtr& known) {
    const auto lease = kind == Kind::pod ? std::nullopt : layout_.lease_of(known->object.name);
    if (lease && (kind == Kind::lease) == lease_objects_)
        leases_[*lease] = known;
    else if (kind != Kind::lease && !lease)
        objects(kind)[known->object.name] = known;
}

void Picture::remove(Kind kind, const std::string& name) {
    knowledge_.forget(kind, name);
    const auto lease = kind == Kind::pod ? std::nullopt : layout_.lease_of(name);
    if (lease && (kind == Kind::lease) == lease_objects_)
        leases_.erase(*lease);
    else if (kind != Kind::lease && !lease)
        objects(kind).erase(name);
}

void Picture::replace(Kind kind, ObjectList list) {
    if ((kind == Kind::lease) == lease_objects_ && kind != Kind::pod) leases_.clear();
    if (kind != Kind::lease) objects(kind).clear();
    positions_[index(kind)] = list.version;
    for (Object& object : list.objects) {
        object.subsets = kind == Kind::main ? std::move(object.subsets) : Json();
        add(kind, knowledge_.learn(kind, std::move(object)));
    }
}

void Picture::apply(Kind kind, const Event& event) {
    positions_[index(kind)] = std::max(positions_[index(kind)], event.object.version);
    if (event.type == Event::Type::deleted)
        remove(kind, event.object.name);
    else if (event.type == Event::Type::changed)
        add(kind, knowledge_.learn(kind, event.object));
}

void Picture::clear() {
    main_.clear();
    pods_.clear();
    leases_.clear();
    positions_ = {0, 0, 0};
}

bool Picture::complete() const {
    return positions_[index(Kind::main)] > 0 && positions_[index(Kind::pod)] > 0 &&
           (!lease_objects_ || positions_[index(Kind::lease)] > 0);
}

const Known* Picture::main_object(const std::string& name) const {
    const auto found = main_.find(name);
    return found == main_.end() ? nullptr : found->second.get();
}

// A lease is older than what hangs on it: where leases have been seen up to the record's version, one that is
// not there has ended.
bool Picture::ended(const Known& known, const Item& item) const {
    if (item.record.lease == LeaseId() || item.foreign_lease || has_lease(item.record.lease)) return false;
    return positions_[index(lease_objects_ ? Kind::lease : Kind::main)] >= known.object.version;
}

SnapshotPtr Picture::snapshot() const {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->revision = revision();
    for (const auto* kind : {&main_, &pods_})
        for (const auto& [name, known] : *kind)
            for (const auto& [key, item] : known->reading.items) {
                if (ended(*known, item)) continue;
                Record record = item.record;
                record.modified = std::min(record.modified, snapshot->revision);
                record.created = std::min(record.created, record.modified);
                snapshot->records.insert_or_assign(key, std::move(record));
            }
    return snapshot;
}

std::vector<Place> Picture::places(LeaseId lease) const {
    std::vector<Place> found;
    for (const Kind kind : {Kind::main, Kind::pod})
        for (const auto& [name, known] : kind == Kind::main ? main_ : pods_)
            for (const auto& [key, item] : known->reading.items)
                if (lease == LeaseId() ? ended(*known, item)
                                       : item.record.lease == lease && !item.foreign_lease)
                    found.push_back({kind, name, key, item.record.lease});
    return found;
}

}  // namespace pgherd::kube
