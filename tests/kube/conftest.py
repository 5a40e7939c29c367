"""One cluster of three nodes for all tests of a run, with the workload image on them. $KUBE_STATE names its state folder."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import agents  # noqa: E402
from testbed.cluster import Cluster  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = os.environ.get("KUBE_IMAGE", os.path.join(ROOT, "build", "image", "pgherd-15.tar"))
STATE = os.environ.get("KUBE_STATE", os.path.join(ROOT, "build", "kube-test"))


@pytest.fixture(scope="session")
def kube():
    if not os.path.exists(IMAGE):
        pytest.exit(f"{IMAGE} is missing: ./dev image", returncode=2)
    cluster = Cluster(STATE)
    try:
        cluster.start(nodes=3)
        cluster.load(IMAGE)
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def namespace(kube, request):
    """A namespace for the tests of one file."""
    name = request.module.__name__.rsplit(".", 1)[-1].replace("_", "-")
    kube.kubectl("create", "namespace", name)
    yield name
    # Its end takes a while, and nobody needs to wait for it.
    kube.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(autouse=True)
def healed(kube):
    """Whatever a test has broken works again afterwards, also when it failed."""
    yield
    kube.control_plane.slow_etcd(0)
    kube.control_plane.thaw_api()
    for node in kube.nodes:
        node.heal()
    if not kube.is_up():
        kube.control_plane.start_api()
    for node in kube.nodes:
        if not node.is_on():
            node.start()


_table = []


@pytest.fixture(scope="session")
def record_table():
    """record_table(what, gap, lost, seconds to full strength, note): a line of the table at the end."""
    def record(*line):
        _table.append(line)
    return record


def pytest_terminal_summary(terminalreporter):
    if not _table:
        return
    def number(value, form):
        return "" if value is None else format(value, form)
    terminalreporter.section(f"survival: {agents.AGENT}")
    rows = ["| fault | longest write gap, s | lost | to full strength, s | |", "| --- | ---: | ---: | ---: | --- |"]
    rows += [f"| {what} | {number(gap, '.2f')} | {number(lost, 'd')} | {number(whole, '.1f')} | {note} |"
             for what, gap, lost, whole, note in _table]
    for row in rows:
        terminalreporter.line(row)
    os.makedirs(os.path.join(ROOT, "build", "logs"), exist_ok=True)
    with open(os.path.join(ROOT, "build", "logs", f"survival-{agents.AGENT}.md"), "w") as file:
        file.write("\n".join(rows) + "\n")
