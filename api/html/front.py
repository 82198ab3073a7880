"""The page at /: what runs, how it is, and where to go on. Nothing of money, bancas or addresses of servers."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from types import MappingProxyType

from api.health import DOWN, LATE, OFF, UP, Check, Report
from api.html.page import marked, page
from api.models.front import FrontAnswer

VERDICTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "up": (UP, "Everything works."),
        "degraded": (LATE, "Tickets can be sold. A part does not work as it should."),
        "down": (DOWN, "Nothing can be sold now."),
    }
)
# What each part is for, in the order of the page; others follow by their names.
PARTS: Mapping[str, str] = MappingProxyType(
    {
        "sales": "Whether a sale can be written now",
        "database": "PostgreSQL: the books",
        "replica": "A second PostgreSQL, for lists and reports",
        "cache": "Balances, quicker",
        "broker": "Carries events to the workers",
        "outbox": "Events that wait for the broker",
        "evaluations": "Prizes of draws that have a result",
    }
)
STATES: Mapping[str, str] = MappingProxyType({UP: "works", LATE: "late", DOWN: "does not work", OFF: "not in use"})
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "away": "it does not answer",
        "timeout": "it does not answer in time",
        "read_only": "it takes no changes",
        "full": "it has no room left",
        "overloaded": "too many connections",
        "busy": "it is busy",
        "refused": "it refuses the log-in",
        "outdated": "it is of another release",
        "broken": "it has failed",
        "writes_refused": "it takes no writes",
        "alarm": "it lacks memory or disk",
    }
)
DOCUMENTS = (
    ("/api-docs", "The API", "every address, with examples"),
    ("/openapi.json", "OpenAPI", "the same for programs"),
    ("/problems", "Refusals", "what each code means, and what to do"),
    ("/health/ready", "Health", "the parts below, for programs"),
)
NEXT = (
    "Sell a first ticket: on the machine where this runs, in the program's folder, `./banca sell 07 500`.",
    "`README.md` in that folder shows a sale, a draw and a month's end with curl, and lists all other pages.",
    "Is something wrong? `README.md` has a part on troubles; each refusal says its code, which is explained here.",
)


def front_page(answer: FrontAnswer, report: Report) -> str:
    kind, verdict = VERDICTS[answer.status]
    parts = [*PARTS, *sorted(report.checks.keys() - PARTS.keys())]
    return page(
        "Banca",
        f"""<h1>Banca</h1>
<p class="lead">The transaction engine of a lottery bank. Terminals talk to it over HTTP; this page is for people.</p>
<p class="verdict {kind}">{escape(verdict)}</p>
<dl class="card pairs">
<div><dt>Version</dt><dd>{escape(answer.version)}</dd></div>
<div><dt>Runs since</dt><dd>{escape(answer.since.strftime("%Y-%m-%d %H:%M:%S"))} UTC</dd></div>
</dl>
<h2>Where to go</h2>
<ul class="card">
{"".join(map(_document, DOCUMENTS))}</ul>
<h2>What to do next</h2>
<ul class="card">
{"".join(f"<li>{marked(step)}</li>{chr(10)}" for step in NEXT)}</ul>
<h2>Health</h2>
<dl class="card pairs">
{"".join(_part(name, report.checks[name]) for name in parts if name in report.checks)}</dl>""",
    )


def _document(link: tuple[str, str, str]) -> str:
    address, title, about = link
    return f'<li><a href="{address}"><strong>{title}</strong></a> – {about}</li>\n'


def _part(name: str, check: Check) -> str:
    state = escape(STATES.get(check.status, check.status))
    reason = f": {escape(REASONS.get(check.reason, check.reason.replace('_', ' ')))}" if check.reason else ""
    is_troubled = check.status not in (UP, OFF) and check.since is not None
    since = f", since {check.since:%Y-%m-%d %H:%M:%S} UTC" if is_troubled else ""
    about = check.consequence or PARTS.get(name)
    more = f" – {escape(about[:1].upper() + about[1:])}" if about else ""
    return (
        f"<div><dt>{escape(name.capitalize())}</dt>"
        f'<dd><span class="state {escape(check.status)}">{state}</span>{reason}{since}{more}</dd></div>\n'
    )
