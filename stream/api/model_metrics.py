"""What Prometheus is told of the models: figures as snapshots hold them, nothing computed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.api.model_answers import in_force
from stream.api.models import Models
from stream.partition.ledger import Ledger


class ModelCollector(Collector):
    """Collects from what has been read of the models. Labels are outcomes, partitions and names of models."""

    def __init__(self, models: Models, ledgers: Callable[[], Sequence[Ledger]]) -> None:
        self._models, self._ledgers = models, ledgers

    def collect(self) -> Iterator[Metric]:
        version = _gauge("version", "The highest published version; 0 is the prior")
        examples = _gauge("examples", "Examples of the latest version whose horizon has ended")
        positives = _gauge("positives", "Those in which the outcome's touchpoint came")
        ece = _gauge("ece", "Expected calibration error, bins of equal mass")
        loss = _gauge("log_loss", "Mean log-loss over all examples, as scored when opened", "model")
        stages = _gauge(
            "stage_log_loss",
            "Progressive, decayed log-loss per example, all stages: what promotion goes by",
            "model",
        )
        alarms = CounterMetricFamily(
            "bandshift_model_drift_alarms", "Alarms of drift", labels=["outcome"]
        )
        for name, found in self._models.learned.items():
            latest = found.latest
            version.add_metric([name], latest.version if latest else 0)
            examples.add_metric([name], latest.examples if latest else 0)
            positives.add_metric([name], latest.positives if latest else 0)
            alarms.add_metric([name], found.alarms)
            if latest is None:
                continue
            if latest.metrics.ece is not None:
                ece.add_metric([name], latest.metrics.ece)
            for model, value in latest.metrics.log_loss.model_dump(exclude_none=True).items():
                loss.add_metric([name, model], value)
            for model, value in latest.metrics.stage_log_loss.items():
                stages.add_metric([name, model], value)
        yield from (version, examples, positives, ece, loss, stages, alarms, self._in_force())

    def _in_force(self) -> GaugeMetricFamily:
        found = _gauge("version_in_force", "The version that decides; 0 is the prior", "partition")
        ledgers = self._ledgers()
        for name in self._models.learned:
            for partition, version in enumerate(in_force(name, ledgers)):
                found.add_metric([name, str(partition)], version)
        return found


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"bandshift_model_{name}", text, labels=["outcome", *labels])
