// Code that only the start of a program needs (initialization of libraries, configuration, first connections)
// stays mapped for good, because the kernel maps around every page that is touched: several megabytes in
// processes that then do little.
#pragma once

namespace pgherd {

// Unmaps the pages of all code. Those in use come back from the page cache at the next call into them. To be
// called once, when the start is over.
void drop_start_code();

}  // namespace pgherd
