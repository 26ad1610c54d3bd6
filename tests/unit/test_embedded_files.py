"""Where the embedded engines keep things, and on which ports they listen."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from stream.embedded.files import cache_directory, tail, write_private
from stream.embedded.identity import Identity, load_identity, new_password
from stream.embedded.ports import free_port, is_free
from stream.errors import EmbeddedError


def test_the_cache_is_where_the_user_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BANDSHIFT_CACHE comes first, then the user's cache directory, then .cache at home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("BANDSHIFT_CACHE", str(tmp_path / "named"))
    assert cache_directory() == tmp_path / "named"
    monkeypatch.delenv("BANDSHIFT_CACHE")
    assert cache_directory() == tmp_path / "xdg" / "bandshift"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == tmp_path / "home" / ".cache" / "bandshift"
    assert stat.S_IMODE(cache_directory().stat().st_mode) == 0o700


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    """A private file is readable by its owner only, also where a public one was before."""
    path = tmp_path / "secret"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_ports_and_password_are_kept(tmp_path: Path) -> None:
    """An identity reads as it was saved, none is None, and nonsense is an error naming the file."""
    path = tmp_path / "identity.json"
    assert load_identity(path) is None
    identity = Identity(ports=(1, 2), password=new_password())
    identity.save(path)
    assert load_identity(path) == identity
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(EmbeddedError, match=r"identity\.json"):
        load_identity(path)


def test_passwords_differ() -> None:
    """Every password is new and needs no quoting in a URL."""
    passwords = {new_password() for _ in range(50)}
    assert len(passwords) == 50
    assert all(word.replace("-", "").replace("_", "").isalnum() for word in passwords)


def test_free_ports_are_not_those_of_outgoing_connections() -> None:
    """A free port can be listened on, and lies below the range for outgoing connections."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    for _ in range(20):
        port = free_port()
        assert port < first
        with socket.create_server(("127.0.0.1", port)):
            assert not is_free(port)


def test_the_end_of_a_log(tmp_path: Path) -> None:
    """The end of a log is its last lines, and nothing where there is none."""
    path = tmp_path / "log"
    assert tail(path) == ""
    path.write_text("\n".join(map(str, range(10_000))), encoding="utf-8")
    assert tail(path, 2) == "9998\n9999"
