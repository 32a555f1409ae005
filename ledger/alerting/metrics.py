"""What a monitor has counted, for Prometheus: the official client writes the text, on 127.0.0.1 alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ledger.alerting.local import Local
from ledger.alerting.monitor import Tally
from ledger.errors import ConfigurationError, MissingExtra
from ledger.scoring import ONE
from ledger.spec import EPSILON_UNITS

if TYPE_CHECKING:
    from prometheus_client.core import Metric

HOST = "127.0.0.1"


class Collector:
    """Turns a tally into metrics when they are asked for."""

    def __init__(self, tally: Tally, runs: Mapping[int, str]) -> None:
        """Args: runs: names of tasks; those without one go by `task-N`."""
        self._tally, self._runs = tally, runs

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

        # Copies: the monitor goes on counting in another thread.
        tally = self._tally
        rounds = CounterMetricFamily("fedtrail_rounds", "Rounds that ended, by how.", labels=("run", "phase"))
        for (task_id, phase), count in list(tally.rounds.items()):
            rounds.add_metric((self._name(task_id), phase), count)
        alerts = CounterMetricFamily("fedtrail_alerts", "Alerts, by rule.", labels=("rule",))
        for rule, count in list(tally.alerts.items()):
            alerts.add_metric((rule,), count)
        scores = GaugeMetricFamily("fedtrail_score", "Score in the latest round.", labels=("run", "client", "kind"))
        for (task_id, client, kind), value in list(tally.scores.items()):
            scores.add_metric((self._name(task_id), str(client), kind), value / ONE)
        spent = GaugeMetricFamily("fedtrail_epsilon_spent", "Stated, not proven.", labels=("run", "client"))
        for (task_id, client), value in list(tally.epsilon.items()):
            spent.add_metric((self._name(task_id), str(client)), value / EPSILON_UNITS)
        failures = CounterMetricFamily("fedtrail_replay_failures", "Replays that proved something wrong.")
        failures.add_metric((), tally.replay_failures)
        missing = GaugeMetricFamily("fedtrail_artifacts_missing", "Findings for want of evidence.")
        missing.add_metric((), sum(list(tally.missing.values())))
        seconds = SummaryMetricFamily("fedtrail_round_seconds", "From opening to end, chain time.", labels=("run",))
        for task_id, (count, total) in list(tally.seconds.items()):
            seconds.add_metric((self._name(task_id),), count_value=count, sum_value=total)
        yield from (rounds, seconds, alerts, scores, spent, failures, missing)
        yield from _describe_local(tally.local)

    def _name(self, task_id: int) -> str:
        return self._runs.get(task_id, f"task-{task_id}")


def _describe_local(local: Local) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    transactions = CounterMetricFamily("fedtrail_tx", "Transactions that this project wrote.", labels=("outcome",))
    for outcome, count in local.transactions.items():
        transactions.add_metric((outcome,), count)
    yield transactions
    yield CounterMetricFamily("fedtrail_gas_used", "Gas of this project's transactions.", value=local.gas_used)
    if local.index_lag_blocks is not None:
        yield GaugeMetricFamily("fedtrail_index_lag_blocks", "Blocks to read.", value=local.index_lag_blocks)
    if local.reorgs is not None:
        yield CounterMetricFamily("fedtrail_reorgs", "Reorganisations that the index met.", value=local.reorgs)
    if local.witness_age_seconds is not None:
        yield GaugeMetricFamily("fedtrail_witness_age_seconds", "Chain time.", value=local.witness_age_seconds)


@contextmanager
def serving(tally: Tally, runs: Mapping[int, str], *, port: int) -> Iterator[int]:
    """Answer GET /metrics on the loopback address while inside; give the port, which is a free one if 0 was asked for.

    Raises: MissingExtra: the package prometheus-client is not there. ConfigurationError: the port is taken.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="--metrics-port", package=error.name, extra="monitor") from error
    registry = CollectorRegistry()
    registry.register(Collector(tally, runs))
    try:
        server, thread = start_http_server(port, addr=HOST, registry=registry)
    except OSError as error:
        raise ConfigurationError(f"no metrics on {HOST}:{port}: {error.strerror}", hint="--metrics-port 0") from error
    try:
        yield _get_port(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _get_port(server: Any) -> int:
    return int(server.server_port)
