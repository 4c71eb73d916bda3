"""One self-contained HTML page: it opens offline and needs no scripts."""

import html
import importlib.resources
import platform
from collections.abc import Sequence
from pathlib import Path
from string import Template

from sim2real import __version__, config


def write_page(path: Path, title: str, lead: str, sections: Sequence[str]) -> None:
    """Write the page to `path`, atomically; `sections` are HTML, the rest is text."""
    template = importlib.resources.files("sim2real.evaluation").joinpath("report.html").read_text()
    page = Template(template).substitute(
        title=html.escape(title),
        lead=html.escape(lead),
        sections="\n".join(sections),
        footer=html.escape(f"sim2real {__version__}, Python {platform.python_version()}"),
    )
    config.write_atomically(path, page.encode())


def section(title: str, text: str, content: str) -> str:
    """Return a section; `content` is HTML, the rest is text."""
    return f"<section><h2>{html.escape(title)}</h2><p>{html.escape(text)}</p>{content}</section>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of texts."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
