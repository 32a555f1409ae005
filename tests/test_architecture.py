"""The shape of the code: who may import whom, what is documented, what a cold start costs."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(file for package in ("ledger", "fl") for file in (ROOT / package).rglob("*.py"))

# What reaches outside the process. The judge takes values and touches nothing of this.
OUTSIDE = {
    "aiohttp", "ftplib", "http", "importlib.resources", "ipfshttpclient", "multiprocessing", "os", "pathlib",
    "requests", "shutil", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "time", "urllib", "urllib3", "web3",
}  # fmt: skip
PURE = ("ledger.spec", "ledger.commitments", "ledger.audit", "ledger.records", "ledger.scoring")
NETWORKED = ("ledger.chain", "ledger.devnet", "ledger.history", "ledger.index", "ledger.store")
COMPOSERS = ("fl.federation", "fl.flower", "fl.scale")


@cache
def build_graph() -> grimp.ImportGraph:
    return grimp.build_graph("ledger", "fl", include_external_packages=True, cache_dir=None)


def is_inside(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def get_imported_names(file: Path) -> set[str]:
    """Return the absolute names that a file imports, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def test_import_directions_hold():
    # In a process of its own: it sets logging up anew, which closes the streams of handlers that other tests have left.
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", PURE)
def test_what_judges_cannot_reach_files_network_or_clock(package):
    graph = build_graph()
    pure = [module for module in graph.modules if is_inside(module, (package,))]
    outside = [module for module in graph.modules if module in OUTSIDE or is_inside(module, NETWORKED)]
    assert pure, f"{package} does not exist"
    chains = [graph.find_shortest_chain(a, b) for a in pure for b in outside]
    assert [" -> ".join(chain) for chain in chains if chain] == []


def test_specification_needs_the_standard_library_only():
    allowed = set(sys.stdlib_module_names) | {"ledger"}
    files = [file for file in MODULES if is_inside(get_name(file), ("ledger.spec",))]
    assert files
    foreign = {
        (get_name(f), name) for f in files for name in get_imported_names(f) if name.split(".")[0] not in allowed
    }
    assert foreign == set()


def test_only_federation_flower_and_the_bench_of_whole_ledgers_see_chain_and_store():
    graph = build_graph()
    offenders = {
        (module, imported)
        for module in graph.modules
        if is_inside(module, ("fl",)) and not is_inside(module, COMPOSERS)
        for imported in graph.find_modules_directly_imported_by(module)
        if is_inside(imported, ("ledger.chain", "ledger.store"))
    }
    assert offenders == set()


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_module_says_what_it_is_for(file):
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    assert docstring, f"{file.relative_to(ROOT)} has no docstring"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_bytes_from_strangers_become_code(file):
    unsafe = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
    assert not {name.split(".")[0] for name in get_imported_names(file)} & unsafe
    calls = [
        ast.unparse(node.func) for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)
    ]
    assert not {"eval", "exec", "torch.load", "yaml.load", "yaml.unsafe_load", "os.system"} & set(calls)


def test_command_line_starts_without_heavy_libraries():
    heavy = ("torch", "numba", "llvmlite", "web3", "sklearn", "scipy", "pandas")
    report = "import sys, ledger.cli; print([m for m in sys.argv[1:] if m in sys.modules])"
    command = [sys.executable, "-c", report, *heavy]
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip() == "[]"


def get_name(file: Path) -> str:
    """Return the dotted name of a module file."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
