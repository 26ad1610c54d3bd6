"""The machine that figures are taken on: which core is whose, and what stood on it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

_PACKAGES: Final = (
    "aiokafka",
    "confluent-kafka",
    "faust-streaming",
    "hiredis",
    "msgspec",
    "numpy",
    "pydantic",
    "quixstreams",
    "redis",
    "river",
)


@dataclass(frozen=True)
class Cores:
    """One core for whoever is measured; Kafka, Redis and the load on the others. Empty: no pinning."""

    measured: frozenset[int] = frozenset()
    rest: frozenset[int] = frozenset()

    @classmethod
    def split(cls) -> Cores:
        """The last core this process may use, and the ones before; no pinning where there is only one."""
        allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        if len(allowed) < 2:
            return cls()
        return cls(frozenset(allowed[-1:]), frozenset(allowed[:-1]))

    def keep_off(self) -> None:
        """Leave the measured core alone: this process and all it starts from now on."""
        if self.rest:
            os.sched_setaffinity(0, self.rest)

    def hand_over(self, pid: int) -> None:
        """Give a process that was just started the measured core, and no other."""
        if self.measured:
            os.sched_setaffinity(pid, self.measured)


def describe(cores: Cores, kafka: str, redis: str) -> dict[str, Any]:
    """The machine and the versions, for the results."""
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "measured_on_cores": sorted(cores.measured),
        "kafka_redis_load_on_cores": sorted(cores.rest),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load_average_at_start": [round(load, 2) for load in psutil.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "kafka": kafka,
        "redis_server": redis,
        "packages": {name: version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    """As /proc/cpuinfo names it; the platform's own word is often empty."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
