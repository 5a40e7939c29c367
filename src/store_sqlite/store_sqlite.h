// The store on an SQLite file that several processes of one machine share.
//
// Durable: a confirmed write is on disk (WAL, synchronous=FULL). Leases count on CLOCK_BOOTTIME and end with
// a reboot. Changes by other processes arrive as file events; nothing polls faster than once a second. All
// users of one file run as the same user (the file is created with mode 0600) and in one time namespace.
#pragma once

#include <memory>
#include <string>

#include "eventloop/loop.h"
#include "ports/store.h"

namespace pgherd {

// Opens the file, or creates it; its directory must exist. Blocks for 5 s at the most. Errors: invalid (the
// directory does not exist, not a database, a database of another program), denied, timeout (locked),
// unavailable (disk full, …). The loop outlives the store.
Result<std::unique_ptr<Store>> open_sqlite_store(EventLoop& loop, const std::string& path);

}  // namespace pgherd
