"""Write the tables of docs/privacy-attacks.md from benchmarks/results/privacy_attacks.json; with --check, only compare.

Usage: python scripts/make_privacy_report.py [--check | --import FOLDER]

--import takes what `fedtrail bench privacy --output FOLDER` wrote: figures, the pictures, and the page with both.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devtools import pages

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "benchmarks" / "results" / "privacy_attacks.json"
PICTURES = ROOT / "benchmarks" / "results" / "privacy_attacks"
TARGET = ROOT / "docs" / "privacy-attacks.md"
BEGIN, END = "<!-- made by scripts/make_privacy_report.py -->\n", "<!-- end -->\n"
INFERENCES = ("membership-loss", "membership-update", "class")
Cells = Sequence[Mapping[str, Any]]


def render() -> str:
    """Return the page as it should be."""
    head, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    document = json.loads(SOURCE.read_text(encoding="utf-8"))
    return f"{head}{BEGIN}{''.join(_lines(document))}{END}{rest.partition(END)[2]}"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    setting, cells = document["setting"], document["cells"]
    images = [cell["images"] for cell in cells]
    yield f"\n`{document['command']}` at commit {document['commit'][:12]}: {setting['dataset']}, seed "
    yield f"{setting['seed']},\n"
    yield f"{min(images)} to {max(images)} images a cell, {sum(cell['seconds'] for cell in cells):.0f} s of CPU on "
    yield f"{document['host']}.\n\n### Images recovered, in percent, and PSNR in dB\n\n"
    yield from _render_table([cell for cell in cells if cell["attack"] not in INFERENCES], _show_images)
    yield "\n### Membership and classes, AUC\n\n"
    yield from _render_table([cell for cell in cells if cell["attack"] in INFERENCES], _show_auc)
    yield "\n### Originals beside reconstructions\n\nOriginals on top, then a row for each protection, in the order of "
    yield "the table.\n\n"
    for picture in sorted(PICTURES.glob("*.png")):
        yield f"![{picture.stem}](../{picture.relative_to(ROOT)})\n\n"


def _render_table(cells: Cells, show: Any) -> Iterator[str]:
    columns = list(dict.fromkeys((cell["attack"], cell["model"]) for cell in cells))
    rows = list(dict.fromkeys(cell["protection"] for cell in cells))
    known = {(cell["attack"], cell["model"], cell["protection"]): cell for cell in cells}
    yield f"| protection | {' | '.join(f'{attack}, {model}' for attack, model in columns)} |\n"
    yield f"|---|{'---:|' * len(columns)}\n"
    for row in rows:
        found = (known.get((*column, row)) for column in columns)
        yield f"| `{row}` | {' | '.join(show(cell) if cell else '–' for cell in found)} |\n"


def _show_images(cell: Mapping[str, Any]) -> str:
    psnr = "exact" if cell["psnr"] >= 100 else f"{cell['psnr']:.1f}"
    return f"{100 * cell['recovered']:.0f} %, {psnr}"


def _show_auc(cell: Mapping[str, Any]) -> str:
    return f"{cell['auc']:.2f}"


def take(folder: Path) -> None:
    """Keep what the bench wrote into a folder."""
    document = json.loads((folder / "privacy.json").read_text(encoding="utf-8"))
    head = ["git", "rev-parse", "HEAD"]
    document["commit"] = subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    SOURCE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    PICTURES.mkdir(exist_ok=True)
    for path in [*folder.glob("*.png"), folder / "privacy.html", folder / "privacy.jsonl"]:
        shutil.copyfile(path, PICTURES / path.name)


def main() -> int:
    """Write or compare the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--import", dest="folder", type=Path, help="take the results of a folder first")
    args = parser.parse_args()
    if args.folder:
        take(args.folder)
    return pages.write_or_compare(__file__, TARGET, render, check=args.check)


if __name__ == "__main__":
    sys.exit(main())
