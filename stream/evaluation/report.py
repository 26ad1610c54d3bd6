"""report.md: the verdict first, then the figures behind it."""

from __future__ import annotations

from typing import Any, Final

from stream.evaluation.models import OTHERS, TITLES
from stream.evaluation.verdict import verdict

_PLOTS: Final = {
    "reliability.png": "Reliability: predicted against observed, by model",
    "log_loss.png": "Log-loss over log time, by model",
    "lift.png": "Lift by share of examples, by model",
    "bands.png": "Observed rate of each band and its bounds",
}

_SIGNS: Final = (
    "bandshift less the other, with 95 % intervals over customers. "
    "Below 0 is better in log-loss, above 0 in AUC."
)
_NONE: Final = "\N{EN DASH}"


def report(metrics: dict[str, Any]) -> str:
    """The report as Markdown, from the content of metrics.json."""
    parts = [
        f"# How well bandshift scores {metrics['log']}",
        _asked(metrics),
        "## Verdict",
        "\n".join(f"- {line}" for line in verdict(metrics)),
    ]
    if metrics["compared"]["examples"]:
        parts += [
            "## Models",
            _models(metrics),
            "Lower is better: log-loss, Brier, ECE. Higher is better: AUC, lift.",
            "## Differences",
            _SIGNS,
            _differences(metrics),
            "## Bands",
            _bands(metrics),
            _movement(metrics),
            "## Plots",
            *(f"![{what}]({name})" for name, what in _PLOTS.items()),
        ]
    parts += ["## How it was measured", _method(metrics)]
    return "\n\n".join(parts) + "\n"


def number(value: float | None, decimals: int = 4) -> str:
    """A figure, or a dash."""
    return _NONE if value is None else f"{value:.{decimals}f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    line = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, line, *rows])


def _asked(metrics: dict[str, Any]) -> str:
    least = f" of {metrics['min_value']:g} or more" if metrics["min_value"] is not None else ""
    return (
        f"Outcome *{metrics['outcome']}*: {', '.join(metrics['outcome_types'])}{least} within "
        f"{metrics['horizon_days']} days. The log runs from {metrics['began_at']} to {metrics['ended_at']}."
    )


def _models(metrics: dict[str, Any]) -> str:
    names = ("auc", "log_loss", "brier", "ece", "lift10")
    rows = [
        [
            TITLES[name],
            *(number(model[each], 2 if each == "lift10" else 4) for each in names),
            f"{model['n']:,}",
            f"{model['positives']:,}",
        ]
        for name, model in metrics["models"].items()
    ]
    head = ["model", "AUC", "log-loss", "Brier", "ECE", "lift at 10 %", "examples", "positives"]
    return table(head, rows)


def _differences(metrics: dict[str, Any]) -> str:
    def cell(each: dict[str, float | None]) -> str:
        if each["low"] is None:
            return number(each["mean"], 5)
        return f"{each['mean']:+.5f} [{each['low']:+.5f}, {each['high']:+.5f}]"

    found = metrics["differences"]
    rows = [[TITLES[n], cell(found[n]["log_loss"]), cell(found[n]["auc"])] for n in OTHERS]
    return table(["against", "log-loss", "AUC"], rows)


def _bands(metrics: dict[str, Any]) -> str:
    rows = []
    for band in metrics["bands"]:
        low, high = band["interval"]
        meets = {True: "yes", False: "no", None: _NONE}[band["inside"]]
        rows.append(
            [
                band["name"],
                f"{band['low']:g} to {band['high']:g}",
                number(band["predicted"]),
                number(band["observed"]),
                _NONE if low is None else f"{low:.4f} to {high:.4f}",
                f"{band['count']:,}",
                meets,
            ]
        )
    head = ["band", "bounds", "predicted", "observed", "95 % interval", "examples", "meets bounds"]
    return table(head, rows)


def _movement(metrics: dict[str, Any]) -> str:
    silent = metrics["share_in_silence"]
    return (
        f"Over the whole log a customer's band changed {number(metrics['band_changes_per_customer_year'], 2)} "
        f"times a year, {number(metrics['reversals_per_customer_year'], 2)} of them opposite to the one before; "
        + (
            "no band changed."
            if silent is None
            else f"{silent:.0%} of the changes fell in silence."
        )
    )


def _method(metrics: dict[str, Any]) -> str:
    settings = metrics["settings"]
    text = f"""
Every prediction was made when its example was opened, from what was known then; a label counts as known
{metrics["horizon_days"]} days (the horizon) and {metrics["grace_days"]} more (for late touchpoints) later, for every
model alike. Hyperparameters are fixed.
--
Models are compared on examples opened after {settings["positives_before_comparing"]} positives were known, whose own
label is known by the log's end.
--
Base rate: the share of positives among the known labels. Prior: the weights bandshift starts with. Recency: time since
the last occurrence, through a logistic regression refitted daily. RFM: quintiles renewed weekly, each cell with its
rate in the last half year of known labels, renewed daily and drawn towards the base rate as if by 20 examples. BG/NBD: maximum likelihood, refitted every
four weeks. LightGBM: 100 rounds, learning rate 0.05, 15 leaves of at least 50 examples, refitted daily on the same
features. River's LR: StandardScaler | LogisticRegression with its defaults, one step for each label.
--
AUC and lift are exact; equal scores count half, or in part. Log-loss is clipped at {settings["log_loss_clip"]:g}.
ECE: {settings["ece_bins"]} bins of equal mass, equal scores together.
--
Differences: bootstrap over customers, {settings["resamples"]} draws, the same for every model. Bands: Wilson's interval
at the number of independent examples that the customers are worth.
--
Perfect forecaster: labels drawn with exactly bandshift's probabilities, correlated within a customer as far as horizons
overlap; the 95th percentile of its calibration error is what chance alone explains.
"""
    lines = [" ".join(each.split()) for each in text.split("--")]
    return "\n".join(f"- {line}" for line in [*lines, *metrics["notes"]])
