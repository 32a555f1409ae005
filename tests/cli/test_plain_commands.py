"""Commands that need no chain: init, script, store, key, explain, completion, doctor."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from command_line import Cli, run_process

from ledger.project import TEMPLATES, Project
from ledger.script import load_script


def test_init_makes_a_project_whose_script_is_valid(cli: Cli, tmp_path: Path) -> None:
    for template in TEMPLATES:
        answer = cli("init", tmp_path / template, "--template", template, "--format", "json")
        assert answer.json["data"]["script"] == f"{template}.yaml"
        assert "fedtrail devnet up" in answer.err
        project = Project.find(tmp_path / template)
        assert load_script(project.root / f"{template}.yaml").run.name == template
        assert ".fedtrail/" in (project.root / ".gitignore").read_text().splitlines()


def test_init_refuses_a_folder_with_a_project(cli: Cli, in_project: Project) -> None:
    before = (in_project.root / "fedtrail.toml").read_bytes()
    answer = cli("init", ".")
    assert answer.status == 2 and "exists already" in answer.err
    assert (in_project.root / "fedtrail.toml").read_bytes() == before


def test_script_check_prints_digest_and_rule(cli: Cli, in_project: Project) -> None:
    data = cli("script", "check", "quickstart.yaml", "--format", "json").json["data"]
    assert data["rule"].endswith("fenced-mean(2)@1") and data["clients"] == 4
    assert data["digest"] == "0x" + load_script("quickstart.yaml").digest().hex()


def test_script_check_names_file_line_and_column(cli: Cli, in_project: Project) -> None:
    path = in_project.root / "quickstart.yaml"
    path.write_text(path.read_text().replace("count: 4", "cuont: 4"))
    answer = cli("script", "check", "quickstart.yaml")
    assert answer.status == 2
    assert answer.err.startswith("FT102: quickstart.yaml:10:3: unknown key 'cuont'; did you mean 'count'?")


def test_script_schema_is_a_json_schema(cli: Cli) -> None:
    schema = cli("script", "schema").json
    assert schema["type"] == "object" and "run" in schema["properties"]


def test_script_new_writes_once(cli: Cli, in_project: Project) -> None:
    assert cli("script", "new", "mine.yaml", "--template", "attack").status == 0
    assert load_script("mine.yaml").run.name == "attack"
    assert cli("script", "new", "mine.yaml").status == 2
    assert load_script("mine.yaml").run.name == "attack"
    assert "fedtrail: 1" in cli("script", "new").out
    assert "did you mean 'attack'" in cli("script", "new", "--template", "atack").err


def test_store_returns_what_was_put_in(cli: Cli, in_project: Project) -> None:
    blob = os.urandom(600_000)
    Path("blob").write_bytes(blob)
    row = cli("store", "add", "blob", "--format", "json").json["data"][0]
    assert row["size_bytes"] == 600_000
    assert cli("store", "get", row["cid"], "-o", "copy").status == 0
    assert Path("copy").read_bytes() == blob
    assert cli("store", "stat", row["cid"], "--format", "json").json["data"]["num_blocks"] == 4
    assert [r["cid"] for r in cli("store", "list", "--format", "json").json["data"]] == [row["cid"]]


def test_store_moves_a_blob_to_another_project_as_a_car(cli: Cli, in_project: Project, tmp_path: Path) -> None:
    cid = cli("store", "add", "fedtrail.toml", "--format", "json").json["data"][0]["cid"]
    assert cli("store", "export", cid, "blob.car").status == 0
    other = Project.create(tmp_path / "other")
    imported = cli("store", "import", "blob.car", "--project", other.root, "--format", "json").json["data"][0]
    assert imported["cid"] == cid
    assert cli("store", "get", cid, "-o", "copy", "--project", other.root).status == 0
    assert Path("copy").read_bytes() == Path("fedtrail.toml").read_bytes()


def test_store_tells_wrong_absent_corrupt_and_large_blobs_apart(cli: Cli, in_project: Project) -> None:
    absent = "bafkreigts73fqkpgsx726znkrk5ruonegdj64yvlejbwo4krdgupgfswgy"
    assert (cli("store", "get", "Qm123", "-o", "x").status, cli("store", "get", absent, "-o", "x").status) == (5, 8)
    cid = cli("store", "add", "fedtrail.toml", "--format", "json").json["data"][0]["cid"]
    large = cli("store", "get", cid, "-o", "x", "--max-bytes", "10")
    assert large.status == 7 and large.err.startswith("FT716")
    block = next(p for p in in_project.store_path.rglob("*.data"))
    block.chmod(0o644)
    block.write_bytes(b"x" + block.read_bytes()[1:])
    corrupt = cli("store", "get", cid, "-o", "x")
    assert corrupt.status == 7 and corrupt.err.startswith("FT708") and cid in corrupt.err
    assert not Path("x").exists()
    assert cli("store", "add", "absent").status == 5


def test_keys_are_made_without_a_running_chain(cli: Cli, in_project: Project) -> None:
    address = cli("key", "new", "hospital-a", "--format", "json").json["data"]["address"]
    assert cli("key", "address", "hospital-a").out.strip() == address
    listed = cli("key", "list", "--format", "json").json["data"]
    assert [(row["name"], row["address"]) for row in listed] == [("hospital-a", address)]
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in in_project.keys_dir.iterdir() if p.is_file())
    again = cli("key", "new", "hospital-a")
    assert again.status == 3 and again.err.startswith("FT212")
    missing = cli("key", "address", "hospital-b")
    assert missing.status == 3 and missing.err.startswith("FT211")


def test_keys_of_a_real_network_need_a_password(cli: Cli, in_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = in_project.root / "fedtrail.toml"
    path.write_text(path.read_text() + '\n[networks.live]\nrpc = "http://127.0.0.1:1"\nchain_id = 5\n')
    locked = cli("key", "new", "a", "--network", "live")
    assert locked.status == 3 and locked.err.startswith("FT210")
    monkeypatch.setenv("FEDTRAIL_KEY_PASSWORD", "correct horse battery")
    assert cli("key", "new", "a", "--network", "live").status == 0
    for command in (("key", "list"), ("key", "new", "b")):
        answer = cli(*command, "--network", "live")
        assert "correct horse" not in answer.out + answer.err


def test_rotating_a_key_in_the_file_only_keeps_the_earlier_one(cli: Cli, in_project: Project) -> None:
    before = cli("key", "new", "a", "--format", "json").json["data"]["address"]
    after = cli("key", "rotate", "a", "--local", "--format", "json").json["data"]["address"]
    assert before != after
    assert cli("key", "list", "--format", "json").json["data"][0]["earlier"] == 1


def test_explain_prints_cause_fix_and_relatives(cli: Cli) -> None:
    data = cli("explain", "ft402", "--format", "json").json["data"]
    assert data["code"] == "FT402" and data["exit_status"] == 3
    assert data["fix"] == "correct `rpc` or `chain_id` in fedtrail.toml."
    assert "FT403" in data["related"]
    assert cli("explain", "402").out == cli("explain", "FT402").out
    unknown = cli("explain", "FT409x")
    assert unknown.status == 5 and "did you mean 'FT409'" in unknown.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(cli: Cli, shell: str) -> None:
    script = cli("completion", shell).out
    assert "_FEDTRAIL_COMPLETE" in script and "fedtrail" in script


def test_bash_accepts_its_completion_script(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "completion"
    path.write_text(cli("completion", "bash").out)
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_completion_answers_with_commands(tmp_path: Path) -> None:
    words = {"_FEDTRAIL_COMPLETE": "bash_complete", "COMP_WORDS": "fedtrail round re", "COMP_CWORD": "2"}
    assert run_process(cwd=tmp_path, **words).out.splitlines() == ["plain,replay"]


def test_doctor_outside_a_project_checks_the_machine(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = cli("doctor", "--format", "json")
    checks = {row["what"]: row for row in answer.json["data"]}
    assert answer.status == 0
    assert checks["python"]["status"] == "ok" and checks["project"]["status"] == "warn"
    assert checks["project"]["fix"] == "fedtrail init"


def test_doctor_finds_a_broken_journal_and_exits_with_3(cli: Cli, in_project: Project) -> None:
    in_project.journal_path.parent.mkdir(exist_ok=True)
    in_project.journal_path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    answer = cli("doctor")
    assert answer.status == 3
    assert "[FAIL] journal:" in answer.out and "[ok]   store:" in answer.out
    assert "[warn] devnet: not running  -> fedtrail devnet up" in answer.out


def test_doctor_names_the_line_of_a_mistake_in_the_configuration(cli: Cli, in_project: Project) -> None:
    path = in_project.root / "fedtrail.toml"
    path.write_text(path.read_text().replace("chain_id", "chian_id"))
    answer = cli("doctor")
    assert answer.status == 3 and "FT202" in answer.out and "did you mean 'chain_id'" in answer.out


def test_doctor_finds_missing_tools(cli: Cli, in_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDTRAIL_NODE", "/absent/node")
    rows = {row["what"]: row for row in cli("doctor", "--format", "json").json["data"]}
    assert rows["node"]["status"] == "warn"


def test_a_run_that_was_never_started_is_said_so(cli: Cli, in_project: Project) -> None:
    answer = cli("run", "list")
    assert (answer.status, answer.out) == (0, "") and "no runs yet" in answer.err
    assert json.loads(cli("run", "list", "--format", "json").out)["data"] == []


def test_options_find_project_and_network(cli: Cli, in_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert cli("key", "list").status == 3
    monkeypatch.setenv("FEDTRAIL_PROJECT", str(in_project.root))
    assert cli("key", "list").status == 0
    answer = cli("contract", "info", "--network", "devnte")
    assert answer.status == 5 and "did you mean 'devnet'" in answer.err
    down = cli("contract", "info")
    assert down.status == 4 and down.err.startswith("FT401: the devnet is not running")
