"""Projects: fedtrail.toml is found, checked, and changed without harm to what a person wrote."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from ledger import artifacts
from ledger.chain.network import Deployment
from ledger.errors import BadConfiguration, CannotReach, NoProject, NotFoundError, UsageError
from ledger.project import FILE_NAME, Project

DEPLOYMENT = Deployment(
    contracts={key: f"0x{number:040x}" for number, key in enumerate(artifacts.KEYS, start=1)},
    code_hash="0x" + "ab" * 32,
    deploy_block=7,
    deploy_block_hash="0x" + "cd" * 32,
)

CONFIGURATION = """\
fedtrail = 1

[networks.lab]   # the consortium's chain
rpc = "http://127.0.0.1:8545"
chain_id = 1337  # ours
confirmations = 2

[store]
path = "blocks"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / FILE_NAME
    path.write_text(text)
    return path


def test_project_is_found_from_a_folder_below(tmp_path: Path) -> None:
    write(tmp_path, CONFIGURATION)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    project = Project.find(below)
    assert project.root == tmp_path.resolve()
    assert project.store_path == tmp_path.resolve() / "blocks"
    assert project.keys_dir == project.state_dir / "keys"


def test_no_project_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(NoProject, match=str(tmp_path)) as caught:
        Project.find(tmp_path)
    assert (caught.value.code, caught.value.hint) == ("FT201", "run: fedtrail init")


def test_network_has_the_values_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, CONFIGURATION)
    network = Project.find(tmp_path).network("lab")
    assert (network.name, network.rpc, network.chain_id) == ("lab", "http://127.0.0.1:8545", 1337)
    assert (network.confirmations, network.devnet, network.contracts) == (2, False, {})
    assert Project.find(tmp_path).network() == network


def test_an_unknown_network_suggests_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, CONFIGURATION)
    with pytest.raises(NotFoundError, match="no network 'lap'; did you mean 'lab'"):
        Project.find(tmp_path).network("lap")


def test_a_devnet_that_is_down_is_said_to_be_down(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p")
    with pytest.raises(CannotReach, match="the devnet is not running"):
        project.network()


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("confirmations", "confirmation", ":6:1", "unknown key 'confirmation'; did you mean 'confirmations'?"),
        ("[store]", "[stoer]", ":8:2", "unknown key 'stoer'; did you mean 'store'?"),
        ("1337 ", '"1337"', ":5:1", "expected a whole number"),
        ("= 2", "= true", ":6:1", "expected a whole number"),
        ("= 2", "= -1", ":6:1", "expected 0 or more"),
        ("http://", "ftp://", ":4:1", "no http:// or https:// address"),
        ('rpc = "http://127.0.0.1:8545"\n', "", ":3:11", "lacks rpc"),
        ("confirmations = 2", 'registry = "0x12"', ":6:1", "'0x12' is no address"),
        ("[networks.lab]", "[networks.'a b']", ":3:11", "letters, digits"),
        ("chain_id = 1337", "chain_id = ", ":5:", "Invalid value"),
        ("fedtrail = 1", "fedtrail = 2", ":1:1", "this release reads 1"),
    ],
)
def test_mistakes_name_the_line(tmp_path: Path, old: str, new: str, where: str, words: str) -> None:
    path = write(tmp_path, CONFIGURATION.replace(old, new, 1))
    with pytest.raises(BadConfiguration) as caught:
        Project.find(tmp_path)
    assert caught.value.code == "FT202"
    assert f"{path}{where}" in caught.value.message and words in caught.value.message


def test_a_file_without_networks_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "fedtrail = 1\n")
    with pytest.raises(BadConfiguration, match="no network"):
        Project.find(tmp_path)


def test_saving_a_deployment_keeps_every_other_line(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIGURATION)
    path.chmod(0o640)
    project = Project.find(tmp_path)
    for _ in range(2):  # a second deployment replaces the first
        project = project.save_deployment("lab", DEPLOYMENT)
    lines = path.read_text().splitlines()
    assert [line for line in lines if line in CONFIGURATION.splitlines()] == CONFIGURATION.splitlines()
    assert len(lines) == len(CONFIGURATION.splitlines()) + len(artifacts.KEYS) + 3
    assert project.network("lab").contracts == DEPLOYMENT.contracts
    assert project.network("lab").deploy_block == 7
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == [FILE_NAME]


def test_saving_a_deployment_into_an_inline_table_keeps_its_values(tmp_path: Path) -> None:
    inline = '[networks]\nlab = {rpc = "http://x", chain_id = 3}\nother = {rpc = "http://y", chain_id = 4}\n'
    path = write(tmp_path, inline)
    project = Project.find(tmp_path).save_deployment("lab", DEPLOYMENT)
    assert project.network("lab").rpc == "http://x"
    assert project.network("lab").code_hash == DEPLOYMENT.code_hash
    assert tomllib.loads(path.read_text())["networks"]["other"] == {"rpc": "http://y", "chain_id": 4}


def test_a_layout_that_cannot_be_edited_is_left_alone(tmp_path: Path) -> None:
    text = 'networks = {lab = {rpc = "http://x", chain_id = 3}}\n'
    path = write(tmp_path, text)
    with pytest.raises(BadConfiguration, match="cannot edit") as caught:
        Project.find(tmp_path).save_deployment("lab", DEPLOYMENT)
    assert path.read_text() == text
    assert DEPLOYMENT.contracts["ledger"] in caught.value.hint


def test_create_overwrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    Project.create(folder, "attack")
    (folder / "quickstart.yaml").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UsageError, match="exists already"):
        Project.create(folder)
    (folder / FILE_NAME).unlink()
    Project.create(folder, "quickstart")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_create_with_an_unknown_template_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="did you mean 'hospitals'"):
        Project.create(tmp_path / "p", "hospital")
    assert not (tmp_path / "p").exists()
