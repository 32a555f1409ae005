"""The lone verifier in a folder with nothing but itself, a bundle and a trust file, and without a network."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from both_verifiers import Sound
from standalone import PARTS, PATH

from ledger.bundle.format import VERIFIER_PARTS


def _can_unshare() -> bool:
    command = ["unshare", "-rn", "true"]
    return shutil.which("unshare") is not None and subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("path", [PATH, *PARTS], ids=lambda path: path.name)
def test_it_imports_the_standard_library_and_its_own_parts_only(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported <= {*sys.stdlib_module_names, *(part.stem for part in PARTS)}
    assert not imported & {"socket", "ssl", "http", "urllib", "subprocess", "os", "ctypes", "importlib"}


@pytest.mark.parametrize("path", [PATH, *PARTS], ids=lambda path: path.name)
def test_each_of_its_files_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


def test_its_parts_are_those_that_it_tells_of_and_that_bundles_carry() -> None:
    told = re.findall(r"^    (verify_\w+\.py) ", PATH.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(told) == [part.name for part in PARTS] == sorted(VERIFIER_PARTS)


def test_no_module_of_the_package_imports_it() -> None:
    sources = [path.read_text(encoding="utf-8") for path in PATH.parents[1].rglob("*.py")]
    assert not any(re.search(r"bundle\.verify|bundle import verify", source) for source in sources)


@pytest.mark.chain
@pytest.mark.skipif(not _can_unshare(), reason="no network namespaces without root here")
def test_it_verifies_in_an_empty_network_namespace_and_an_otherwise_empty_folder(sound: Sound, tmp_path: Path) -> None:
    for part in (PATH, *PARTS):
        (tmp_path / part.name).write_bytes(sound.files[part.name])
    shutil.copy(sound.path, tmp_path / "bundle.ftb.zip")
    shutil.copy(sound.trust, tmp_path / "trust.toml")
    command = ["unshare", "-rn", sys.executable, "-I", "-S", "verify.py", "bundle.ftb.zip", "--trust", "trust.toml"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1].startswith("VERIFIED")
    here = {path.name for path in tmp_path.iterdir()}
    assert here == {"bundle.ftb.zip", "trust.toml", PATH.name, *(part.name for part in PARTS)}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("[ledger]\nchain = 1\n", 3),
        ("[anchor]\nblock_hash = {1 = '0x00'}\n", 3),
        ("[anchor]\nwitnesses = {need = 2, keys = []}\n", 3),
        ("not toml", 3),
        ("", 7),
    ],
)
def test_a_trust_file_that_cannot_be_read_stops_it(tmp_path: Path, text: str, status: int) -> None:
    (tmp_path / "trust.toml").write_text(text, encoding="utf-8")
    (tmp_path / "bundle").write_bytes(b"no bundle")
    command = [sys.executable, "-I", str(PATH), str(tmp_path / "bundle"), "--trust", str(tmp_path / "trust.toml")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == status
    assert ("FT202" in ended.stderr) == (status == 3)


def test_a_bundle_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, str(PATH), str(tmp_path / "x")], capture_output=True, check=False)
    assert ended.returncode == 5
