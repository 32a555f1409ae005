"""Originals beside reconstructions: PNG without an imaging library, and a page that holds the pictures."""

from __future__ import annotations

import base64
import html
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from fl.leakage.cells import Cell, Outcome, Setting

_ZOOM, _GAP = 5, 6
_PAPER = 255
Grey = NDArray[np.uint8]
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th, td { padding: .2rem .6rem; }
th { text-align: left; border-bottom: 1px solid #777; } td { border-bottom: 1px solid #ddd; } img { display: block; }
"""


def encode_png(pixels: Grey) -> bytes:
    """Return a greyscale picture of 8 bits as PNG. Args: pixels: uint8 [height, width]. ISO/IEC 15948, filter 0."""
    height, width = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in np.ascontiguousarray(pixels))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_encode_chunk(*chunk) for chunk in chunks)


def _encode_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def draw_row(images: Sequence[Grey]) -> Grey:
    """Return square images side by side, dark on light, enlarged: uint8 [height, width].

    Args: images: uint8 [pixels] each, at least one.
    """
    side = math.isqrt(images[0].size)
    big = [np.kron(255 - image.reshape(side, side), np.ones((_ZOOM, _ZOOM), np.uint8)) for image in images]
    gap = np.full((side * _ZOOM, _GAP), _PAPER, np.uint8)
    return np.hstack([part for image in big for part in (image, gap)])


def draw_sheet(rows: Sequence[Grey]) -> Grey:
    """Return rows of the same width one below the other."""
    gap = np.full((_GAP, rows[0].shape[1]), _PAPER, np.uint8)
    return np.vstack([part for row in rows for part in (row, gap)])


def read_samples(outcome: Outcome) -> list[Grey]:
    """Return the reconstructions that an outcome keeps, uint8 [pixels] each."""
    return [np.frombuffer(bytes.fromhex(text), np.uint8) for text in outcome.samples]


def draw_attack(originals: Sequence[Grey], outcomes: Sequence[Outcome]) -> bytes:
    """Return a PNG: originals on top, then a row of reconstructions for each protection."""
    return encode_png(draw_sheet([draw_row(originals), *(draw_row(read_samples(each)) for each in outcomes)]))


def render_page(setting: Setting, originals: Sequence[Grey], outcomes: Mapping[Cell, Outcome]) -> str:
    """Return all figures and pictures as one HTML file: no script, nothing from elsewhere."""
    told = ", ".join(f"{name} {value}" for name, value in asdict(setting).items())
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>What attackers recover</title><style>{_STYLE}</style></head><body><main>",
            f"<h1>What attackers recover</h1>\n<p>{html.escape(told)}. An image counts as recovered below a mean",
            "squared error of 0.01. First the originals, then the nearest that each attack found.</p>",
            f"<p>{_embed(draw_row(originals), 'originals')}</p>",
            *_render_attacks(outcomes),
            "</main></body></html>\n",
        ]
    )


def _render_attacks(outcomes: Mapping[Cell, Outcome]) -> Iterator[str]:
    for (attack, model), cells in groupby(outcomes, key=lambda cell: (cell.attack, cell.model)):
        yield f"<h2>{attack} on {model}</h2>\n<table><thead><tr>"
        heads = ("protection", "recovered", "MSE", "PSNR (dB)", "AUC", "nearest reconstructions")
        yield "".join(f'<th scope="col">{name}</th>' for name in heads) + "</tr></thead><tbody>"
        for cell in cells:
            found = outcomes[cell]
            picture = _embed(draw_row(read_samples(found)), str(cell)) if found.samples else "–"
            figures = (_show(found.recovered, ".0%"), _show(found.mse, ".2g"), _show(found.psnr, ".1f"))
            texts = (html.escape(cell.protection), *figures, _show(found.auc, ".2f"), picture)
            yield f"<tr>{''.join(f'<td>{text}</td>' for text in texts)}</tr>"
        yield "</tbody></table>"


def _embed(pixels: Grey, text: str) -> str:
    data = base64.b64encode(encode_png(pixels)).decode()
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}">'


def _show(value: float | None, how: str) -> str:
    return "–" if value is None else format(value, how)
