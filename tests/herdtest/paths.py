"""Where things are. The program under test: $PGHERD, or the release build of this checkout."""
import glob
import os
import shutil

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PGHERD = os.environ.get("PGHERD", os.path.join(ROOT, "build", "release", "pgherd"))


def postgres_bin():
    versions = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
    if not versions:
        raise RuntimeError("PostgreSQL is not installed: ./dev install")
    return versions[-1]


def etcd_binary():
    return shutil.which("etcd") or "/usr/bin/etcd"
