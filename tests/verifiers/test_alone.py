"""The lone verifier in a folder with nothing but itself, a bundle and a trust file, and without a network."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from both_verifiers import Sound
from standalone import PATH


def _can_unshare() -> bool:
    command = ["unshare", "-rn", "true"]
    return shutil.which("unshare") is not None and subprocess.run(command, check=False).returncode == 0


def test_it_imports_the_standard_library_only() -> None:
    imported = set()
    for node in ast.walk(ast.parse(PATH.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported <= set(sys.stdlib_module_names)
    assert not imported & {"socket", "ssl", "http", "urllib", "subprocess", "os", "ctypes", "importlib"}


def test_no_module_of_the_package_imports_it() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (PATH.parents[1]).rglob("*.py") if path != PATH]
    assert not any("bundle.verify" in source or "bundle import verify" in source for source in sources)


@pytest.mark.chain
@pytest.mark.skipif(not _can_unshare(), reason="no network namespaces without root here")
def test_it_verifies_in_an_empty_network_namespace_and_an_otherwise_empty_folder(sound: Sound, tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_bytes(sound.files["verify.py"])
    shutil.copy(sound.path, tmp_path / "bundle.ftb.zip")
    shutil.copy(sound.trust, tmp_path / "trust.toml")
    command = ["unshare", "-rn", sys.executable, "-I", "-S", "verify.py", "bundle.ftb.zip", "--trust", "trust.toml"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1].startswith("VERIFIED")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.ftb.zip", "trust.toml", "verify.py"]


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
