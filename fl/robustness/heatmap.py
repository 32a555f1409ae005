"""The matrix as a picture: SVG without a drawing library, and a page with the same numbers as tables."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from itertools import groupby

from fl.robustness.attackers import is_backdoor
from fl.robustness.cells import LEFT_OUT, Setting
from fl.robustness.summary import Group, Verdict

_CELL_WIDTH, _CELL_HEIGHT, _LEFT, _HEAD, _GAP = 44, 22, 230, 210, 40
FULL_GAP = 0.30
"""Gap to the oracle from which a cell is as dark as can be; of success rates it is 1."""
LIGHT, DARK = (255, 250, 240), (140, 45, 4)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th, td { padding: .2rem .6rem; }
th { text-align: left; border-bottom: 1px solid #777; } td { border-bottom: 1px solid #ddd; }
.scroll { overflow-x: auto; }
"""


def draw(groups: Sequence[Group], *, rules: Sequence[str], attacks: Sequence[str]) -> str:
    """Return a panel for every data set, split and f as one SVG: rules by attacks, a number in every cell.

    Of untargeted attacks it is the gap to the oracle in points of accuracy, of backdoors the success rate in percent,
    both as means over seeds. Rules and attacks come in the given order, those that were not run are not there.
    """
    shown = [g for g in groups if g.attack != LEFT_OUT]
    parts, top, width = [], 0, 0
    for (dataset, partition, f), members in groupby(shown, key=lambda g: (g.dataset, g.partition, g.f)):
        panel = list(members)
        rows = order({g.rule for g in panel}, rules)
        columns = order({g.attack for g in panel}, attacks)
        parts.append(_text(0, top + 16, f"{dataset}, {partition}, f = {f}", "start", "bold"))
        parts += _draw_panel({(g.rule, g.attack): g for g in panel}, rows, columns, top + _HEAD)
        top += _HEAD + _CELL_HEIGHT * len(rows) + _GAP
        width = max(width, _LEFT + _CELL_WIDTH * len(columns) + 110)
    label = "Rules by attacks: gap to the oracle in points, success of backdoors in percent"
    size = f'width="{width}" height="{top}" viewBox="0 0 {width} {top}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" font-size="12">'
    return "\n".join(
        [head, f"<title>{label}</title>", '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"]
    )


def order(present: set[str], known: Sequence[str]) -> list[str]:
    """Return names in their known order, those that are not known behind."""
    place = {name: at for at, name in enumerate(known)}
    return sorted(present, key=lambda name: (place.get(name, len(place)), name))


def _draw_panel(
    groups: dict[tuple[str, str], Group], rows: Sequence[str], columns: Sequence[str], top: float
) -> Iterator[str]:
    for at, attack in enumerate(columns):
        x = _LEFT + _CELL_WIDTH * (at + 0.5)
        yield f'<g transform="translate({x:g} {top - 6:g}) rotate(-55)">{_text(0, 0, attack, "start")}</g>'
    for line, rule in enumerate(rows):
        y = top + _CELL_HEIGHT * line
        yield _text(_LEFT - 8, y + 15, rule, "end")
        for at, attack in enumerate(columns):
            if (rule, attack) in groups:
                yield _draw_cell(_LEFT + _CELL_WIDTH * at, y, groups[rule, attack])


def _draw_cell(x: float, y: float, group: Group) -> str:
    value = group.asr if is_backdoor(group.attack) else group.gap
    if value is None:
        return ""
    share = max(0.0, min(1.0, value / (1 if is_backdoor(group.attack) else FULL_GAP)))
    what = "success" if is_backdoor(group.attack) else "gap"
    told = f"{group.rule} against {group.attack}: {what} {100 * value:.1f}, accuracy {100 * group.accuracy:.1f}"
    box = f'<rect x="{x:g}" y="{y:g}" width="{_CELL_WIDTH - 2}" height="{_CELL_HEIGHT - 2}" fill="{_mix(share)}"/>'
    number = _text(
        x + _CELL_WIDTH / 2 - 1, y + 15, f"{100 * value:.1f}", "middle", fill="#fff" if share > 0.5 else "#000"
    )
    return f"<g><title>{html.escape(told)}</title>{box}{number}</g>"


def _mix(share: float) -> str:
    """Return a colour from light to dark. Args: share: 0 to 1; its root, so that small harm shows too."""
    depth = share**0.5
    return "#" + "".join(f"{round(a + (b - a) * depth):02x}" for a, b in zip(LIGHT, DARK, strict=True))


def _text(x: float, y: float, text: str, anchor: str, weight: str = "normal", fill: str = "#000") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}">'
        f"{html.escape(text)}</text>"
    )


def render_page(setting: Setting, verdicts: Iterable[Verdict], groups: Iterable[Group], figure: str) -> str:
    """Return the picture and its table twins as one HTML file: no script, nothing from elsewhere."""
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(setting).items())
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>Robustness of rules</title><style>{_STYLE}</style></head><body><main>",
            f"<h1>Robustness of rules</h1>\n<p>{html.escape(told)}. Accuracies, gaps and rates are shares of 1.</p>",
            f'<h2>Rules by attacks</h2>\n<div class="scroll">{figure}</div>',
            *_render_table("Verdicts", Verdict, verdicts),
            *_render_table("All groups", Group, groups),
            "</main></body></html>\n",
        ]
    )


def _render_table(title: str, kind: type[Verdict] | type[Group], rows: Iterable[Verdict | Group]) -> Iterator[str]:
    names = [field.name for field in fields(kind)]
    heads = "".join(f'<th scope="col">{name.replace("_", " ")}</th>' for name in names)
    yield f'<h2>{title}</h2>\n<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>'
    for row in rows:
        cells = ("–" if (value := getattr(row, name)) is None else html.escape(str(value)) for name in names)
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</tbody></table></div>"
