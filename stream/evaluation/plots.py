"""The four plots of an evaluation, drawn from the content of metrics.json.

Models differ in marker and line style as well as in colour, for those who do not see the colours.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.errors import EvaluationError
from stream.evaluation.models import OURS, TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours of Okabe and Ito, which remain apart for all kinds of colour blindness.
_STYLES: Final[dict[str, tuple[str, str, Any]]] = {
    OURS: ("#000000", "o", "-"),
    "base_rate": ("#999999", "x", ":"),
    "prior": ("#E69F00", "v", "--"),
    "recency": ("#F0E442", "P", "-."),
    "rfm": ("#009E73", "s", "--"),
    "bg_nbd": ("#CC79A7", "D", "-."),
    "lightgbm": ("#D55E00", "^", "-"),
    "river_lr": ("#0072B2", "*", (0, (5, 1, 1, 1, 1, 1))),
}


def draw(metrics: dict[str, Any], directory: Path) -> list[str]:
    """Write the plots as PNG; returns the files' names. Raises EvaluationError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 -- never in a worker
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise EvaluationError(
            "The plots cannot be drawn: the package matplotlib is not installed.",
            hint='Install what the evaluation needs: pip install "bandshift[evaluate]"',
        ) from error
    plots: dict[str, Callable[[Axes, dict[str, Any]], None]] = {
        "reliability.png": _reliability,
        "log_loss.png": _log_loss,
        "lift.png": _lift,
        "bands.png": _bands,
    }
    for name, plot in plots.items():
        figure = Figure(figsize=(8, 5), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        plot(figure.add_subplot(), metrics)
        canvas.print_figure(directory / name, metadata={"Software": None})
    return list(plots)


def _line(axes: Axes, name: str, x: list[Any], y: list[Any]) -> None:
    colour, marker, line = _STYLES[name]
    axes.plot(
        x,
        y,
        color=colour,
        marker=marker,
        linestyle=line,
        markersize=5,
        markevery=max(1, len(x) // 15),
        linewidth=2.2 if name == OURS else 1.2,
        label=TITLES[name],
        # Ours lies on top.
        zorder=3 if name == OURS else 2,
    )


def _finish(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="small", ncols=2)


def _reliability(axes: Axes, metrics: dict[str, Any]) -> None:
    top = 0.0
    for name, points in metrics["curves"]["reliability"].items():
        predicted = [point["predicted"] for point in points]
        observed = [point["observed"] for point in points]
        top = max([top, *predicted, *observed])
        _line(axes, name, predicted, observed)
    top = top or 1.0
    axes.plot([0, top], [0, top], color="#444444", linewidth=0.8, label="perfect")
    _finish(axes, "Reliability: predicted against observed", "predicted", "observed rate")


def _log_loss(axes: Axes, metrics: dict[str, Any]) -> None:
    series = metrics["curves"]["log_loss"]
    at = [datetime.fromtimestamp(each, UTC) for each in series["at"]]
    for name in TITLES:
        if at:
            _line(axes, name, at, series[name])
    _finish(axes, "Log-loss over log time (lower is better)", "opened", "mean log-loss")
    if at:
        axes.tick_params(axis="x", rotation=30)


def _lift(axes: Axes, metrics: dict[str, Any]) -> None:
    lifts = metrics["curves"]["lift"]
    for name in TITLES:
        if all(each is not None for each in lifts[name]):
            _line(axes, name, [100 * share for share in lifts["share"]], lifts[name])
    _finish(axes, "Lift (higher is better)", "examples with the highest scores, %", "lift")


def _bands(axes: Axes, metrics: dict[str, Any]) -> None:
    bands = metrics["bands"]
    for place, band in enumerate(bands):
        low, high = band["low"], band["high"]
        axes.fill_between(
            [place - 0.4, place + 0.4],
            low,
            high,
            facecolor="#cfe3f2",
            edgecolor="#0072B2",
            hatch="//",
            linewidth=0.8,
            label="bounds of the band" if place == 0 else None,
        )
        if band["count"]:
            seen, (bottom, top) = band["observed"], band["interval"]
            error = [[max(0.0, seen - bottom)], [max(0.0, top - seen)]]
            axes.errorbar(
                [place], [seen], yerr=error, fmt="o", color="#000000", capsize=5, label=None
            )
        axes.annotate(f"n = {band['count']:,}", (place, 1.01), ha="center", fontsize="small")
    axes.errorbar([], [], yerr=[], fmt="o", color="#000000", label="observed rate, 95 % interval")
    axes.set_xticks(range(len(bands)), [band["name"] for band in bands])
    axes.set_ylim(0, 1.08)
    _finish(axes, "Bands: bounds and observed rate", "band when the example was opened", "rate")
