"""`fedtrail bench privacy`: attacks on clients' images by protections, measured on this machine."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fl.leakage.cells import Cell, Setting
from fl.robustness.command import Names
from ledger.cli.output import format_option, print_rows
from ledger.cli.progress import progress_bar, say
from ledger.errors import Interrupted, MissingExtra, UsageError

if TYPE_CHECKING:
    from fl.leakage.results import ResultsFile

NAME = "privacy"
COLUMNS = ("attack", "model", "protection", "images", "recovered", "psnr", "auc", "seconds")
ATTACKS = (
    *("blind/mlp", "analytic/mlp", "units/mlp", "imprint/mlp", "dlg/mlp", "idlg/mlp", "joint/mlp"),
    *("idlg/smooth-cnn", "cosine/cnn", "membership-loss/mlp", "membership-update/mlp", "class/mlp"),
)
PROTECTIONS = (
    *("none", "clip", "clip+noise(0.001)", "clip+noise(0.01)", "clip+noise(0.03)", "clip+noise(0.05)"),
    "clip+noise(0.1)",
    *("sum(2)", "sum(4)", "sum(8)", "sum(16)", "sum(8x4)", "sum(8)+noise(0.03)", "sum(8)+noise(0.1)"),
)


@click.command()
@click.option("--attacks", type=Names(), default=",".join(ATTACKS), help="ATTACK/MODEL, separated by commas.")
@click.option("--protections", type=Names(), default=",".join(PROTECTIONS), help="Such as none,clip,sum(8).")
@click.option("--dataset", default=Setting().dataset, show_default=True, help="Whose images are attacked.")
@click.option("--images", type=click.IntRange(1), default=Setting().images, show_default=True, help="Victims.")
@click.option("--seed", type=click.IntRange(0), default=Setting().seed, show_default=True, help="Of everything drawn.")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=NAME, show_default=True, help="Folder."
)
@format_option
def privacy(
    attacks: tuple[str, ...],
    protections: tuple[str, ...],
    dataset: str,
    images: int,
    seed: int,
    output: Path,
    fmt: str,
) -> None:
    """Reconstruct clients' images from their updates, with and without each protection.

    Writes raw lines, a summary, a PNG for each attack and a page with originals beside reconstructions into a folder.
    What was measured there before is not measured again, so that a run which was interrupted goes on.
    """
    try:
        from fl.leakage.results import ResultsFile, run_all
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="training", package=error.name, extra="fl") from error
    setting = Setting(dataset=dataset, images=images, seed=seed)
    cells = list_cells(attacks, protections)
    results = ResultsFile(output / f"{NAME}.jsonl", setting)
    try:
        with progress_bar() as bar:
            run_all(cells, setting, results, on_done=lambda done, cell: bar.update(done, len(cells), str(cell)))
    except KeyboardInterrupt:
        raise Interrupted(hint="the same command goes on where it was") from None
    finally:
        write_summary(output, setting, results, cells)
    say(f"{len(cells)} cells: {output}")
    rows = [{**asdict(cell), **asdict(results.outcomes[cell])} for cell in cells]
    print_rows("bench.privacy", [{name: row[name] for name in COLUMNS} for row in rows], fmt=fmt, columns=COLUMNS)


def list_cells(attacks: tuple[str, ...], protections: tuple[str, ...]) -> list[Cell]:
    """Return the cells, attack by attack. Raises: UsageError: an attack or a protection is none."""
    cells = []
    for text in attacks:
        attack, slash, model = text.partition("/")
        if not slash:
            raise UsageError(f"{text!r} is not ATTACK/MODEL, such as idlg/mlp", got=text)
        cells += [Cell(attack=attack, model=model, protection=protection) for protection in protections]
    return [cell for cell in dict.fromkeys(cells) if cell.is_defined]


def write_summary(folder: Path, setting: Setting, results: ResultsFile, cells: list[Cell]) -> None:
    """Write what is known of some cells into a folder: JSON, a picture for each attack, a page."""
    from fl.leakage.measuring import SAMPLES, draw_victims
    from fl.leakage.pictures import draw_attack, render_page

    known = {cell: results.outcomes[cell] for cell in cells if cell in results.outcomes}
    images = draw_victims(setting)[0][:SAMPLES].flatten(1)
    originals = [(each * 255).round().byte().numpy() for each in images]
    document = {
        "command": f"fedtrail bench {NAME} --dataset {setting.dataset} --images {setting.images} --seed {setting.seed}",
        "setting": asdict(setting),
        "host": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
        "cells": [{**asdict(cell), **_without_pictures(asdict(known[cell]))} for cell in known],
    }
    (folder / f"{NAME}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / f"{NAME}.html").write_text(render_page(setting, originals, known), encoding="utf-8")
    for attack, model in dict.fromkeys((cell.attack, cell.model) for cell in known):
        found = [known[c] for c in known if (c.attack, c.model) == (attack, model) and known[c].samples]
        if found:
            (folder / f"{NAME}-{attack}-{model}.png").write_bytes(draw_attack(originals, found))


def _without_pictures(outcome: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in outcome.items() if name != "samples"}
