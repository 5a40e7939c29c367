// A record's value as annotations, and back: Patroni's forms of what etcd keeps as one text.
//
// `{"leader":"a","quorum":1,"sync_standby":"b"}` is leader=a, quorum=1, sync_standby=b. What does not survive
// the way there and back (foreign texts, other keys, bytes that are no UTF-8) is kept beside it (marks.h).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store_kube/layout.h"

namespace pgherd::kube {

using Annotations = std::map<std::string, std::string>;
// Nothing: the annotation is taken away.
using AnnotationChanges = std::map<std::string, std::optional<std::string>>;

// All annotations of the record; `value`: none to take the record away.
AnnotationChanges to_annotations(const Field& field, const std::optional<std::string>& value);
// Nothing: there is no such record.
std::optional<std::string> from_annotations(const Field& field, const Annotations& annotations);
// Changes when somebody changes the record, not when a leader only renews it.
std::string fingerprint(const Field& field, const Annotations& annotations);

}  // namespace pgherd::kube
