"""Patroni from PyPI in a virtual environment, as a program to compare with and as `patronictl` for the tests."""
import os
import subprocess

from . import paths

VERSION = "4.1.5"


def environment():
    """The bin directory of the virtual environment, made on first use."""
    directory = os.path.join(paths.ROOT, "build", f"patroni-{VERSION}")
    marker = os.path.join(directory, "complete")
    if not os.path.exists(marker):
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", directory], check=True)
        subprocess.run([os.path.join(directory, "bin", "pip"), "install", "--quiet", f"patroni[etcd3]=={VERSION}", "psycopg2-binary"],
                       check=True)
        open(marker, "w").close()
    return os.path.join(directory, "bin")


def agent():
    return [os.path.join(environment(), "patroni")]


def patronictl():
    return [os.path.join(environment(), "patronictl")]
