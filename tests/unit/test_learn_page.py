"""The settings that docs/how-to/learn.md shows are taken, and are the usual ones."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from stream.settings import LearningSettings, Settings

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "learn.md"


def test_the_settings_shown_are_the_usual_ones() -> None:
    """Every setting of learning is shown, with its default; the outcome's stages are the default too."""
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found = tomllib.loads(shown)
    assert found["learning"] == LearningSettings().model_dump()
    settings = Settings(**found)
    (outcome,) = settings.outcomes
    assert outcome.model_copy(update={"stages": None}).stage_ends == outcome.stages
