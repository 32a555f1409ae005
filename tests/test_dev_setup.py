"""scripts/dev.py: what it refuses, what it repeats, what it leaves behind, and the locks it installs from."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import dev
import pytest
from devtools import checks, commands, environment, places, processes
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
UNREACHABLE = "http://127.0.0.1:9"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing was installed yet."""
    for name in ("pyproject.toml", "constraints.txt", "package.json", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run_dev(checkout: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run dev.py on a machine that is offline; before is Python to run first in the same process."""
    offline = {
        "HOME": str(checkout), "PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0",
        "PIP_INDEX_URL": UNREACHABLE, "HTTP_PROXY": UNREACHABLE, "HTTPS_PROXY": UNREACHABLE,
        "npm_config_registry": UNREACHABLE, "npm_config_fetch_retries": "0",
    }  # fmt: skip
    code = f"{before}\nimport runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys._base_executable, "-c", code, str(checkout / "scripts" / "dev.py"), *arguments]
    return subprocess.run(command, env=offline, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("version", [(2, 7), (3, 9), (3, 10), (3, 14), (4, 0)])
def test_unfit_python_gets_one_line_that_names_what_fits(version):
    refusal = dev.refuse_python(version)
    assert refusal and "3.11, 3.12 or 3.13" in refusal and "{}.{}".format(*version) in refusal
    assert "\n" not in refusal


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_fit_python_is_accepted(version):
    assert dev.refuse_python(version) is None


def test_old_pythons_can_read_the_file_that_refuses_them():
    source = (ROOT / "scripts" / "dev.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 4))
    assert "annotations" not in source


def test_python_without_venv_is_told_the_package_to_install(checkout):
    done = run_dev(checkout, "setup", before="import sys; sys.modules['ensurepip'] = None")
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: this Python cannot make virtual environments .*apt install python3-venv\n", done.stderr
    )


@pytest.mark.slow
def test_first_run_offline_names_the_step_and_the_cause(checkout):
    done = run_dev(checkout, "demo")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert re.fullmatch(r"error: set-up stopped at '(torch|Python packages).*': the package registry cannot be "
                        r"reached: are you offline\? .*; log: \.dev/logs/\S+\.log", last)  # fmt: skip
    assert "Traceback (most recent call last)" not in done.stdout + done.stderr


def test_second_set_up_needs_no_network_and_no_time():
    started = time.monotonic()
    done = run_dev(ROOT, "setup")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 3
    assert re.fullmatch(r"set up in 0\.\d s: .*\n", done.stdout)


def test_a_changed_lock_makes_the_stamp_stale(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text("a")
    environment.write_stamp(tmp_path, {"inputs": environment.hash_files([lock])})
    lock.write_text("b")
    assert environment.read_stamp(tmp_path) != {"inputs": environment.hash_files([lock])}


def test_a_torn_stamp_counts_as_none(tmp_path):
    (tmp_path / environment.STAMP).write_text('{"inputs": "ab')
    assert environment.read_stamp(tmp_path) == {}


@pytest.mark.parametrize(
    ("log", "hint"),
    [
        ("error: command 'gcc' failed: No such file or directory", "C compiler"),
        ("error: command '/usr/bin/x86_64-linux-gnu-gcc' failed: No such file", "C compiler"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "offline"),
        ("npm error code ENOTFOUND", "offline"),
        ("npm error code EUSAGE", "does not fit package.json"),
        ("something never seen", "see its last lines"),
    ],
)
def test_a_failed_step_says_its_likely_cause(log, hint, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(processes, "LOGS", tmp_path)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    command = [sys.executable, "-c", "import sys; print(sys.argv[1]); sys.exit(3)", log]
    with pytest.raises(places.Refusal, match=hint):
        environment.step("a step", command)
    assert log in capsys.readouterr().err


def test_every_stage_runs_and_one_failure_fails_all(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(processes, "LOGS", tmp_path / "logs")
    marker = tmp_path / "ran"
    stages = [
        checks.Stage("fails", [sys.executable, "-c", "print('the reason'); raise SystemExit(1)"]),
        checks.Stage("runs on", [sys.executable, "-c", "import sys; open(sys.argv[1], 'w')", marker]),
    ]
    assert checks.run_stages(stages) == 1
    assert marker.exists()
    out, err = capfd.readouterr()
    assert "the reason" in out
    assert "1 of 2 stages failed: fails" in err
    assert checks.run_stages(stages[1:]) == 0


@pytest.mark.skipif(os.name == "nt", reason="process groups of POSIX")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_ends_children_and_grandchildren(number, status, tmp_path):
    child = "import subprocess; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); p.wait()"
    action = f"lambda o: processes.run_logged('child', [sys.executable, '-c', {child!r}]).status"
    parent = (
        f"import sys; from pathlib import Path; from devtools import commands, processes\n"
        f"processes.LOGS = Path({str(tmp_path)!r}); commands.WITH_REST['node'] = {action}\n"
        f"sys.exit(commands.run(['node']))"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")})
    grandchild = int(wait_for_line(tmp_path / "child.log"))
    process.send_signal(number)
    assert process.wait(10) == status
    deadline = time.monotonic() + 5
    while is_alive(grandchild) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(grandchild)


def wait_for_line(file: Path) -> str:
    """Return a file's first line once it is there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if file.exists() and file.read_text().endswith("\n"):
            return file.read_text().splitlines()[0]
        time.sleep(0.05)
    raise AssertionError(f"{file} stayed empty")


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that ended and waits to be read does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_an_unfit_node_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("FEDTRAIL_NODE", sys.executable)
    with pytest.raises(places.Refusal, match=r"is not a Node of at least 22\.13"):
        places.get_node()


def test_node_that_set_up_brings_is_new_enough_for_hardhat(monkeypatch):
    monkeypatch.delenv("FEDTRAIL_NODE", raising=False)
    wheel = places.get_node_wheel()
    assert wheel and places.get_node().startswith(str(wheel))
    assert places.is_new_enough(places.get_node())


def test_arguments_after_the_command_reach_its_program_untouched(monkeypatch):
    seen = []
    monkeypatch.setitem(commands.WITH_REST, "test", lambda options: seen.append(options.rest) or 0)
    assert commands.run(["test", "--", "-k", "tree", "--help"]) == 0
    assert seen == [["-k", "tree", "--help"]]


def read_constraints() -> dict[str, Version]:
    """Return the pins of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    unpinned = [line for line in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9A-Za-z.]*", line)]
    assert unpinned == []
    return {name: Version(version) for name, version in (pin.split("==") for pin in pins)}


def test_constraints_hold_a_version_of_every_package_that_development_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [
        *project["dependencies"],
        *(line for name in ("fl", "data", "devnet", "fast", "dev") for line in extras[name]),
    ]
    pins = read_constraints()
    for requirement in map(Requirement, asked):
        if requirement.name != "fedtrail":
            pin = pins[re.sub("[-_.]+", "-", requirement.name).lower()]
            assert requirement.specifier.contains(pin, prereleases=True), f"{requirement} is pinned to {pin}"


@pytest.mark.parametrize("folder", ["", "tests/ipfs/daemon"])
def test_npm_lock_is_complete_and_names_no_registry(folder):
    lock = json.loads((ROOT / folder / "package-lock.json").read_text("utf-8"))
    wanted = json.loads((ROOT / folder / "package.json").read_text("utf-8"))["devDependencies"]
    packages = lock["packages"]
    assert packages[""]["devDependencies"] == wanted
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-"), name
        for optional in package.get("optionalDependencies", {}):
            assert any(path.endswith("node_modules/" + optional) for path in packages), f"{name} lacks {optional}"


@pytest.mark.slow
def test_wheel_carries_every_file_of_both_packages(tmp_path):
    build = [
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("fedtrail-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if not name.startswith("fedtrail-")}
    listed = subprocess.run(["git", "ls-files", "ledger", "fl"], cwd=ROOT, check=True, capture_output=True, text=True)
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    assert {"ledger/py.typed", "fl/py.typed", "ledger/spec/tree.py"} <= tracked
    assert tracked - carried == set()
    assert not {name for name in carried if name.split("/")[0] not in ("ledger", "fl")}
