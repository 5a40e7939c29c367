// What a new cluster gets once: a database of the user's own, and the scripts of a directory, in the order of
// their names: *.sh is run, *.sql, *.sql.gz and *.sql.xz are given to psql. The rules are those of the
// `postgres` image. The agent runs this as its `post_bootstrap`; when it fails, the new cluster is thrown
// away.
#pragma once

#include <string>

#include "base/result.h"

namespace pgherd::container {

struct FirstDatabase {
    std::string connection;  // of the superuser to database postgres, as psql takes it
    std::string superuser;
    std::string database;     // empty or "postgres" = none of its own
    std::string scripts_dir;  // may be missing
};
Status create_first_database(const FirstDatabase& wanted);

}  // namespace pgherd::container
