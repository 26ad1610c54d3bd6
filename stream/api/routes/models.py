"""Models: what is known of them, and how well they do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from stream.api import model_answers
from stream.api.model_answers import Models, ModelView
from stream.api.parts import Parts
from stream.api.problems import Problem
from stream.api.routes.customers import place_of


def router(parts: Parts) -> APIRouter:
    """The routes about models."""
    made = APIRouter(prefix="/v1/models", tags=["models"])

    @made.get("", summary="Models of all outcomes")
    async def models() -> Models:
        """Per outcome: versions in force and published, what they have learned from, and their log-loss."""
        ledgers, learned = parts.watch.ledgers, parts.models.learned
        return Models(
            models=tuple(
                model_answers.info(outcome, learned[outcome.name], ledgers)
                for outcome in parts.watch.pipeline.outcomes
            )
        )

    @made.get(
        "/{outcome}",
        summary="How well an outcome's model does",
        responses={404: {"model": Problem, "description": "There is no such outcome"}},
    )
    async def model(outcome: Annotated[str, Path(examples=["purchase"])]) -> ModelView:
        """Log-loss over log time, reliability, observed rate per band, drift, versions and events.

        As of the latest version. What is not known yet is null or empty: until something has been learned,
        the prior decides.
        """
        found = parts.watch.pipeline.outcomes[place_of(parts, outcome)]
        return model_answers.view(found, parts.models.learned[outcome], parts.watch.ledgers)

    return made
