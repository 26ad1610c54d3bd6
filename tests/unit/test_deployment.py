"""docker-compose.yml and Dockerfile: what they name exists, and they keep what they promise.

There need be no container engine: podman-compose works out the file as it would run, and the
schema of the Compose specification says whether each key is known.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, cast

import click
import pytest
import yaml
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
SECRETS = {
    "BANDSHIFT_CONTROL_KEY": "c0" * 32,
    "BANDSHIFT_REDIS_PASSWORD": "ab" * 32,
    "BANDSHIFT_API_TOKEN": "7e" * 32,
}
OWN_SERVICES = ("topics", "worker", "learner", "api")
LONG_RUNNING = ("kafka", "redis", "worker", "learner", "api")
COMPUTING = ("worker", "learner")

Service = dict[str, Any]


def compose_config(
    folder: Path, secrets: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    """Run `podman-compose config` on the project's file, knowing only `secrets`."""
    # podman-compose asks podman for its version before anything else, and for nothing more here.
    podman = folder / "podman"
    podman.write_text("#!/bin/sh\necho podman version 5.0.0\n", encoding="utf-8")
    podman.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    environment |= secrets | {"PATH": f"{folder}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "podman_compose", "--file", str(COMPOSE_FILE), "config"]
    return subprocess.run(
        [*command, *options], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Service]:
    """Every service as it would run: anchors merged, variables filled in."""
    result = compose_config(tmp_path_factory.mktemp("bin"), SECRETS)
    assert result.returncode == 0, result.stderr
    return cast("dict[str, Service]", yaml.safe_load(result.stdout)["services"])


def raw_services() -> dict[str, Service]:
    """Every service as it is written, variables not filled in."""
    return cast(
        "dict[str, Service]", yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]
    )


def bandshift_calls(service: Service) -> list[list[str]]:
    """The arguments of each `bandshift` call that a service makes: its command and health check."""
    calls = [[str(word) for word in service["command"]]]
    check = [str(word) for word in service.get("healthcheck", {}).get("test", [])]
    if check[1:2] == ["bandshift"]:
        calls.append(check[2:])
    return calls


def settings_of(service: Service) -> dict[str, str]:
    """The BANDSHIFT_ variables that a service is given."""
    environment = service.get("environment", {})
    return {name: value for name, value in environment.items() if name.startswith("BANDSHIFT_")}


def has_setting(model: type[BaseModel], path: list[str]) -> bool:
    """Whether a chain of field names leads through nested models to a field."""
    field = model.model_fields.get(path[0])
    if field is None or len(path) == 1:
        return field is not None
    nested = field.annotation
    return (
        isinstance(nested, type) and issubclass(nested, BaseModel) and has_setting(nested, path[1:])
    )


def test_the_compose_file_obeys_the_compose_specification() -> None:
    """Every key of docker-compose.yml is one that the Compose specification knows."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    result = subprocess.run(
        [*command, str(COMPOSE_FILE)], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("missing", SECRETS)
def test_compose_refuses_to_start_without_a_secret(tmp_path: Path, missing: str) -> None:
    """A secret that is not set stops compose, and the message names it."""
    secrets = {name: value for name, value in SECRETS.items() if name != missing}

    result = compose_config(tmp_path, secrets)

    assert result.returncode != 0
    assert missing in result.stderr


def test_every_command_exists(services: dict[str, Service]) -> None:
    """Every `bandshift` command and option in the compose file is one that the CLI has."""
    from stream.cli import main

    group: click.Group = main
    for name in OWN_SERVICES:
        for command, *options in bandshift_calls(services[name]):
            found = group.get_command(click.Context(group), command)
            assert found is not None, f"{name}: bandshift has no command {command!r}"
            known = {option for parameter in found.params for option in parameter.opts}
            assert set(options) <= known, f"{name}: bandshift {command} knows only {known}"


def test_every_setting_exists() -> None:
    """Every BANDSHIFT_ variable that a service is given is a setting."""
    from stream.settings import Settings

    for name in OWN_SERVICES:
        given = settings_of(raw_services()[name])
        assert given, f"{name} is given no setting"
        for variable in given:
            path = variable.removeprefix("BANDSHIFT_").lower().split("__")
            assert has_setting(Settings, path), f"{name}: there is no setting {variable}"


@pytest.mark.parametrize("name", OWN_SERVICES)
def test_the_settings_of_each_service_are_valid(
    name: str, services: dict[str, Service], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a service is given loads as settings, values included."""
    from stream.settings import Settings

    monkeypatch.chdir(tmp_path)  # away from any settings file
    for variable in [key for key in os.environ if key.startswith("BANDSHIFT_")]:
        monkeypatch.delenv(variable)
    for variable, value in settings_of(services[name]).items():
        monkeypatch.setenv(variable, str(value))

    assert isinstance(Settings(), BaseModel)


def test_no_secret_is_written_down() -> None:
    """Whatever is named like a secret, or is an address with a password, comes from outside."""
    for name, service in raw_services().items():
        for variable, value in service.get("environment", {}).items():
            secret = re.search(r"KEY|TOKEN|PASSWORD|AUTH|SECRET", variable)
            if secret or re.search(r"://[^/]*:[^/]*@", str(value)):
                assert re.search(r"\$\{BANDSHIFT_\w+:\?", str(value)), f"{name}: {variable}"


def test_only_loopback_is_published(services: dict[str, Service]) -> None:
    """No port of the host is open to another machine."""
    published = [port for service in services.values() for port in service.get("ports", [])]

    assert published
    assert all(str(port).startswith("127.0.0.1:") for port in published), published


def test_two_workers_run(services: dict[str, Service]) -> None:
    """Two workers share the partitions."""
    assert services["worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_services_look_after_themselves(name: str, services: dict[str, Service]) -> None:
    """What runs for long has a health check, comes back by itself and is given time to stop."""
    service = services[name]

    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert service["stop_grace_period"]


@pytest.mark.parametrize("name", COMPUTING)
def test_workers_and_learner_are_healthy_by_their_own_heartbeat(
    name: str, services: dict[str, Service]
) -> None:
    """The health check looks at the very file that the program is told to touch."""
    service = services[name]

    heartbeat = service["environment"]["BANDSHIFT_WORKER__HEARTBEAT_FILE"]
    assert heartbeat in service["healthcheck"]["test"][1]
    assert heartbeat.startswith("/tmp/")  # the only folder that it can write to
    assert "/tmp" in service["tmpfs"]


@pytest.mark.parametrize("name", COMPUTING)
def test_the_algebra_starts_no_threads(name: str, services: dict[str, Service]) -> None:
    """Workers and learner compute in one thread each, and leave the other cores to their neighbours."""
    assert services[name]["environment"]["OPENBLAS_NUM_THREADS"] == "1"


def test_one_learner_runs_as_hard_to_harm_as_a_worker(services: dict[str, Service]) -> None:
    """One learner runs, in a container that is closed as a worker's is, with the same connections."""
    worker, learner = services["worker"], services["learner"]

    assert learner["command"] == ["learner"]
    assert learner.get("deploy", {}).get("replicas", 1) == 1
    for key in ("read_only", "cap_drop", "security_opt", "tmpfs", "restart", "environment"):
        assert learner[key] == worker[key], key


def test_topics_are_made_once_before_anyone_uses_them(services: dict[str, Service]) -> None:
    """Workers, learner and API wait until the one-shot service has made the topics."""
    assert services["topics"]["restart"] == "no"
    for name in ("worker", "learner", "api"):
        condition = services[name]["depends_on"]["topics"]["condition"]
        assert condition == "service_completed_successfully"


def test_redis_keeps_everything(services: dict[str, Service]) -> None:
    """Redis writes an append-only file to a volume and never evicts a customer."""
    command = " ".join(services["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "redis-data:/data" in services["redis"]["volumes"]


def dockerfile() -> list[tuple[str, list[str]]]:
    """The Dockerfile's instructions with their words."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return [(words[0], words[1:]) for words in lines]


def test_every_file_that_the_image_needs_exists() -> None:
    """What the Dockerfile copies is in the tree, and .dockerignore lets it in."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    copies = [words for instruction, words in dockerfile() if instruction == "COPY"]
    sources = [
        word for words in copies for word in words[:-1] if not words[0].startswith("--from=")
    ]

    assert sources
    for source in sources:
        assert (ROOT / source).exists(), f"the Dockerfile copies {source}"
        assert any(fnmatch(source, rule) for rule in let_in), f".dockerignore keeps out {source}"


def test_the_image_installs_checked_files_and_runs_as_nobody_in_particular() -> None:
    """Packages are checked by their hashes, and the last user of the image is not root."""
    installs = [" ".join(words) for name, words in dockerfile() if name == "RUN" and "-r" in words]
    users = [words[0] for instruction, words in dockerfile() if instruction == "USER"]

    assert installs
    assert all("--require-hashes" in install for install in installs)
    assert users[-1] not in {"root", "0"}


def test_the_image_has_the_version_of_the_project(services: dict[str, Service]) -> None:
    """The tag of the image is the version in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    for name in OWN_SERVICES:
        assert services[name]["image"] == f"{project['name']}:{project['version']}"
