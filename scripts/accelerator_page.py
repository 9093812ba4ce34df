"""The page of scripts/accelerator_check.py: one HTML file with its tables, checks and pictures."""

from collections.abc import Sequence
from html import escape
from typing import Any

STYLE = """body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: .5em 0 1.5em }
th, td { border-bottom: 1px solid #ccc; padding: .2em .8em .2em 0; text-align: left; vertical-align: top }
figure { display: inline-block; margin: 0 1em 1em 0 }
pre { overflow-x: auto; background: #f4f4f4; padding: 1em }
.bad { color: #b00; font-weight: bold }"""


def page(results: dict[str, Any]) -> str:
    """Format the results of a check, finished or not, as a page that needs no other file."""
    about = results["machine"]
    head = f"{about['device']} ({about['platform']}), {results['began']}"
    facts = {key: value for key, value in about.items() if key != "nvidia_smi"}
    facts |= facts.pop("versions")
    parts = [f"<h1>{escape(head)}</h1>", _table([facts]), _summary(results["sections"])]
    for section in results["sections"]:
        parts += _section(section)
    parts.append(f"<h2>nvidia-smi</h2><pre>{escape(about['nvidia_smi'])}</pre>")
    title = f"<meta charset=utf-8><title>{escape(head)}</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{title}</head><body>{''.join(parts)}</body></html>\n"


def _summary(sections: Sequence[dict[str, Any]]) -> str:
    """List the sections with their status, and how many of their checks hold."""
    rows = [
        {
            "section": section["name"],
            "status": section["status"],
            "seconds": section["seconds"],
            "checks that hold": f"{sum(c['holds'] for c in section['checks'])} of {len(section['checks'])}",
        }
        for section in sections
    ]
    return _table(rows)


def _section(section: dict[str, Any]) -> list[str]:
    parts = [f"<h2>{escape(section['name'])}: {escape(section['status'])}</h2>"]
    if section["error"]:
        parts.append(f"<pre class=bad>{escape(section['error'])}</pre>")
    for title, rows in section["tables"].items():
        parts.append(f"<h3>{escape(title)}</h3>{_table(rows)}")
    parts += [_figure(picture) for picture in section["pictures"]]
    if section["checks"]:
        parts.append(f"<h3>Checks</h3>{_table(section['checks'])}")
    return parts


def _figure(picture: dict[str, str]) -> str:
    source = f"data:image/png;base64,{picture['png']}"
    title = escape(picture["title"])
    return f'<figure><img src="{source}" alt="{title}"><figcaption>{title}</figcaption></figure>'


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Format rows, which need not have the same columns, as a table."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    head = "".join(f"<th>{escape(column.replace('_', ' '))}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(_cell(row.get(column, '')) for column in columns)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "<td>yes</td>" if value else "<td class=bad>no</td>"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"<td>{escape(text)}</td>"
