"""The command line: files that are pushed, pulled, listed, made and removed."""
import os
import re
import stat


def test_push_and_pull_carry_any_file_with_its_mode(daemon):
    local, remote, back = daemon.path("local"), f"{daemon.scratch}/sub/remote", daemon.path("back")
    content = os.urandom(5_000_000) + b"\r\n--"
    with open(local, "wb") as file:
        file.write(content)
    os.chmod(local, 0o751)
    assert daemon.run("push", local, remote, check=1).stderr.startswith("error: open ")
    daemon.run("push", "-p", local, remote, check=0)
    assert stat.S_IMODE(os.stat(remote).st_mode) == 0o751
    daemon.run("pull", remote, back, check=0)
    with open(back, "rb") as file:
        assert file.read() == content
    daemon.run("push", "-m", "600", "--user", "nobody", "--group", "nogroup", local, remote, check=0)
    assert (stat.S_IMODE(os.stat(remote).st_mode), os.stat(remote).st_uid) == (0o600, 65534)


def test_a_pull_of_nothing_leaves_the_local_file_alone(daemon):
    back = daemon.path("back")
    with open(back, "w") as file:
        file.write("old")
    done = daemon.run("pull", f"{daemon.scratch}/nope", back, check=1)
    assert done.stderr == f"error: open {daemon.scratch}/nope: no such file or directory\n"
    with open(back) as file:
        assert file.read() == "old"


def test_an_empty_file_is_pushed_and_pulled(daemon):
    open(daemon.path("empty"), "w").close()
    daemon.run("push", daemon.path("empty"), f"{daemon.scratch}/empty", check=0)
    daemon.run("pull", f"{daemon.scratch}/empty", daemon.path("back"), check=0)
    assert os.path.getsize(daemon.path("back")) == 0


def test_ls_lists_names_and_everything_on_request(daemon):
    daemon.run("mkdir", "-m", "750", f"{daemon.scratch}/dir", check=0)
    with open(f"{daemon.scratch}/file.txt", "w") as file:
        file.write("1234")
    os.chmod(f"{daemon.scratch}/file.txt", 0o644)
    assert daemon.run("ls", daemon.scratch, check=0).stdout == "dir\nfile.txt\n"
    assert daemon.run("ls", f"{daemon.scratch}/*.txt", check=0).stdout == "file.txt\n"
    long = daemon.run("ls", "-l", daemon.scratch, check=0).stdout.splitlines()
    assert re.fullmatch(r"drwxr-x---  root  root  -    today at \d\d:\d\d UTC  dir", long[0]), long[0]
    assert re.fullmatch(r"-rw-r--r--  root  root  4B   today at \d\d:\d\d UTC  file.txt", long[1]), long[1]
    assert daemon.run("ls", "-d", daemon.scratch, check=0).stdout == f"{daemon.scratch}\n"
    assert daemon.run("ls", f"{daemon.scratch}/nope", check=1).stderr == f"error: stat {daemon.scratch}/nope: no such file or directory\n"


def test_mkdir_and_rm_do_what_they_are_told(daemon):
    daemon.run("mkdir", f"{daemon.scratch}/a/b", check=1)
    daemon.run("mkdir", "-p", f"{daemon.scratch}/a/b", check=0)
    daemon.run("mkdir", "-p", f"{daemon.scratch}/a/b", check=0)
    daemon.run("rm", f"{daemon.scratch}/a", check=1)
    daemon.run("rm", "-r", f"{daemon.scratch}/a", check=0)
    assert not os.path.exists(f"{daemon.scratch}/a")
