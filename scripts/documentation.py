"""What the pages in docs/ need besides mkdocs: their examples run, their formulas and pictures made; `make docs`.

A module of hooks, which mkdocs calls by their names. Formulas become MathML, which every browser draws by itself, so
that the pages load nothing from elsewhere.
"""

from __future__ import annotations

import doctest
import html
import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from pygments.formatters import HtmlFormatter

sys.path.insert(0, str(Path(__file__).parent))  # mkdocs loads this file as a module of its own

from documentation_pictures import pictures

import fastmlp

# Signs that MathML would take for operators between two terms, and set apart or stretch.
CLOSE_SIGN = re.compile(r"<mo>(&#x02016;|&#x0007C;|&#x0002F;)</mo>")
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)

# Public, but not in the package's own names.
ELSEWHERE = ("plotting.film", "sklearn.FastMLPRegressor", "scaling.Standardization")
# "int, callable" in a docstring is read, and shown, as a tuple; a type without a description ends in a dash.
TUPLE = re.compile(r"(\(|<li>\s*)<code>\(([^()\n]*)\)</code>")
NO_DESCRIPTION = re.compile(r'\u2013\s*<div class="doc-md-description">\s*</div>')
DIRECTIVE = re.compile(r" *# doctest: .*$", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pictures, drawn now, and the colours of code."""
    for name, content in pictures():
        files.append(File.generated(config, f"pictures/{name}.png", content=content))
    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    files.append(File.generated(config, "code.css", content=colours))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Run the examples of a page, one that gives something else than it says ends the build; list the public names."""
    name = page.file.src_uri
    runner = doctest.DocTestRunner()
    report: list[str] = []
    runner.run(doctest.DocTestParser().get_doctest(markdown, {}, name, name, 0), out=report.append)
    if runner.failures:
        raise PluginError("".join(report))
    if name == "api.md":
        functions_first = sorted(fastmlp.__all__, key=lambda public: (public[0].isupper(), public))
        markdown += "".join(f"\n\n::: fastmlp.{public}" for public in (*functions_first, *ELSEWHERE))
    return DIRECTIVE.sub("", markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Turn formulas into MathML, and tidy the types in the reference."""

    def mathml(found: re.Match[str]) -> str:
        formula = convert(html.unescape(found[2]), display="block" if found[1] == "div" else "inline")
        formula = CLOSE_SIGN.sub(r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', formula)
        return f'<div class="formula">{formula}</div>' if found[1] == "div" else formula

    return FORMULA.sub(mathml, NO_DESCRIPTION.sub("", TUPLE.sub(r"\1<code>\2</code>", content)))
