"""The documentation builds and leaves nothing out; the notebook runs; the two READMEs say the same."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import fastmlp

ROOT = Path(__file__).parent.parent
CODE = re.compile(r"^```.*?^```|^    \S.*?$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
LINK = re.compile(r"\]\(([^)]*)\)|`([^`]+)`")


@pytest.mark.slow
def test_the_pages_are_built_with_pictures_formulas_and_every_public_name(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.name: path.read_text() for path in tmp_path.glob("*.html")}
    shown = {found for page in pages.values() for found in re.findall(r'src="(pictures/\w+\.png)"', page)}
    assert shown == {f"pictures/{path.name}" for path in (tmp_path / "pictures").glob("*.png")}
    assert pages["mathematics.html"].count("<math") > 50
    assert "arithmatex" not in pages["mathematics.html"]
    for name in fastmlp.__all__:
        assert f'id="fastmlp.{name}"' in pages["api.html"], name
    loaded = [
        found for page in pages.values() for found in re.findall(r'<(?:script|img|link)[^>]*"(https?:[^"]*)', page)
    ]
    assert loaded == []


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(ROOT / "scripts" / "report.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in cells)  # committed without
    nbclient.NotebookClient(notebook, timeout=120).execute()
    printed = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert printed.count("RMSE") == 7
    differences = [float(line.split()[1]) for line in printed.splitlines() if line.startswith(("w1 ", "b1 ", "w2 "))]
    assert len(differences) == 3
    assert max(differences) < 1e-12
    drawn = [output for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(drawn) == 2


@pytest.fixture
def readmes():
    return [(ROOT / name).read_text() for name in ("README.md", "README.zh.md")]


def test_the_chinese_readme_has_the_same_commands_and_examples(readmes):
    english, chinese = (CODE.findall(text) for text in readmes)
    assert chinese == english


def test_the_chinese_readme_has_the_same_numbers(readmes):
    # Numbers that the one writes as words, so does the other: then the test does not see them.
    english, chinese = (Counter(NUMBER.findall(CODE.sub("", text))) for text in readmes)
    assert chinese == english


def test_the_chinese_readme_has_the_same_names_and_links(readmes):
    english, chinese = (Counter("".join(found) for found in LINK.findall(CODE.sub("", text))) for text in readmes)
    del english["README.zh.md"], chinese["README.md"]
    assert chinese == english
