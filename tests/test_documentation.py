"""The documentation builds and is complete, its links lead somewhere, the notebook runs, the READMEs agree."""

import os
import re
import shutil
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
TARGET = re.compile(r"(?:\]\(|src=\")([^)#\"]+)[^)\"]*[)\"]")  # of a link or a picture, without the anchor
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])


@pytest.mark.slow
def test_the_pages_are_built_with_pictures_formulas_and_every_public_name(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.html")}
    shown = {found for page in pages.values() for found in re.findall(r'src="(pictures/\w+\.png)"', page)}
    assert shown == {f"pictures/{path.name}" for path in (ROOT / "docs" / "pictures").glob("*.png")}
    assert pages["mathematics.html"].count("<math") > 50
    assert "arithmatex" not in pages["mathematics.html"]
    for name in fastmlp.__all__:
        assert f'id="fastmlp.{name}"' in pages["api.html"], name
    assert 'href="benchmarks/PEERS.html"' in pages["speed.html"]
    loaded = [
        found for page in pages.values() for found in re.findall(r'<(?:script|img|link)[^>]*"(https?:[^"]*)', page)
    ]
    assert loaded == []


@pytest.mark.slow
def test_the_committed_pictures_are_those_that_the_script_draws(tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "documentation_pictures.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    names, committed = (
        {path.name for path in folder.glob("*.png")} for folder in (tmp_path, ROOT / "docs" / "pictures")
    )
    assert names == committed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_of_the_repository(page):
    targets = [target for target in TARGET.findall(CODE.sub("", page.read_text())) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_reference_lists_the_public_names():
    listed = re.findall(r"\]\(#fastmlp\.(\w+)\)", (ROOT / "docs" / "api.md").read_text())
    assert sorted(listed) == sorted(fastmlp.__all__)


def test_the_readme_lists_every_target_of_make():
    targets = re.findall(r"(?m)^([a-z-]+):.*## ", (ROOT / "Makefile").read_text())
    listed = set(re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text()))
    assert listed == set(targets) - {"help"}


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
    # A number that is written as a word must be a word in both; the test does not see it.
    english, chinese = (Counter(NUMBER.findall(CODE.sub("", text))) for text in readmes)
    assert chinese == english


def test_the_chinese_readme_has_the_same_names_and_links(readmes):
    english, chinese = (Counter("".join(found) for found in LINK.findall(CODE.sub("", text))) for text in readmes)
    del english["README.zh.md"], chinese["README.md"]
    assert chinese == english


def console(page):
    """Yield the commands in the console blocks of a page, each with what it prints."""
    for block in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            end = next((i for i, line in enumerate(lines[1:], 1) if not line.startswith("> ")), len(lines))
            yield "\n".join([lines[0], *(line[2:] for line in lines[1:end])]), "\n".join(lines[end:]).strip()


def same_line(printed, expected):
    """Return whether two lines are equal, except that numbers may differ by 10 %.

    The networks depend on the instructions of the processor in the last digits, which L-BFGS amplifies.
    """
    if NUMBER.sub("#", printed) != NUMBER.sub("#", expected):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True)
    return all(float(a.replace(",", "")) == pytest.approx(float(b.replace(",", "")), rel=0.1) for a, b in pairs)


def agrees(printed, expected):
    """Return whether lines are those that a page shows, where "..." stands for any lines."""
    if not expected or not printed:
        return printed == expected or expected == ["..."]
    if expected[0] == "...":
        return agrees(printed, expected[1:]) or agrees(printed[1:], expected)
    return same_line(printed[0], expected[0]) and agrees(printed[1:], expected[1:])


def test_the_commands_of_the_sensor_page_print_what_it_shows(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    shutil.copy(ROOT / "docs" / "sensor.csv", tmp_path)
    prelude = f'python() {{ "{sys.executable}" "$@"; }}; fastmlp() {{ python -m fastmlp "$@"; }}\n'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    commands = list(console((ROOT / "docs" / "sensor.md").read_text()))
    assert len(commands) > 12
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", prelude + command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout
        assert agrees(done.stdout.strip().splitlines(), expected.splitlines()), f"{command}\n{done.stdout}"
