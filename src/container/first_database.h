// What a new cluster gets once: a database of the user's own, and the scripts of a directory, in the order of
// their names: *.sh is run, by bash where it is not executable; *.sql, *.sql.gz, *.sql.xz and *.sql.zst are
// given to psql. The rules are those of the `postgres` image but for one: there a script that is not
// executable is sourced, so that what it exports reaches the next. The agent runs this as its
// `post_bootstrap`; when it fails, the new cluster is thrown away.
#pragma once

#include <string>

#include "base/result.h"

namespace pgherd::container {

struct FirstDatabase {
    std::string connection;  // of the superuser to database postgres, as psql takes it
    std::string superuser;
    std::string database;     // empty = postgres; one that every cluster has is not made
    std::string scripts_dir;  // may be missing
    std::string data_dir;     // for scripts that look into it
};
Status create_first_database(const FirstDatabase& wanted);

}  // namespace pgherd::container
