"""Where what takes long to make is kept: outside the checkout, so that every clone shares it.

A folder there is named by a hash of what it was made from, is made beside and renamed when whole, so that it is there entirely
or not at all."""
import contextlib
import fcntl
import hashlib
import os
import shutil

ROOT = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pgherd")
KUBE = os.path.join(ROOT, "kube")


def digest(*parts):
    """A short name for what `parts` (texts or bytes) say."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(b"%d " % len(data) + data)
    return whole.hexdigest()[:16]


def digest_files(*folders):
    parts = []
    for folder in folders:
        for path, folders_below, files in os.walk(folder):
            folders_below.sort()
            for name in sorted(files):
                with open(os.path.join(path, name), "rb") as file:
                    parts += [os.path.relpath(os.path.join(path, name), folder), file.read()]
    return digest(*parts)


@contextlib.contextmanager
def locked(name):
    """One process at a time makes a thing; the others wait and find it."""
    os.makedirs(KUBE, exist_ok=True)
    with open(os.path.join(KUBE, f"{name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def folder(kind, key, make, keep=2):
    """The folder `kind`/`key`, made by make(path) when it is missing. Of each kind the `keep` youngest stay."""
    place = os.path.join(KUBE, kind)
    path = os.path.join(place, key)
    if not os.path.isdir(path):
        with locked(kind):
            if not os.path.isdir(path):
                unfinished = f"{path}.unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                os.makedirs(unfinished)
                make(unfinished)
                os.rename(unfinished, path)
                _forget_old(place, keep)
    return path


def _forget_old(place, keep):
    def age(name):
        return os.stat(os.path.join(place, name)).st_mtime
    for name in sorted(os.listdir(place), key=age, reverse=True)[keep:]:
        shutil.rmtree(os.path.join(place, name), ignore_errors=True)
