"""The store that the settings name."""

from __future__ import annotations

from urllib.parse import urlsplit

from stream.broker.topics import Topics
from stream.errors import SettingsError
from stream.settings import RedisSettings, Settings
from stream.store.redis import RedisStore


def connect(settings: Settings) -> RedisStore:
    """The store of the settings' namespace, to be closed; nothing is asked of Redis yet."""
    redis = settings.redis
    try:
        return RedisStore(
            redis.url.get_secret_value(),
            Topics(settings.namespace).space,
            cluster=redis.cluster,
            timeout=redis.timeout_seconds,
        )
    except ValueError:
        raise SettingsError(
            "redis.url: expected redis://, rediss:// or unix:// with a host and a port, it is something else",
            "set BANDSHIFT_REDIS__URL, for example to redis://127.0.0.1:6379/0",
        ) from None


def address(redis: RedisSettings) -> str:
    """Where Redis is, without name and password."""
    url = redis.url.get_secret_value()
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(no address)"
    return f"{parts.scheme}://{host}{parts.path}"
