// Tablespaces outside the data directory: the directories that `pg_tblspc` links to.
//
// A copy fills them again, and pg_basebackup refuses those that are not empty, so what a former data
// directory has in them must go with it. That is one directory, named after the version: PG_<major>_<catalog
// version>, which no second instance can have in the same place. Nothing else in a tablespace is ever
// touched, and nothing that another instance of this machine works with.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace pgherd::postgres {

// What the links of a data directory that was moved aside name goes to "<tablespace>.failed" (one generation
// is kept), and the links with it: nobody who starts the moved one shall write into its successor. The second
// time there is nothing to be done.
Status move_tablespaces_aside(const std::string& moved_data_dir);
// Removes it instead: of a data directory that is removed itself.
Status remove_linked_tablespaces(const std::string& data_dir);
// Removes the directories of any version: in a place that was empty when a copy of ours began.
Status clear_tablespace(const std::string& tablespace);
// It does not exist, or nothing is in it.
bool may_be_filled(const std::string& tablespace);
// Where pg_basebackup with these options puts what the source has in `location` (--tablespace-mapping).
std::string mapped_tablespace(const std::string& location, const std::vector<std::string>& options);

}  // namespace pgherd::postgres
