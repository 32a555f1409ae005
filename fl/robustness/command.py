"""`fedtrail bench robustness`: rules by attacks, measured on this machine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fl.robustness.defaults import RULES, list_attacks
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_rows
from ledger.cli.progress import progress_bar, say
from ledger.errors import Interrupted, MissingExtra

if TYPE_CHECKING:
    from fl.robustness.cells import Setting
    from fl.robustness.matrix import ResultsFile
    from fl.robustness.summary import Group, Verdict

COLUMNS = (
    *("dataset", "partition", "f", "rule", "seeds", "attacks", "price", "worst_gap", "worst_attack"),
    *("textbook_asr", "worst_asr", "worst_backdoor", "backdoor_gap"),
)
NAME = "robustness"
_THREADS = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
KINDS = ("jsonl", "json", "svg", "html")
"""Raw lines, summary, heat map, heat map with tables."""


@click.group(cls=LazyGroup)
def bench() -> None:
    """Measure what fedtrail promises, on this machine."""


class Names(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers alone
    """Texts separated by commas, which may be inside parentheses too."""

    name = "text,..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the texts."""
        return tuple(filter(None, re.split(r",(?![^()]*\))", str(value).replace(" ", ""))))


class _Numbers(Names):
    name = "number,..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the numbers as texts."""
        texts = super().convert(value, param, ctx)
        for text in texts:
            if not text.isascii() or not text.isdigit():
                self.fail(f"{text!r} is no whole number", param, ctx)
        return texts


@bench.command()
@click.option("--datasets", type=Names(), default=None, help="Data sets; default: all whose files are there.")
@click.option("--rules", type=Names(), default=",".join(RULES), help="Rules and compositions, without f.")
@click.option("--attacks", type=Names(), default=None, help="Attacks, such as ipm(strength=0),backdoor+clones.")
@click.option("--f", "fs", type=_Numbers(), default="4,6,9", show_default=True, help="Dishonest clients.")
@click.option("--partitions", type=Names(), default="iid,dirichlet(0.5)", show_default=True, help="Splits.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many seeds, from 1.")
@click.option("--clients", type=click.IntRange(2), default=20, show_default=True, help="n, dishonest ones included.")
@click.option("--rounds", type=click.IntRange(1), default=30, show_default=True, help="Rounds of every run.")
@click.option("--model", default=None, help="As in a round script; default: a perceptron with 32 hidden units.")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default: one a core.")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=NAME, show_default=True, help="Folder."
)
@click.option("--png", is_flag=True, help="Draw the heat map as PNG too; takes the extra plots.")
@format_option
def robustness(
    datasets: tuple[str, ...] | None,
    rules: tuple[str, ...],
    attacks: tuple[str, ...] | None,
    fs: tuple[str, ...],
    partitions: tuple[str, ...],
    seeds: int,
    clients: int,
    rounds: int,
    model: str | None,
    workers: int | None,
    output: Path,
    png: bool,
    fmt: str,
) -> None:
    """Measure rules by attacks, and write raw lines, a summary, and a heat map (SVG, HTML) into a folder.

    What was measured there before is not measured again, so that a run which was interrupted goes on. Lists are
    separated by commas.
    """
    # Read when NumPy loads its BLAS: cells share the cores, and matrices of 20 rows gain nothing from a second thread.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        from fl.robustness.cells import Setting
        from fl.robustness.matrix import ResultsFile, find_datasets, list_cells, run_matrix
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="training", package=error.name, extra="fl") from error
    setting = Setting(clients=clients, rounds=rounds, model=model or Setting().model)
    cells = list_cells(
        setting,
        datasets=datasets or find_datasets(),
        rules=rules,
        attacks=(lambda dataset: attacks) if attacks else list_attacks,
        fs=[int(f) for f in fs],
        partitions=partitions,
        seeds=range(1, seeds + 1),
    )
    results = ResultsFile(output / f"{NAME}.jsonl", setting)
    try:
        with progress_bar() as bar:
            run_matrix(
                cells,
                setting,
                results,
                workers=workers or os.cpu_count() or 1,
                on_done=lambda done, cell: bar.update(done, len(cells), str(cell)),
            )
    except KeyboardInterrupt:
        raise Interrupted(hint="the same command goes on where it was") from None
    finally:
        verdicts = write_summary(output, setting, results)
    if png:
        write_png(output, results)
    say(f"{len(results.outcomes)} cells: {', '.join(str(output / f'{NAME}.{kind}') for kind in KINDS)}")
    print_rows("bench.robustness", [asdict(each) for each in verdicts], fmt=fmt, columns=COLUMNS)


def write_summary(folder: Path, setting: Setting, results: ResultsFile) -> list[Verdict]:
    """Write summary, heat map and page of all that is known into a folder; return the verdicts."""
    from fl.robustness.heatmap import draw, render_page
    from fl.robustness.summary import group, judge, to_document

    groups = group(results.outcomes)
    verdicts = judge(groups)
    figure = draw(groups, rules=RULES, attacks=_order_attacks(groups))
    document = json.dumps(to_document(setting, results.outcomes), indent=1) + "\n"
    pages = {"json": document, "svg": figure, "html": render_page(setting, verdicts, groups, figure)}
    for kind, text in pages.items():
        (folder / f"{NAME}.{kind}").write_text(text, encoding="utf-8")
    return verdicts


def write_png(folder: Path, results: ResultsFile) -> None:
    """Write the heat map of all that is known as PNG into a folder.

    Raises: MissingExtra: the extra plots is not installed.
    """
    from fl.robustness.picture import draw_png
    from fl.robustness.summary import group

    groups = group(results.outcomes)
    (folder / f"{NAME}.png").write_bytes(draw_png(groups, rules=RULES, attacks=_order_attacks(groups)))


def _order_attacks(groups: Sequence[Group]) -> list[str]:
    attacks = [attack for dataset in sorted({g.dataset for g in groups}) for attack in list_attacks(dataset)]
    return list(dict.fromkeys(attacks))
