import pytest

from herdtest import ops
from herdtest.supervisor import Supervisor

ops.use()


@pytest.fixture
def make():
    """make(*words, layers=…, environment=…): a supervisor that has been started; all are gone after the test."""
    made = []

    def factory(*words, start=True, **options):
        made.append(Supervisor(*words, **options))
        return made[-1].start() if start else made[-1]
    yield factory
    for each in made:
        each.close()


@pytest.fixture
def daemon(make):
    return make()


@pytest.fixture
def client(daemon):
    return daemon.client()


@pytest.fixture
def two(daemon):
    """A supervisor with the services "a", which starts by itself, and "b c", which does not."""
    sleep = {"command": "sleep 600"}
    daemon.add(services={"a": {**sleep, "startup": "enabled"}, "b c": sleep})
    return daemon
