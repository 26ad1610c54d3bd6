"""Every setting with its value, and where the value came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, SecretStr
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from stream.settings import RedisSettings, Settings, config_file
from stream.store.connect import address

HIDDEN: Final = "(secret)"


class Value(NamedTuple):
    """A setting, its value as text, and its source; secrets are not shown."""

    name: str
    value: str
    source: str


def values(settings: Settings, *, given: bool) -> list[Value]:
    """All settings. `given`: the namespace came with the command."""
    file = config_file()
    sources: list[tuple[str, Mapping[str, Any]]] = [
        ("environment", EnvSettingsSource(Settings)()),
        (str(file), TomlConfigSettingsSource(Settings, file)() if file else {}),
    ]
    if given:
        sources.insert(0, ("option", {"namespace": settings.namespace}))
    return list(_walk(settings, (), sources))


def _walk(
    part: BaseModel, path: tuple[str, ...], sources: list[tuple[str, Mapping[str, Any]]]
) -> Iterator[Value]:
    for name in type(part).model_fields:
        value, place = getattr(part, name), (*path, name)
        if isinstance(value, BaseModel):
            yield from _walk(value, place, sources)
            continue
        source = next((label for label, found in sources if _has(found, place)), "default")
        yield Value(".".join(place), _text(part, name, value), source)


def _has(found: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return False
        found = found[name]
    return True


def _text(part: BaseModel, name: str, value: Any) -> str:
    if isinstance(part, RedisSettings) and name == "url":
        return address(part)
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, tuple):
        return ", ".join(str(getattr(each, "name", each)) for each in value) or "-"
    return "-" if value is None or value == "" else str(value)
