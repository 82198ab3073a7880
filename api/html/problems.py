"""The pages at /problems: every code in its section, and one code."""

from __future__ import annotations

from functools import cache
from html import escape

from api.html.page import marked, page
from api.problem_catalogue import ADDRESS, SECTIONS, ProblemKind, Section

RECORDED = "This answer stands for its `Idempotency-Key`: to try again after the cause is gone, use a new key."
NOT_RECORDED = "This answer is not kept: the same request may be sent again with the same key."
VIOLATION = "This stands in the `violations` of a `VALIDATION_FAILED`, and is no refusal of its own."


@cache
def problems_page() -> str:
    return page(
        "Refusals – Banca",
        f"""<p><a href="/">Banca</a></p>
<h1>Refusals</h1>
<p class="lead">Every refusal carries a code. Programs decide by it; here is what each one means.</p>
{"".join(map(_section, SECTIONS))}""",
    )


def _section(section: Section) -> str:
    return (
        f'<h2 id="{section.slug}">{marked(section.title)}</h2>\n<ul class="card">\n'
        + "".join(f"<li>{_link(kind)}<br>{marked(kind.meaning)}</li>\n" for kind in section.kinds)
        + "</ul>\n"
    )


def _link(kind: ProblemKind) -> str:
    return f'<a href="{ADDRESS}/{kind.slug}"><code>{escape(kind.code)}</code></a>'


def problem_page(kind: ProblemKind) -> str:
    rows = [("What it means", marked(kind.meaning))]
    if kind.action:
        rows.append(("What the client does", marked(kind.action)))
    if kind.statuses:
        rows.append(("HTTP status", escape(" or ".join(map(str, kind.statuses)))))
    again = VIOLATION if not kind.statuses else RECORDED if kind.is_recorded else NOT_RECORDED
    rows.append(("The same key again", marked(again)) if kind.statuses else ("Where it stands", marked(again)))
    if kind.page:
        rows.append(("More", f"<code>docs/{escape(kind.page)}</code> in the program's folder"))
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>\n" for name, value in rows)
    return page(
        f"{kind.code} – Banca",
        f"""<p><a href="/">Banca</a> / <a href="{ADDRESS}">Refusals</a></p>
<h1><code>{escape(kind.code)}</code></h1>
<dl class="card pairs">
{listed}</dl>""",
    )
