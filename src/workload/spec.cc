#include "workload/spec.h"

namespace pgherd {

ClusterSpec local_cluster_defaults() {
    ClusterSpec cluster;
    cluster.dynamic_config = {
        {"ttl", 5},
        {"loop_wait", 1},
        {"retry_timeout", 1},
        {"postgresql", JsonObject{{"use_pg_rewind", true}, {"use_slots", true}}},
    };
    cluster.initdb = {"--encoding=UTF8", "--data-checksums"};
    return cluster;
}

}  // namespace pgherd
