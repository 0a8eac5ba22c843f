"""Every command of the README can be run: its script, its flags, the files and make targets it names exist.

And every message that docs/troubleshooting.md quotes is one that a script gives, in these words.
"""

import ast
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(?:bash|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOCS = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md"))]
# Folders and names that the reader fills in.
PLACEHOLDER = re.compile(r"\$|RUN|DATA_ROOT|runs/|/|training/recipes/my-target/")
ACCELERATE_FLAGS = {"--config_file", "--mixed_precision", "--num_processes", "--num_machines", "--machine_rank", "--main_process_ip", "--main_process_port"}  # fmt: skip


def commands() -> list[list[str]]:
    """Every command line of the README's shell blocks, split as a shell splits it."""
    found = []
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in FENCE.findall(document.read_text(encoding="utf-8") if document.exists() else ""):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|;|\|", line.split(" # ")[0]):
                    words = shlex.split(part, comments=True)
                    if words and words[0] not in {"do", "done", "for"}:
                        found.append(words)
    return found


@cache
def flags_of(script: str) -> frozenset[str]:
    """The flags that a script's --help lists."""
    shown = subprocess.run(
        [sys.executable, str(ROOT / script), "--help"], capture_output=True, text=True, cwd="/", timeout=60
    )
    assert shown.returncode == 0, shown.stderr
    return frozenset(re.findall(r"(?<![\w-])(--[a-z][a-z0-9-]*)", shown.stdout)) | {"-h"}


def script_and_arguments(words: list[str]) -> tuple[str, list[str]] | None:
    for position, word in enumerate(words):
        if word.endswith(".py") and words[0] in {"python", "accelerate", ".venv/bin/python"}:
            return word, words[position + 1 :]
    return None


def test_the_readme_has_the_commands_of_every_step():
    scripts = {found[0] for words in commands() if (found := script_and_arguments(words))}
    assert {
        "sampling/select_prompts.py",
        "sampling/sample_vllm.py",
        "scoring/score_armorm.py",
        "scoring/run_code_tests.py",
        "scoring/check_math.py",
        "scoring/make_pairs.py",
        "training/train_sft.py",
        "training/train_lndpo.py",
        "evaluation/run_evals.py",
    } <= scripts


@pytest.mark.parametrize("words", commands(), ids=lambda words: " ".join(words)[:60])
def test_a_readme_command_names_only_what_exists(words):
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in words[1:] if "=" not in word} <= targets
    found = script_and_arguments(words)
    if found is not None:
        script, arguments = found
        assert (ROOT / script).is_file(), f"{script} does not exist"
        unknown = {word.split("=")[0] for word in arguments if word.startswith("--")} - flags_of(script)
        assert not unknown, f"{script} has no {unknown}"
        if words[0] == "accelerate":
            own = {word.split("=")[0] for word in words[2 : words.index(script)] if word.startswith("--")}
            assert own <= ACCELERATE_FLAGS
    for word in words:
        if re.search(r"\.(ya?ml|txt|sh|sbatch)$", word) and not re.match(PLACEHOLDER, word):
            assert (ROOT / word).exists(), f"{word} does not exist"


@pytest.mark.parametrize("document", ["CHANGELOG.md", *DOCS])
def test_the_files_that_a_page_links_to_exist(document: str) -> None:
    page = ROOT / document
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]


def message_templates() -> list[str]:
    """Every string of the scripts, with … where a value is put in."""
    templates = []
    for folder in ("fusechat", "sampling", "scoring", "training", "evaluation", "demo"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                    templates.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    templates.append(node.value)
    return templates


def quoted_messages() -> list[str]:
    """The messages of the troubleshooting page, but for those of other software."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    ours, _, others = page.partition("## Messages of other software")
    assert others
    return re.findall(r"^\| `([^`]+)` \|", ours, re.MULTILINE)


def says(template: str, message: str) -> bool:
    """Whether the message's fixed parts stand in the template, in their order."""
    position = 0
    for part in filter(None, (part.strip() for part in message.split("…"))):
        found = template.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return True


def test_every_quoted_message_is_one_that_a_script_gives() -> None:
    templates = message_templates()
    messages = quoted_messages()
    assert len(messages) > 50 and len(set(messages)) == len(messages)
    strange = [message for message in messages if not any(says(template, message) for template in templates)]
    assert not strange


def test_a_message_in_other_words_would_be_noticed() -> None:
    assert says("…: cannot be locked: …; use a disk with file locks", "…: cannot be locked: …; use a disk")
    assert not says("…: cannot be locked: …; use a disk with file locks", "…: can not be locked: …")
    assert not says("use a disk: cannot be locked", "cannot be locked: …; use a disk")
