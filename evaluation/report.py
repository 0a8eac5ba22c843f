"""Make one HTML file that shows a whole run: from prompts to pairs, the rows themselves, training, evaluation.

    python evaluation/report.py --run-dir runs/demo

Reads what is there in RUN_DIR: prompts.jsonl, responses/, rm_scores.jsonl, code_tests.jsonl, math_checks.jsonl,
pairs/ (sft.jsonl, dpo.jsonl, composition.json), models/*/metrics.jsonl, evaluation/scores.json and the run.json files
beside them; what a run does not have yet is named in the page. Writes RUN_DIR/report.html, which needs no network,
and report.html.run.json. The page is made anew each time, since a run grows; the same files give the same bytes.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusechat.command_line import StepArgs, parse_args, run
from fusechat.errors import BadInput
from fusechat.output_file import write_atomically, write_json
from fusechat.run_manifest import Manifest
from fusechat.tracking import start_tracking

if TYPE_CHECKING:
    from evaluation.html_report.run_content import RunContent


@dataclass(kw_only=True)
class Args(StepArgs):
    """Settings of report.py."""

    run_dir: Path
    """Folder of the run."""
    output: Path | None = None
    """The HTML file (default: RUN_DIR/report.html)."""
    overwrite: bool = False
    """Replace OUTPUT although it is no report of this script; an earlier report is replaced in any case."""
    max_rows: int | None = None
    """Carry at most the first N pairs and the first N SFT rows (they are in mixed order); default: all of them."""


def check(args: Args, output: Path) -> None:
    """Refuses impossible numbers, and a file under the output's name that is not a report."""
    from evaluation.html_report.page import GENERATOR

    if args.max_rows is not None and args.max_rows < 0:
        raise BadInput(f"--max-rows {args.max_rows}: must be 0 or more")
    if output.is_dir():
        raise BadInput(f"--output {output}: is a folder; name an HTML file")
    if output.exists() and not args.overwrite:
        with output.open("rb") as file:
            if GENERATOR.encode() not in file.read(8192):
                raise BadInput(
                    f"--output {output}: is there and is no report of this script; "
                    "name another file, or give --overwrite to replace it"
                )


def main() -> None:
    """Reads the run, writes the page, says where it is."""
    args = parse_args(Args)
    output = args.output or args.run_dir / "report.html"

    from evaluation.html_report.page import render_page
    from evaluation.html_report.run_content import page_context, read_run
    from evaluation.html_report.run_files import RunFolder

    folder = RunFolder(args.run_dir, output.parent)
    check(args, output)
    content = read_run(folder, args.max_rows)
    paths = content.paths(folder)
    manifest = Manifest(script=__file__, args=args, inputs={"run_dir": paths} if paths else None)
    page = render_page(page_context(folder, content, args.max_rows)).encode("utf-8", "replace")
    write_atomically(output, page)
    counts: dict[str, Any] = {
        "pairs": content.rows.pairs,
        "sft": content.rows.sft,
        "left_out": content.rows.left_out,
        "bytes": len(page),
    }
    write_json(output.with_name(output.name + ".run.json"), {**manifest.as_dict(), "counts": counts})
    track(args, counts)
    tell(content)
    print(f"wrote {output} ({len(page) / 1e6:.1f} MB, {content.rows.count:,} rows); open it in a browser")


def track(args: Args, counts: dict[str, Any]) -> None:
    """Tells the tracker what went into the page."""
    tracker = start_tracking(
        args.report_to, step="report", name=args.run_name, config={**vars(args)}, directory=args.run_dir
    )
    tracker.log({f"report/{name}": value for name, value in counts.items() if isinstance(value, int)})
    tracker.finish()


def tell(content: "RunContent") -> None:
    """Names the parts that are not there yet."""
    for text in content.missing():
        print(f"not there yet: {text}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
