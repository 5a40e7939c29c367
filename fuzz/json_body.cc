// JSON bodies of the API: every field that some endpoint reads, of every type, from any JSON.
#include "supervisor/json_body.h"

#include <cstdint>
#include <string_view>

#include "codec/json.h"
#include "supervise/identities.h"
#include "supervise/wire.h"

using namespace pgherd;

namespace {

void read_all(supervisor::JsonBody& body, int depth) {
    for (const char* key : {"action",      "services", "checks",   "label", "layer", "format", "command",
                            "environment", "timeout",  "user-id",  "files", "dirs",  "paths",  "path",
                            "permissions", "signal",   "name",     "type",  "key",   "data",   "repeat-after",
                            "identities",  "width",    "terminal", "resize"}) {
        static_cast<void>(body.text(key));
        static_cast<void>(body.flag(key));
        static_cast<void>(body.number(key));
        static_cast<void>(body.texts(key));
        static_cast<void>(body.text_map(key));
        if (depth > 0)
            for (supervisor::JsonBody& inner : body.objects(key)) read_all(inner, depth - 1);
    }
    static_cast<void>(body.status());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (auto body = supervisor::JsonBody::parse(text)) read_all(*body, 2);
    const auto object = parse_json_object(text);
    if (!object) return 0;
    if (const auto identities = supervise::parse_identities(*object)) {
        supervise::Identities all;
        if (all.replace(*identities) && !all.restore(all.with_secrets())) std::abort();
    }
    static_cast<void>(supervise::read_change(*object));
    static_cast<void>(supervise::read_task(*object));
    static_cast<void>(supervise::read_notice(*object));
    return 0;
}
