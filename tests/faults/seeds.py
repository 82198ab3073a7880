"""The rounds of the test run: between them they break everything (test_schedule.py sees to it)."""

from __future__ import annotations

SEEDS = (1, 2, 5, 44, 757)
# On RabbitMQ: cut off, hung, and with relay and worker killed.
RABBITMQ_SEED = 8
