"""Hooks of mkdocs for the pages in docs/: run their examples, convert their formulas, complete the reference.

mkdocs calls the functions by name, and `make docs` builds the pages. Formulas are converted to MathML, which browsers
display without scripts from other servers.
"""

from __future__ import annotations

import doctest
import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).parent.parent
# Pages and pictures outside docs/. The built pages have them in the folder benchmarks/ beside the other pages, so that
# a link to ../benchmarks/ becomes one to benchmarks/.
OUTSIDE = (
    "benchmarks/PEERS.md",
    "benchmarks/NOTES.md",
    "benchmarks/ACCURACY.md",
    *(f"benchmarks/{n}.png" for n in ("peers", "costs", "univariate", "accuracy")),
    *(f"benchmarks/compare_{n}.png" for n in ("development", "unseen")),
)
OUTSIDE_LINK = "](../benchmarks/"

# Signs that MathML would take for operators between two terms, and set apart or stretch.
CLOSE_SIGN = re.compile(r"<mo>(&#x02016;|&#x0007C;|&#x0002F;)</mo>")
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)

PUBLIC_NAME = re.compile(r"\]\(#(fastmlp\.[\w.]+)\)")
# mkdocstrings reads the type "int, callable" as a tuple and prints it with parentheses. After a type without a
# description it prints a dash.
TUPLE = re.compile(r"(\(|<li>\s*)<code>\(([^()\n]*)\)</code>")
NO_DESCRIPTION = re.compile(r'\u2013\s*<div class="doc-md-description">\s*</div>')
DIRECTIVE = re.compile(r" *# doctest: .*$", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and pictures from outside docs/, and the style sheet that colours code."""
    for path in OUTSIDE:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    files.append(File.generated(config, "code.css", content=colours))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Run the examples of a page, which must not fail, and append the docstrings to the reference."""
    name = page.file.src_uri
    runner = doctest.DocTestRunner()
    report: list[str] = []
    runner.run(doctest.DocTestParser().get_doctest(markdown, {}, name, name, 0), out=report.append)
    if runner.failures:
        raise PluginError("".join(report))
    if name == "api.md":
        markdown += "".join(f"\n\n::: {public}" for public in PUBLIC_NAME.findall(markdown))
    return DIRECTIVE.sub("", markdown).replace(OUTSIDE_LINK, "](benchmarks/")


def on_page_content(content: str, **_: Any) -> str:
    """Convert formulas to MathML, and simplify the types in the reference."""

    def mathml(found: re.Match[str]) -> str:
        formula = convert(html.unescape(found[2]), display="block" if found[1] == "div" else "inline")
        formula = CLOSE_SIGN.sub(r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', formula)
        return f'<div class="formula">{formula}</div>' if found[1] == "div" else formula

    return FORMULA.sub(mathml, NO_DESCRIPTION.sub("", TUPLE.sub(r"\1<code>\2</code>", content)))
