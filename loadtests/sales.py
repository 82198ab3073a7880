"""Sell as fast as the running stack takes it: python -m loadtests.sales DEMO.json [--seconds 10] [--batch 50]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson

from loadtests.flow import Flow
from loadtests.generator import run_load
from loadtests.load_report import LoadReport
from loadtests.signed_requests import Workload


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="what ./banca demo --json printed")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--requests", type=int, default=100_000, help="prepared before the clock starts")
    parser.add_argument("--batch", type=int, default=0, help="tickets a request; 0: single-ticket requests")
    parser.add_argument("--rate", type=float, help="requests a second, whatever the answers; default: as they come")
    options = parser.parse_args()
    workload = Workload(orjson.loads(options.demo.read_bytes()))
    prepared = (
        workload.batches(options.requests, tickets=options.batch) if options.batch else workload.sales(options.requests)
    )
    flow = Flow(prepared, options.connections, options.rate)
    run_load(workload.address, [flow], seconds=options.seconds)
    sys.stdout.write(describe(flow.report))
    return 1 if flow.report.failures() else 0


def describe(report: LoadReport) -> str:
    lines = [
        f"{report.tickets} tickets in {report.window_s:.2f} s: {report.tickets_per_s:.0f}/s",
        f"p50 {report.percentile_ms(0.5):.1f} ms, p99 {report.percentile_ms(0.99):.1f} ms",
        f"answers {dict(report.statuses)}, failures {dict(report.failures())}",
        f"generator {report.cpu_us_per_request:.1f} µs of processor time a request",
        *(f"{status}: {body[:300]!r}" for status, body in report.samples.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
