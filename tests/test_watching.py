"""What Grafana shows and Prometheus alerts on is exported, and what to do about an alert is written down."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY, Metric
from prometheus_client.metrics import MetricWrapperBase

import core.loop_lag
import core.metrics
import workers.metrics

ROOT = Path(__file__).resolve().parents[1]
PROMETHEUS = ROOT / "deploy" / "prometheus"
BOARD = ROOT / "deploy" / "grafana" / "dashboards" / "banca.json"
# Importing a module registers what it counts.
OURS = (core.loop_lag, core.metrics, workers.metrics)
SUFFIXES: Mapping[str, Sequence[str]] = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
    "info": ("_info",),
}
# Of others, as they call them: Prometheus itself, HAProxy (test_proxy.py asks it), rabbitmq_prometheus.
FOREIGN = {
    "up",
    "haproxy_backend_active_servers",
    "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_connections",
    "rabbitmq_queue_messages_ready",
    "rabbitmq_queue_messages_unacked",
}


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def board() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(BOARD.read_text())
    return document


def queries() -> Iterator[tuple[str, str]]:
    """Where it stands, and the PromQL."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in board()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")


@pytest.mark.parametrize(("place", "query"), list(queries()))
def test_a_query_names_only_what_is_exported(place: str, query: str) -> None:
    names = metrics_of(query)
    assert names
    assert names - exported() - FOREIGN == set()


def test_no_label_of_ours_is_one_that_prometheus_gives() -> None:
    """It would be renamed, and a query would find the name of the scrape's job instead of ours."""
    samples = [sample for module in OURS for family in families_of(module) for sample in family.samples]
    assert not [sample.name for sample in samples if {"job", "instance"} & sample.labels.keys()]


def test_every_foreign_metric_is_looked_at() -> None:
    named = {name for _, query in queries() for name in metrics_of(query)}
    assert FOREIGN - named == set()


def test_an_invented_metric_would_be_noticed() -> None:
    query = "sum by (job) (rate(http_requests_total[1m])) / (max(nowhere_total) or vector(0))"
    assert metrics_of(query) - exported() == {"nowhere_total"}


def test_every_alert_says_how_urgent_it_is_and_what_it_means() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def test_the_night_book_has_every_alert_and_no_other() -> None:
    section = (ROOT / "docs" / "deploy.md").read_text().partition("## Alerts")[2].partition("\n## ")[0]
    explained = re.findall(r"^\| `(\w+)` ", section, re.MULTILINE)
    assert explained == [rule["alert"] for rule in alerts()]


def test_every_panel_has_a_place_of_its_own_and_a_known_source() -> None:
    panels = board()["panels"]
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    assert {panel["datasource"]["uid"] for panel in panels if "targets" in panel} == {source["datasources"][0]["uid"]}
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [cell for panel in panels for cell in cells_of(**panel["gridPos"])]
    assert len(set(cells)) == len(cells)


def test_prometheus_asks_services_that_there_are() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    named = {name for job in jobs for found in job.get("dns_sd_configs", []) for name in found["names"]}
    named |= {
        target.split(":")[0]
        for job in jobs
        for found in job.get("static_configs", [])
        for target in found["targets"]
        if not target.startswith("127.0.0.1")
    }
    assert named == {"api", "scheduler", "relay", "worker", "proxy", "rabbitmq"} <= set(services)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here")
def test_promtool_finds_nothing() -> None:
    command = ["promtool", "check", "config", str(PROMETHEUS / "prometheus.yml")]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


def metrics_of(query: str) -> set[str]:
    """Names of the metrics that the expression selects."""
    names: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            names.add(str(node.name))

    promql_parser.walk(promql_parser.parse(query), visit)
    return names


def families_of(module: ModuleType) -> Iterator[Metric]:
    for found in vars(module).values():
        if isinstance(found, MetricWrapperBase):
            yield from found.collect()


def exported() -> set[str]:
    assert all(OURS)
    return {family.name + suffix for family in REGISTRY.collect() for suffix in SUFFIXES[family.type]}


def cells_of(*, x: int, y: int, w: int, h: int) -> Iterator[tuple[int, int]]:
    assert x + w <= 24
    yield from ((column, line) for column in range(x, x + w) for line in range(y, y + h))
