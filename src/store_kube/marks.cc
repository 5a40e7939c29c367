#include "store_kube/marks.h"

#include <algorithm>

#include "base/text.h"
#include "codec/json.h"
#include "store_kube/hash.h"

namespace pgherd::kube {

namespace {

struct Mark {
    std::optional<Revision> created;  // open: by the write that made this version
    std::optional<Revision> modified;
    std::string print;
    LeaseId lease;
    std::optional<std::string> raw;  // the value, where it has no form
};

struct Marks {
    std::string write;
    std::int64_t base = 0;
    std::map<std::string, Mark> records;

    std::vector<std::string> keys() const {
        std::vector<std::string> result;
        for (const auto& [key, mark] : records) result.push_back(key);
        return result;
    }
};

std::int64_t number_in(const JsonObject& object, std::string_view key) {
    const auto number = parse_int(text_in(object, key));
    return number ? *number : 0;
}

std::optional<Revision> revision_in(const JsonObject& object, std::string_view key) {
    const std::int64_t number = number_in(object, key);
    return number > 0 ? std::optional(Revision(number)) : std::nullopt;
}

// What is not understood counts as not there: then the annotations alone are believed.
Marks parse_marks(const Annotations& annotations) {
    Marks marks;
    const auto found = annotations.find(kMarks);
    const auto json = found == annotations.end() ? fail("") : parse_json_object(found->second);
    if (!json) return marks;
    marks.write = text_in(*json, "write");
    marks.base = number_in(*json, "base");
    const JsonObject* records = object_in(*json, "records");
    if (!records) return marks;
    for (const auto& [key, value] : *records) {
        if (!value.is_object()) continue;
        const JsonObject& object = value.get_object();
        Mark mark{revision_in(object, "created"),
                  revision_in(object, "modified"),
                  text_in(object, "print"),
                  LeaseId(number_in(object, "lease")),
                  {}};
        if (object.contains("raw"))
            if (auto raw = base64_decode(text_in(object, "raw"))) mark.raw = std::move(*raw);
        marks.records.emplace(key, std::move(mark));
    }
    return marks;
}

std::string write_marks(const Marks& marks) {
    JsonObject records;
    for (const auto& [key, mark] : marks.records) {
        JsonObject object;
        if (mark.created) object["created"] = std::to_string(mark.created->value());
        if (mark.modified) object["modified"] = std::to_string(mark.modified->value());
        object["print"] = mark.print;
        if (mark.lease != LeaseId()) object["lease"] = std::to_string(mark.lease.value());
        if (mark.raw) object["raw"] = base64_encode(*mark.raw);
        records[key] = std::move(object);
    }
    return to_text(JsonObject{
        {"write", marks.write}, {"base", std::to_string(marks.base)}, {"records", std::move(records)}});
}

// The record as it stands in this version; `same`: as this client has seen it before, if it has not changed.
Item read_item(const Field& field, const Object& object, std::string value, const Mark* mark,
               const Item* same, bool same_write) {
    const Revision now(object.version);
    Item item{.record = {std::move(value), now, now, {}}};
    if (mark) {
        item.record.lease = mark->lease;
        item.record.created = mark->created.value_or(now);
        item.record.modified = mark->modified.value_or(now);
        item.has_form = !mark->raw;
        // Somebody else has changed the object since that write.
        if (same && same_write) {
            if (!mark->created) item.record.created = same->record.created;
            if (!mark->modified) item.record.modified = same->record.modified;
        }
        return item;
    }
    if (field.form == Form::leader) {
        item.record.lease = foreign_lease(object.annotations);
        item.foreign_lease = true;
    }
    if (same) {
        item.record.created = same->record.created;
        item.record.modified = same->record.modified;
    }
    return item;
}

}  // namespace

LeaseId foreign_lease(const Annotations& annotations) {
    const auto text = [&](const std::string& name) {
        const auto found = annotations.find(name);
        return found == annotations.end() ? std::string() : found->second;
    };
    const std::uint64_t state = hash(text("acquireTime"), hash(text("leader") + "\n"));
    return LeaseId(static_cast<std::int64_t>(state >> 1U | 1U));
}

Reading read_object(const Object& object, const Layout& layout, bool pod, const Reading* before) {
    const Marks marks = parse_marks(object.annotations);
    Reading reading{object.version, object.uid, marks.write, marks.base, {}};
    if (before && before->uid != object.uid) before = nullptr;
    const auto fields =
        pod ? Layout::fields_of_pod(object.name) : layout.fields_of(object.name, marks.keys());
    for (const Field& field : fields) {
        const std::string print = fingerprint(field, object.annotations);
        const auto found = marks.records.find(field.key);
        const Mark* mark =
            found != marks.records.end() && found->second.print == print ? &found->second : nullptr;
        auto value = mark && mark->raw ? mark->raw : from_annotations(field, object.annotations);
        if (!value) continue;
        const Item* same = nullptr;
        if (before)
            if (const auto old = before->items.find(field.key); old != before->items.end() &&
                                                                old->second.print == print &&
                                                                old->second.record.value == *value)
                same = &old->second;
        Item item =
            read_item(field, object, std::move(*value), mark, same, before && before->write == marks.write);
        item.print = print;
        reading.items.emplace(field.key, std::move(item));
    }
    return reading;
}

AnnotationChanges change_of(const Object* base, const Reading& reading, const Change* change,
                            const AnnotationChanges& more, const std::string& write) {
    AnnotationChanges changes = more;
    if (change) changes.merge(to_annotations(change->field, change->value));
    Annotations after = base ? base->annotations : Annotations{};
    for (const auto& [name, value] : changes)
        if (value)
            after[name] = *value;
        else
            after.erase(name);

    Marks marks{write, base ? base->version : 0, {}};
    for (const auto& [key, item] : reading.items) {
        if (item.foreign_lease || (change && change->field.key == key)) continue;
        marks.records[key] = {item.record.created, item.record.modified, item.print, item.record.lease,
                              item.has_form ? std::nullopt : std::optional(item.record.value)};
    }
    if (change && change->value) {
        Mark mark{{}, {}, fingerprint(change->field, after), change->lease, {}};
        const auto old = reading.items.find(change->field.key);
        if (old != reading.items.end()) mark.created = old->second.record.created;
        if (from_annotations(change->field, after) != change->value) mark.raw = change->value;
        marks.records[change->field.key] = std::move(mark);
    }
    changes[kMarks] = write_marks(marks);
    return changes;
}

}  // namespace pgherd::kube
