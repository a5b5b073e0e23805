"""What the outside sees of the project: metadata, workflows, and what must not be in any file."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))


def test_one_version():
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert cited[1] == PROJECT["version"]


def test_the_listing_says_what_the_project_says():
    listing = (ROOT / "docs" / "scverse-meta.yaml").read_text(encoding="utf-8")
    assert f"license: {PROJECT['license']}" in listing
    assert f"pypi: {PROJECT['name']}" in listing
    assert set(PROJECT["optional-dependencies"]) >= {"test"}  # of its test_command


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_get_no_more_rights_than_they_need(path):
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    assert all(re.search(r"@[0-9a-f]{40}$", action) and re.match(r" # v\d", version) for action, version in used)
    assert re.search(r"^permissions:", text, re.M)
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")


def test_commands_of_the_workflows_are_those_of_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    called = {t for path in WORKFLOWS for t in re.findall(r"run: make ([a-z-]+)", path.read_text(encoding="utf-8"))}
    assert called
    assert called <= targets


def test_no_file_names_the_host_of_a_registry():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a clone")
    hosts = re.compile("|".join(rf"{name}\.(?:org|io|com)\b" for name in ("pypi", "pythonhosted", "anaconda", "npmjs")))
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix in {
            ".md",
            ".py",
            ".toml",
            ".yaml",
            ".yml",
            ".cff",
            ".ipynb",
            ".txt",
            ".bib",
            "",
        }:
            assert not hosts.search(path.read_text(encoding="utf-8")), name
