"""A new cluster whose first attempt fails."""
import json
import os
import shutil

from herdtest.cluster import Cluster


def test_a_new_cluster_is_tried_again_and_nobody_spins_meanwhile():
    cluster = Cluster(store="sqlite", names=("a",))
    try:
        member = cluster["a"]
        tried = os.path.join(member.directory, "tried")
        with open(member.config_file) as file:
            config = json.load(file)
        script = os.path.join(member.directory, "post-bootstrap")
        with open(script, "w") as file:
            file.write(f"#!/bin/sh\necho >> {tried}\n[ $(wc -l < {tried}) -ge 2 ]\n")
        os.chmod(script, 0o755)
        config["bootstrap"]["post_bootstrap"] = script
        with open(member.config_file, "w") as file:
            json.dump(config, file)
        shutil.chown(member.config_file, "postgres", "postgres")
        member.start()
        cluster.wait_leader()
        with open(tried) as file:
            assert len(file.readlines()) == 2
        with open(member.log_file) as file:
            races = sum("race-to-initialize" in line for line in file)
        assert races <= 5, member.log()
    finally:
        cluster.close()
