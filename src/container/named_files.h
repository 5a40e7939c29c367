// Variables whose value is in a file: POSTGRES_DB_FILE=/run/secrets/db instead of POSTGRES_DB=shop.
#pragma once

#include "container/settings.h"

namespace pgherd::container {

// Puts the files' contents in place, without the line ends at their end. POSTGRES_PASSWORD_FILE stays what it
// is: that file is read again whenever it changes. Errors: both are set, the file cannot be read.
Result<Environment> read_named_files(Environment environment);

}  // namespace pgherd::container
