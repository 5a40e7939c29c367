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

ClusterSpec spread_cluster_defaults() {
    ClusterSpec cluster = local_cluster_defaults();
    cluster.dynamic_config["ttl"] = 8;
    cluster.dynamic_config["loop_wait"] = 2;
    cluster.dynamic_config["retry_timeout"] = 2;
    cluster.dynamic_config["synchronous_mode"] = "quorum";
    cluster.dynamic_config["failsafe_mode"] = true;
    return cluster;
}

}  // namespace pgherd
