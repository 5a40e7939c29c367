"""The `ops` library from PyPI (Juju's client of Pebble) in a virtual environment, importable after `use()`."""
import glob
import os
import subprocess
import sys

from . import paths

VERSION = "3.9.0"


def environment():
    """The virtual environment, made on first use."""
    directory = os.path.join(paths.ROOT, "build", f"ops-{VERSION}")
    marker = os.path.join(directory, "complete")
    if not os.path.exists(marker):
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", directory], check=True)
        subprocess.run([os.path.join(directory, "bin", "pip"), "install", "--quiet", f"ops=={VERSION}"], check=True)
        open(marker, "w").close()
    return directory


def use():
    for directory in glob.glob(os.path.join(environment(), "lib", "python3*", "site-packages")):
        if directory not in sys.path:
            sys.path.append(directory)
