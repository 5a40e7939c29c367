// The store's records: one input stands at every key, as whoever has the store's password can write anything.
#include "codec/records.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace pgherd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string value(reinterpret_cast<const char*>(data), size);
    std::map<std::string, StoredRecord> records;
    for (const char* key : {"leader", "members/a", "members/b", "config", "failover", "sync", "status",
                            "optime/leader", "history", "failsafe", "initialize", "timeline"})
        records[key] = {value, Revision(7), LeaseId(0)};
    static_cast<void>(parse_cluster(Revision(7), records));
    if (const auto member = parse_member(MemberName("a"), value)) {
        if (!parse_member(MemberName("a"), write_member(*member))) std::abort();
    }
    if (const auto sync = parse_sync(value)) {
        if (!parse_sync(write_sync(*sync))) std::abort();
    }
    if (const auto status = parse_status(value)) {
        if (!parse_status(write_status(*status))) std::abort();
    }
    if (const auto request = parse_failover(value)) static_cast<void>(write_failover(*request));
    if (const auto history = parse_history(value)) {
        if (!parse_history(write_history(*history))) std::abort();
    }
    if (const auto claim = parse_timeline(value)) {
        if (!parse_timeline(write_timeline(*claim))) std::abort();
    }
    return 0;
}
