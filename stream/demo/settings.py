"""The settings of one demo run: nothing of the user's own configuration has a say in them."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.redis import EmbeddedRedis
from stream.settings import (
    ApiSettings,
    ControlSettings,
    KafkaSettings,
    LearningSettings,
    RedisSettings,
    Settings,
    WorkerSettings,
)

PARTITIONS: Final = 8
_HISTORY_HOURS: Final = 48
_LAG_HOURS: Final = 24
"""While the history comes in the worker waits for the learner: half as often as by default, and it has a day's
work of its own meanwhile."""
_PREFIX: Final = "BANDSHIFT_"


class DemoSettings(Settings):
    """Settings that come neither from the environment nor from a file."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed in, and nothing else."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def settings_for(kafka: EmbeddedKafka, redis: EmbeddedRedis, directory: Path) -> DemoSettings:
    """Settings that lead to these engines, with a control key that lives as long as this run.

    The API listens on any free port and keeps its view in `directory`.
    """
    return DemoSettings(
        kafka=KafkaSettings(
            bootstrap=kafka.bootstrap,
            security="SASL_PLAINTEXT",
            username=kafka.username,
            password=SecretStr(kafka.password),
            partitions=PARTITIONS,
        ),
        redis=RedisSettings(url=SecretStr(redis.url)),
        control=ControlSettings(key=SecretStr(secrets.token_urlsafe(32))),
        api=ApiSettings(port=0, view=directory / "view.sqlite3"),
        worker=WorkerSettings(),
        learning=LearningSettings(enabled=True, history_hours=_HISTORY_HOURS, lag_hours=_LAG_HOURS),
    )


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a program started by the demo finds these settings; it holds secrets."""
    kafka, control, learning = settings.kafka, settings.control, settings.learning
    return {
        f"{_PREFIX}KAFKA__BOOTSTRAP": kafka.bootstrap,
        f"{_PREFIX}KAFKA__SECURITY": kafka.security,
        f"{_PREFIX}KAFKA__USERNAME": kafka.username or "",
        f"{_PREFIX}KAFKA__PASSWORD": kafka.password.get_secret_value() if kafka.password else "",
        f"{_PREFIX}KAFKA__PARTITIONS": str(kafka.partitions),
        f"{_PREFIX}REDIS__URL": settings.redis.url.get_secret_value(),
        f"{_PREFIX}CONTROL__KEY": control.key.get_secret_value() if control.key else "",
        f"{_PREFIX}API__HOST": settings.api.host,
        f"{_PREFIX}API__PORT": str(settings.api.port),
        f"{_PREFIX}API__VIEW": str(settings.api.view),
        f"{_PREFIX}LEARNING__ENABLED": str(learning.enabled).lower(),
        f"{_PREFIX}LEARNING__HISTORY_HOURS": str(learning.history_hours),
        f"{_PREFIX}LEARNING__LAG_HOURS": str(learning.lag_hours),
        # Their matrices are small: threads of the algebra would only take the cores from each other.
        "OPENBLAS_NUM_THREADS": "1",
    }
