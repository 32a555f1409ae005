"""The heat map as PNG, for papers and slides; everything else shows the SVG, which is exact at any size."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import groupby

from fl.robustness.attackers import is_backdoor
from fl.robustness.cells import LEFT_OUT
from fl.robustness.heatmap import DARK, FULL_GAP, LIGHT, order
from fl.robustness.summary import Group
from ledger.errors import MissingExtra


def draw_png(groups: Sequence[Group], *, rules: Sequence[str], attacks: Sequence[str], dpi: int = 120) -> bytes:
    """Return the panels of `heatmap.draw` below each other as PNG.

    Raises: MissingExtra: Matplotlib is not installed.
    """
    try:
        from matplotlib.colors import LinearSegmentedColormap
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="PNG", package=error.name, extra="plots") from error
    shown = [g for g in groups if g.attack != LEFT_OUT]
    panels = [(key, list(members)) for key, members in groupby(shown, key=lambda g: (g.dataset, g.partition, g.f))]
    colours = LinearSegmentedColormap.from_list("harm", [[part / 255 for part in end] for end in (LIGHT, DARK)])
    heights = [len({g.rule for g in members}) + 5 for _, members in panels]
    figure = Figure(figsize=(15, 0.34 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axis, ((dataset, partition, f), members) in zip(axes, panels, strict=True):
        rows, columns = order({g.rule for g in members}, rules), order({g.attack for g in members}, attacks)
        by_place = {(g.rule, g.attack): g for g in members}
        values = [[_measure(by_place.get((rule, attack))) for attack in columns] for rule in rows]
        axis.imshow([[_shade(cell) for cell in row] for row in values], cmap=colours, vmin=0, vmax=1, aspect="auto")
        for y, row in enumerate(values):
            for x, cell in enumerate(row):
                if cell is not None:
                    ink = "white" if _shade(cell) > 0.7 else "black"
                    axis.text(x, y, f"{100 * cell[0]:.1f}", ha="center", va="center", fontsize=7, color=ink)
        axis.set_xticks(range(len(columns)), columns, rotation=35, ha="right", fontsize=7)
        axis.set_yticks(range(len(rows)), rows, fontsize=7)
        axis.set_title(f"{dataset}, {partition}, f = {f}", fontsize=9, loc="left")
    figure.supxlabel("gap to the oracle in points; of backdoors success in percent", fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=dpi, metadata={"Software": None})  # else its version would be in it
    return image.getvalue()


def _measure(group: Group | None) -> tuple[float, float] | None:
    """Return a value and the value that is as dark as can be; None where nothing was measured."""
    if group is None:
        return None
    value = group.asr if is_backdoor(group.attack) else group.gap
    return None if value is None else (value, 1.0 if is_backdoor(group.attack) else FULL_GAP)


def _shade(cell: tuple[float, float] | None) -> float:
    return math.nan if cell is None else max(0.0, min(1.0, cell[0] / cell[1])) ** 0.5
