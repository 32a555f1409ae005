"""The privacy bench: what it measures, that it goes on where it was, and the pictures it draws."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from make_privacy_report import SOURCE, TARGET, render

from fl.leakage.cells import Cell, Outcome, Setting, parse_protection
from fl.leakage.command import privacy
from fl.leakage.pictures import encode_png
from fl.leakage.results import ResultsFile
from ledger.errors import ConfigurationError, UsageError


def run(output: Path, *args: str) -> Result:
    result = CliRunner().invoke(privacy, ["--output", str(output), "--format", "json", *args])
    assert result.exit_code == 0, result.output
    return result


def read(output: Path) -> list[dict[str, object]]:
    return json.loads((output / "privacy.json").read_text())["cells"]


def test_the_bench_shows_the_leak_and_what_stops_it(tmp_path: Path) -> None:
    attacks, protections = "analytic/mlp,imprint/mlp,class/mlp", "none,clip,clip+noise(0.03),sum(8)"
    run(tmp_path, "--attacks", attacks, "--protections", protections, "--images", "48")
    shares = {(c["attack"], c["protection"]): c["recovered"] for c in read(tmp_path) if c["attack"] != "class"}
    assert shares["analytic", "none"] == shares["analytic", "clip"] == 1.0
    assert shares["analytic", "clip+noise(0.03)"] == shares["imprint", "clip+noise(0.03)"] == 0.0
    assert shares["analytic", "sum(8)"] == 0.0
    assert shares["imprint", "sum(8)"] > 0.5, "secure aggregation alone does not stop a malicious server"
    page = (tmp_path / "privacy.html").read_text()
    assert page.count("<img ") == 1 + 8
    assert (tmp_path / "privacy-imprint-mlp.png").read_bytes().startswith(b"\x89PNG")


def test_a_bench_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    lines = tmp_path / "privacy.jsonl"
    run(tmp_path, "--attacks", "analytic/mlp", "--protections", "none,clip", "--images", "10")
    before = lines.read_bytes()
    lines.write_bytes(before + b'{"cell": {"att')
    run(tmp_path, "--attacks", "analytic/mlp", "--protections", "none,clip,sum(2)", "--images", "10")
    assert lines.read_bytes().startswith(before), "what was known is not measured again"
    assert [cell["protection"] for cell in read(tmp_path)] == ["none", "clip", "sum(2)"]


def test_a_file_of_another_setting_is_not_mixed_in(tmp_path: Path) -> None:
    ResultsFile(tmp_path / "x.jsonl", Setting(seed=1))
    with pytest.raises(ConfigurationError):
        ResultsFile(tmp_path / "x.jsonl", Setting(seed=2))


def test_outcomes_come_back_as_they_were_written(tmp_path: Path) -> None:
    cell = Cell(attack="idlg", model="cnn", protection="sum(8)+noise(0.1)")
    outcome = Outcome(images=8, recovered=0.5, mse=0.01, psnr=20.0, auc=None, seconds=1.5, samples=("00ff",))
    ResultsFile(tmp_path / "x.jsonl", Setting()).add(cell, outcome)
    assert ResultsFile(tmp_path / "x.jsonl", Setting()).outcomes == {cell: outcome}


def test_noise_comes_with_clipping_and_a_sum_hides_its_parts() -> None:
    assert parse_protection("none").clip_norm is None
    assert parse_protection("clip+noise(0.03)").noise == 0.03
    found = parse_protection("sum(8x4)+noise(0.1)")
    assert (found.clients, found.examples, found.group, found.clip_norm) == (8, 4, 32, 1.0)
    assert parse_protection("sum(8)").clip_norm is None


@pytest.mark.parametrize("text", ["", "clip+", "noise(0.1)", "none+noise(0.1)", "sum(0)", "sum(8x0)", "sum()", "clip "])
def test_no_other_text_is_a_protection(text: str) -> None:
    with pytest.raises(UsageError):
        parse_protection(text)


def test_a_picture_is_a_png_that_holds_its_pixels() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    data, chunks = encode_png(pixels), {}
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size]) == (zlib.crc32(name + body),)
        chunks[name], at = body, at + 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (4, 3, 8, 0, 0, 0, 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(3, 5)
    assert np.array_equal(lines[:, 1:], pixels)
    assert not lines[:, 0].any()


def test_the_page_shows_the_committed_result() -> None:
    assert TARGET.read_text("utf-8") == render(), "run: python scripts/make_privacy_report.py"


def test_the_committed_result_holds_what_the_page_says() -> None:
    cells = {(c["attack"], c["model"], c["protection"]): c for c in json.loads(SOURCE.read_text())["cells"]}
    assert min(cell["images"] for cell in cells.values()) >= 100
    images = {key: cell["recovered"] for key, cell in cells.items() if cell["recovered"] is not None}
    attacked = {key[:2] for key in images if key[0] not in ("blind", "joint")}
    assert all(images[*pair, "none"] >= 0.95 for pair in attacked), "an attack that finds little is a toy"
    assert all(images[*pair, "clip"] >= 0.95 for pair in attacked), "clipping alone protects nothing"
    enough = ("clip+noise(0.05)", "clip+noise(0.1)", "sum(8)+noise(0.1)")
    assert {images[key] for key in images if key[2] in enough} == {0.0}
    alone = ("analytic", "dlg", "idlg", "cosine")
    assert {images[key] for key in images if key[0] in alone and key[2] in ("sum(8)", "sum(16)")} == {0.0}
    assert images["imprint", "mlp", "sum(8)"] > 0.5
    assert images["joint", "mlp", "sum(8)"] > 0.5, "the page says that a sum alone protects nobody"
