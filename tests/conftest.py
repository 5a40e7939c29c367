import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from herdtest import paths  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a minute")


@pytest.fixture(scope="session", autouse=True)
def program():
    if not os.path.exists(paths.PGHERD):
        pytest.exit(f"{paths.PGHERD} is missing: ./dev build", returncode=2)
    if os.geteuid() != 0:
        pytest.exit("these tests make network namespaces and need root", returncode=2)
    return paths.PGHERD
