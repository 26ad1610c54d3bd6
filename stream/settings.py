"""Settings: from the environment (`BANDSHIFT_...`) and one TOML file, in this order of precedence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas.bands import Band
from schemas.decisions import Decisions
from schemas.learning import Learning
from schemas.outcomes import Outcome
from schemas.rules import Rule
from schemas.types import TouchpointType, TypeRegistry
from stream.errors import SettingsError

CONFIG_VARIABLE = "BANDSHIFT_CONFIG"
DEFAULT_FILE = "bandshift.toml"

DEFAULT_OUTCOMES: tuple[Outcome, ...] = (
    Outcome(name="purchase", horizon_days=7, base_rate=0.05, cuts=(0.05, 0.15, 0.35, 0.65)),
    Outcome(
        name="coupon",
        horizon_days=28,
        types=("coupon_redeemed",),
        base_rate=0.01,
        cuts=(0.01, 0.03, 0.08, 0.2),
    ),
    Outcome(
        name="churn", horizon_days=28, kind="absence", base_rate=0.8, cuts=(0.05, 0.15, 0.35, 0.65)
    ),
)
DEFAULT_RULES: tuple[Rule, ...] = (
    Rule(name="win-back", outcome="churn", band=Band.HIGH, direction="up", cooldown_hours=168),
    Rule(
        name="ask-for-referral",
        outcome="purchase",
        band=Band.VERY_HIGH,
        direction="up",
        cooldown_hours=720,
    ),
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(_Part):
    """Where Kafka is and how to log in."""

    bootstrap: str = "127.0.0.1:9092"
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 8
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    timeout_seconds: Annotated[float, Field(gt=0)] = 15.0


class RedisSettings(_Part):
    """Where Redis (or Redis Cluster) is; the password is part of the URL."""

    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    cluster: bool = False
    timeout_seconds: Annotated[float, Field(gt=0)] = 5.0


class ControlSettings(_Part):
    """The key that signs control records: the same for all workers and programs of a deployment."""

    key: SecretStr | None = None


class ApiSettings(_Part):
    """The HTTP API and page. On any other address than loopback a token is required."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    token: SecretStr | None = None
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1 << 20
    max_items: Annotated[int, Field(ge=1)] = 1_000
    max_streams: Annotated[int, Field(ge=1)] = 200
    view: Path = Path("var/view.sqlite3")
    """Where the API keeps its own view of bands and their history."""


class WorkerSettings(_Part):
    """How a worker goes about its work."""

    step_records: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """The most records of one step; a step ends earlier at 500 customers or 4 MiB of outputs."""
    gather_ms: Annotated[int, Field(ge=0, le=1000)] = 4
    """How long a small poll waits for more: fewer, larger steps for a little latency."""
    cached_customers: Annotated[int, Field(ge=0)] = 50_000
    session_seconds: Annotated[float, Field(ge=6)] = 6.0
    commit_seconds: Annotated[float, Field(gt=0)] = 1.0
    step_seconds: Annotated[float, Field(gt=0)] = 30.0
    """A step that takes longer is given up, and the partition taken over again."""
    delivery: Literal["at_least_once", "exactly_once"] = "at_least_once"
    """Exactly once: outputs and offsets are one Kafka transaction per step; the same for all workers."""
    stuck_seconds: Annotated[float, Field(ge=10)] = 120.0
    """A partition that stands still for so long, with records at hand and no reason, ends the worker."""
    heartbeat_file: Path | None = None
    ready_file: Path | None = None
    """There while all of the worker's partitions get on; gone while one waits for Redis or Kafka."""
    accept_loss: bool = False
    """Go on where the log has lost records that the states lack, for good; else a worker refuses."""
    silence: bool = True


class LearningSettings(Learning):
    """Whether and how a deployment learns."""

    enabled: bool = True
    """Before a log goes live its workers keep step with the learner, and wait where none runs."""

    @property
    def decided(self) -> Learning | None:
        """The part that decides; None where nothing is learned."""
        return Learning(**self.model_dump(exclude={"enabled"})) if self.enabled else None


class Settings(BaseSettings):
    """All settings of a deployment."""

    model_config = SettingsConfigDict(
        env_prefix="BANDSHIFT_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,40}$")] = ""
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    control: ControlSettings = ControlSettings()
    api: ApiSettings = ApiSettings()
    worker: WorkerSettings = WorkerSettings()
    learning: LearningSettings = LearningSettings()
    types: tuple[TouchpointType, ...] = ()
    """Touchpoint types beside the built-in ones."""
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1, max_length=16)] = DEFAULT_OUTCOMES
    rules: Annotated[tuple[Rule, ...], Field(max_length=255)] = DEFAULT_RULES

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed in, then the environment, then the file."""
        del dotenv_settings, file_secret_settings
        file = TomlConfigSettingsSource(settings_cls, config_file())
        return init_settings, env_settings, file

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = TypeRegistry(self.types)
        for outcome in self.outcomes:
            for name in outcome.types:
                if name not in known:
                    message = f"outcomes.{outcome.name}.types: expected a known touchpoint type, got {name!r}"
                    raise ValueError(message)
        names = [outcome.name for outcome in self.outcomes]
        for what, listed in (("outcomes", names), ("rules", [rule.name for rule in self.rules])):
            if len(set(listed)) < len(listed):
                message = f"{what}: expected each name once, got {', '.join(listed)}"
                raise ValueError(message)
        for rule in self.rules:
            if rule.outcome not in names and "rules" in self.model_fields_set:
                message = f"rules.{rule.name}.outcome: expected one of {', '.join(names)}, got {rule.outcome!r}"
                raise ValueError(message)
        return self

    @property
    def registry(self) -> TypeRegistry:
        """All touchpoint types of this deployment."""
        return TypeRegistry(self.types)

    @property
    def decisions(self) -> Decisions:
        """What decides, as these settings have it."""
        return Decisions(
            types=self.types,
            outcomes=self.outcomes,
            rules=self.rules,
            learning=self.learning.decided,
        )

    def control_key(self) -> bytes:
        """The key that signs control records; SettingsError where none is set."""
        if self.control.key is None:
            raise SettingsError(
                "control.key: expected a secret that signs control records, none is set",
                "set BANDSHIFT_CONTROL__KEY to the same long random text for all programs of this deployment",
            )
        return self.control.key.get_secret_value().encode()


def config_file() -> Path | None:
    """The TOML file: the one named in BANDSHIFT_CONFIG, else bandshift.toml here if there is one."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"{CONFIG_VARIABLE}: expected a readable file, {named} is not")
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


def load(**given: Any) -> Settings:
    """The settings, or a SettingsError that names the first wrong one and what was expected."""
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(
            f"{where}: {message}" if where else message,
            f"look at the environment (BANDSHIFT_...) and at {config_file() or DEFAULT_FILE}",
        ) from None
    except ValueError as error:
        raise SettingsError(f"{config_file() or DEFAULT_FILE}: expected TOML, {error}") from None
