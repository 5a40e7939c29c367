"""Files: push, pull, list, make, remove, and what goes over the wire below them."""
import io
import json
import os
import pwd
import stat

import pytest
from ops import pebble


@pytest.fixture
def place(daemon):
    return daemon.scratch


def read(*parts):
    with open(os.path.join(*parts), "rb") as file:
        return file.read()


def mode(*parts):
    return stat.S_IMODE(os.stat(os.path.join(*parts)).st_mode)


def test_text_is_pushed_and_pulled(client, place):
    client.push(f"{place}/hello", "grüße\n")
    assert read(place, "hello") == "grüße\n".encode()
    assert mode(place, "hello") == 0o644
    assert client.pull(f"{place}/hello").read() == "grüße\n"


def test_bytes_are_pushed_and_pulled_as_they_are(client, place):
    content = bytes(range(256)) * 300 + b"\r\n--no boundary\r\n"
    client.push(f"{place}/bytes", content)
    assert client.pull(f"{place}/bytes", encoding=None).read() == content


def test_an_empty_file_is_a_file(client, place):
    client.push(f"{place}/empty", b"")
    assert client.pull(f"{place}/empty", encoding=None).read() == b""


def test_a_stream_of_megabytes_arrives_whole(client, place):
    content = b"a line of some length, and again\n" * 250_000
    client.push(f"{place}/big", io.BytesIO(content))
    assert read(place, "big") == content
    assert client.pull(f"{place}/big", encoding=None).read() == content


def test_permissions_and_owner_are_set_whatever_the_umask(client, place):
    client.push(f"{place}/private", "x", permissions=0o777, user="nobody", group="nogroup")
    assert mode(place, "private") == 0o777
    owner = os.stat(f"{place}/private")
    assert (owner.st_uid, owner.st_gid) == (pwd.getpwnam("nobody").pw_uid, 65534)


def test_a_push_replaces_a_symlink_and_leaves_no_other_file(client, place):
    client.push(f"{place}/target", "old")
    os.symlink(f"{place}/target", f"{place}/link")
    client.push(f"{place}/link", "new")
    assert not os.path.islink(f"{place}/link")
    assert (read(place, "target"), read(place, "link")) == (b"old", b"new")
    assert sorted(os.listdir(place)) == ["link", "target"]


def test_parents_are_made_on_request_only(client, place):
    with pytest.raises(pebble.PathError) as caught:
        client.push(f"{place}/no/such/dir", "x")
    assert caught.value.kind == "not-found"
    assert caught.value.message.startswith(f"open {place}/no/such/dir.") and caught.value.message.endswith(": no such file or directory")
    client.push(f"{place}/no/such/dir", "x", make_dirs=True)
    assert read(place, "no/such/dir") == b"x"


def test_pulling_what_is_not_there_names_the_path(client, place):
    with pytest.raises(pebble.PathError) as caught:
        client.pull(f"{place}/nope")
    assert (caught.value.kind, caught.value.message) == ("not-found", f"open {place}/nope: no such file or directory")


def test_pulling_a_directory_is_an_error_of_that_path(client, place):
    with pytest.raises(pebble.PathError) as caught:
        client.pull(place)
    assert caught.value.kind == "generic-file-error"


@pytest.mark.parametrize("path", ["relative", ""])
def test_relative_paths_are_refused(daemon, client, path):
    with pytest.raises(pebble.PathError) as caught:
        client.push(path, "x")
    assert f'paths must be absolute, got "{path}"' in caught.value.message


def test_permissions_are_three_octal_digits(daemon, place):
    answer = daemon.post("/v1/files", {"action": "make-dirs", "dirs": [{"path": f"{place}/d", "permissions": "0755"}]})
    assert answer.status == 200
    assert answer.result[0]["error"]["message"] == 'permissions must be a 3-digit octal string, got "0755"'


def test_list_tells_all_about_each_entry_in_order(client, place):
    client.push(f"{place}/b.txt", "four")
    client.make_dir(f"{place}/a")
    os.symlink("b.txt", f"{place}/c")
    os.mkfifo(f"{place}/d")
    listed = client.list_files(place)
    assert [(each.name, each.type.value) for each in listed] == [
        ("a", "directory"), ("b.txt", "file"), ("c", "symlink"), ("d", "named-pipe")]
    file = listed[1]
    assert (file.path, file.size, file.permissions, file.user, file.user_id, file.group_id) == (
        f"{place}/b.txt", 4, 0o644, "root", 0, 0)
    assert listed[0].size is None and file.last_modified.year > 2000


def test_a_pattern_selects_names_and_itself_shows_the_directory(client, place):
    for name in ("one.txt", "two.txt", "three.dat"):
        client.push(f"{place}/{name}", "x")
    assert [each.name for each in client.list_files(place, pattern="*.t?t")] == ["one.txt", "two.txt"]
    itself, = client.list_files(place, itself=True)
    assert (itself.path, itself.type) == (place, pebble.FileType.DIRECTORY)
    assert [each.name for each in client.list_files(f"{place}/one.txt")] == ["one.txt"]


def test_listing_what_is_not_there_is_404_with_its_kind(daemon, client, place):
    with pytest.raises(pebble.APIError) as caught:
        client.list_files(f"{place}/nope")
    assert (caught.value.code, caught.value.message) == (404, f"stat {place}/nope: no such file or directory")
    assert caught.value.body["result"]["kind"] == "not-found"
    assert daemon.get("/v1/files?action=list&path=relative").status == 400
    assert daemon.get("/v1/files?action=list&path=/&pattern=[").status == 400


def test_directories_are_made_with_mode_owner_and_parents(client, place):
    client.make_dir(f"{place}/a/b/c", make_parents=True, permissions=0o750, user="nobody", group="nogroup")
    assert [mode(place, path) for path in ("a", "a/b", "a/b/c")] == [0o750] * 3
    assert os.stat(f"{place}/a").st_uid == 65534
    client.make_dir(f"{place}/a/b/c", make_parents=True)
    with pytest.raises(pebble.PathError) as caught:
        client.make_dir(f"{place}/a/b/c")
    assert caught.value.kind == "generic-file-error" and "file exists" in caught.value.message
    with pytest.raises(pebble.PathError) as caught:
        client.make_dir(f"{place}/x/y")
    assert caught.value.kind == "not-found"


def test_remove_takes_files_empty_directories_and_trees_on_request(client, place):
    client.push(f"{place}/tree/sub/file", "x", make_dirs=True)
    with pytest.raises(pebble.PathError) as caught:
        client.remove_path(f"{place}/tree")
    assert caught.value.kind == "generic-file-error"
    client.remove_path(f"{place}/tree/sub/file")
    client.remove_path(f"{place}/tree/sub")
    with pytest.raises(pebble.PathError) as caught:
        client.remove_path(f"{place}/tree/sub")
    assert caught.value.kind == "not-found"
    client.push(f"{place}/tree/sub/file", "x", make_dirs=True)
    client.remove_path(f"{place}/tree", recursive=True)
    client.remove_path(f"{place}/tree", recursive=True)
    assert not os.path.exists(f"{place}/tree")


def test_a_tree_is_removed_without_following_its_symlinks(client, place):
    client.push(f"{place}/keep/file", "x", make_dirs=True)
    client.make_dir(f"{place}/tree")
    os.symlink(f"{place}/keep", f"{place}/tree/link")
    client.remove_path(f"{place}/tree", recursive=True)
    assert os.path.exists(f"{place}/keep/file")


def test_one_of_several_paths_may_fail_alone(daemon, place):
    open(f"{place}/there", "w").close()
    answer = daemon.post("/v1/files", {"action": "remove", "paths": [{"path": f"{place}/nope"}, {"path": f"{place}/there"}]})
    assert answer.status == 200
    assert [("error" in item, item["path"]) for item in answer.result] == [(True, f"{place}/nope"), (False, f"{place}/there")]


# --- the wire -----------------------------------------------------------------------------------------------------------

def multipart(request, files, boundary="01234567890123456789012345678901"):
    body = f'--{boundary}\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name="request"\r\n\r\n'.encode()
    body += json.dumps(request).encode() + b"\r\n"
    for path, content in files:
        body += (f'--{boundary}\r\nContent-Type: application/octet-stream\r\n'
                 f'Content-Disposition: form-data; name="files"; filename="{path}"\r\n\r\n').encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f'multipart/form-data; boundary="{boundary}"'}


def write(daemon, paths, files, body_of=lambda body: body, **more):
    body, headers = multipart({"action": "write", "files": [{"path": path, **more} for path in paths]}, files)
    return daemon.request("POST", "/v1/files", body_of(body), headers=headers)


def test_many_files_are_written_in_one_request_each_with_its_result(daemon, place):
    good, bad = f"{place}/good", f"{place}/no/dir"
    answer = write(daemon, [good, bad], [(good, b"1"), (bad, b"2")])
    assert answer.status == 200
    assert [(item["path"], "error" in item) for item in answer.result] == [(good, False), (bad, True)]


def test_a_file_that_was_announced_but_not_sent_is_an_error(daemon, place):
    answer = write(daemon, [f"{place}/x"], [])
    assert "no file content for path" in json.dumps(answer.json)
    assert not os.path.exists(f"{place}/x")


def test_a_body_in_chunks_of_any_size_is_understood(daemon, place):
    answer = write(daemon, [f"{place}/x"], [(f"{place}/x", b"content\r\n--0123\r\n" * 50)],
                   lambda body: (body[at:at + 7] for at in range(0, len(body), 7)))
    assert answer.status == 200 and read(place, "x") == b"content\r\n--0123\r\n" * 50


def test_a_body_that_ends_too_early_leaves_the_old_file_and_no_rubbish(daemon, place):
    with open(f"{place}/x", "w") as file:
        file.write("old")
    answer = write(daemon, [f"{place}/x"], [(f"{place}/x", b"new" * 1000)], lambda body: body[:-1500])
    assert answer.status == 400 or "error" in answer.result[0]
    assert (read(place, "x"), os.listdir(place)) == (b"old", ["x"])


def test_names_with_quotes_and_backslashes_survive(daemon, place):
    name = f'{place}/we"ird\\name'
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    body, headers = multipart({"action": "write", "files": [{"path": name}]}, [(escaped, b"x")])
    assert daemon.request("POST", "/v1/files", body, headers=headers).result == [{"path": name}]
    assert read(name) == b"x"


def test_a_read_gives_parts_with_full_paths_and_the_results_last(daemon, place):
    for name in ("a", "b"):
        with open(f"{place}/{name}", "w") as file:
            file.write(name * 10)
    answer = daemon.get(f"/v1/files?action=read&path={place}/a&path={place}/nope&path={place}/b", headers={"Accept": "multipart/form-data"})
    assert answer.status == 200
    kind, _, boundary = answer.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/form-data" and answer.body.endswith(f"--{boundary}--\r\n".encode())
    parts = answer.body.split(f"--{boundary}".encode())[1:-1]
    assert [b'filename="%s/a"' % place.encode() in parts[0], b'filename="%s/b"' % place.encode() in parts[1]] == [True, True]
    assert b'name="response"' in parts[2]
    results = json.loads(parts[2].split(b"\r\n\r\n", 1)[1])
    assert results["type"] == "sync" and [item.get("error", {}).get("kind") for item in results["result"]] == [None, "not-found", None]


def test_a_read_must_say_that_it_accepts_multipart(daemon, place):
    assert daemon.get(f"/v1/files?action=read&path={place}").status == 400


@pytest.mark.parametrize("body", [{"action": "zz"}, {"action": "write"}, {}])
def test_an_unknown_file_action_is_refused(daemon, body):
    assert daemon.post("/v1/files", body).status == 400
    assert daemon.get("/v1/files?action=zz&path=/").status == 400
