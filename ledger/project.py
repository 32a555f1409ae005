"""A project: the folder with fedtrail.toml, its networks, store, keys and journal."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger import artifacts
from ledger.errors import BadConfiguration, CannotReach, NoProject, NotFoundError, UsageError
from ledger.marked import Document, SyntaxProblem, parse
from ledger.suggestions import suggest
from ledger.tomlfile import set_network_values, write_atomically

if TYPE_CHECKING:
    from ledger.chain.network import Deployment, Network

FILE_NAME = "fedtrail.toml"
TEMPLATES = ("quickstart", "hospitals", "attack", "masked", "grouped", "private", "encrypted", "homomorphic")
"""Round scripts that `Project.create` can write."""

_NETWORK_TYPES: dict[str, type] = {
    "rpc": str,
    "chain_id": int,
    **dict.fromkeys(artifacts.NAMES, str),
    "code_hash": str,
    "deploy_block": int,
    "deploy_block_hash": str,
    "confirmations": int,
    "ca_file": str,
    "devnet": bool,
}
_SECTIONS: dict[str, dict[str, type]] = {"store": {"path": str, "ipfs": str, "ca_file": str}}
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_NEW_PROJECT = """\
# A fedtrail project: docs/cli.md. Keys and passwords never belong in this file.
fedtrail = 1

[networks.devnet]
# `fedtrail devnet up` chooses a free port; the address is read from its state.
devnet = true
chain_id = 31337
confirmations = 0

[store]
path = ".fedtrail/blocks"
# ipfs = "/ip4/127.0.0.1/tcp/5001"    # a Kubo daemon's RPC address instead of the embedded store
"""

_GITIGNORE = """\
# keys, journal, blocks and the devnet's state
.fedtrail/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A checked fedtrail.toml and the paths that follow from it."""

    root: Path
    """Folder of fedtrail.toml."""
    network_tables: dict[str, dict[str, Any]]
    """Its networks by name, as written."""
    store_path: Path
    """Folder of the embedded content store."""
    ipfs: str | None
    """RPC address of an IPFS daemon that is used instead, if any."""
    ipfs_ca_file: str | None = None
    """Certificates of the authorities that are trusted to name it, PEM; None for those that all trust."""

    @property
    def state_dir(self) -> Path:
        """Folder of everything that is not for version control."""
        return self.root / ".fedtrail"

    @property
    def keys_dir(self) -> Path:
        """Folder of the keystore."""
        return self.state_dir / "keys"

    @property
    def journal_path(self) -> Path:
        """File of the journal."""
        return self.state_dir / "journal.sqlite"

    @property
    def networks(self) -> dict[str, Network]:
        """Every network that can be named now, by name; a stopped devnet has an empty address."""
        return {name: self._build_network(name) for name in self.network_tables}

    @property
    def default_network(self) -> str:
        """Name of the network that is used when none is named: FEDTRAIL_NETWORK, or the first of the file."""
        return os.environ.get("FEDTRAIL_NETWORK") or next(iter(self.network_tables))

    @staticmethod
    def find(start: Path | None = None) -> Project:
        """Return the project of a folder or of the nearest one above it.

        Raises: NoProject: there is none. BadConfiguration: its file names an unknown key or a wrong value.
        """
        folder = (start or Path.cwd()).resolve()
        for candidate in (folder, *folder.parents):
            if (candidate / FILE_NAME).is_file():
                return load_project(candidate / FILE_NAME)
        raise NoProject(path=folder)

    @staticmethod
    def create(folder: Path, template: str = "quickstart") -> Project:
        """Write fedtrail.toml, .gitignore and one round script; existing files are never overwritten.

        Args: folder: made if absent. template: one of TEMPLATES.
        Raises: NotFoundError: no such template. UsageError: there is a project already.
        """
        script = read_template(template)
        path = folder / FILE_NAME
        if path.exists():
            raise UsageError(f"{path} exists already; nothing was changed", hint="choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _NEW_PROJECT)
        for name, text in ((".gitignore", _GITIGNORE), (f"{template}.yaml", script)):
            if not (folder / name).exists():
                write_atomically(folder / name, text)
        return load_project(path)

    def network(self, name: str | None = None) -> Network:
        """Return a network by name, or the default one.

        Raises: NotFoundError: no such network. CannotReach: it is a devnet and not running.
        """
        chosen = name or self.default_network
        if chosen not in self.network_tables:
            raise NotFoundError(kind="network", name=chosen, suggestion=suggest(chosen, self.network_tables))
        network = self._build_network(chosen)
        if not network.rpc:
            raise CannotReach("the devnet is not running", hint="start it with: fedtrail devnet up", rpc="")
        return network

    def save_deployment(self, network: str, deployment: Deployment) -> Project:
        """Pin deployed contracts in fedtrail.toml, every other line kept, and return the project as it is now."""
        # What an earlier deployment had and this one has not must go.
        values = {
            **dict.fromkeys(artifacts.NAMES),
            **deployment.contracts,
            **{key: getattr(deployment, key) for key in _PINS},
        }
        path = self.root / FILE_NAME
        text = path.read_text(encoding="utf-8")
        try:
            write_atomically(path, set_network_values(text, network, values))
        except ValueError as error:
            hint = "; ".join(f"{key} = {value!r}" for key, value in values.items())
            raise BadConfiguration(file=path, what=str(error), hint=f"write these into it: {hint}") from error
        return load_project(path)

    def _build_network(self, name: str) -> Network:
        from ledger.chain.network import Network

        table = {"confirmations": 0, "devnet": False, **self.network_tables[name]}
        rpc = self._find_devnet_rpc() if table["devnet"] else None
        pins = {key: table.get(key) for key in _PINS}
        return Network(
            name=name,
            rpc=rpc or table.get("rpc", ""),
            chain_id=table["chain_id"],
            confirmations=table["confirmations"],
            ca_file=_resolve(self.root, table.get("ca_file")),
            devnet=table["devnet"],
            contracts={key: table[key] for key in artifacts.NAMES if key in table},
            **pins,
        )

    def _find_devnet_rpc(self) -> str | None:
        from ledger import devnet

        running = devnet.status(self.state_dir)
        return running.rpc if running else None


_PINS = ("code_hash", "deploy_block", "deploy_block_hash")


def load_project(path: Path) -> Project:
    """Read and check a fedtrail.toml. Raises: BadConfiguration: names the line of the mistake."""
    try:
        document = parse(path.read_bytes(), suffix=".toml")
    except SyntaxProblem as error:
        raise BadConfiguration(file=f"{path}:{error.mark.line}:{error.mark.column}", what=str(error)) from error
    except OSError as error:
        raise BadConfiguration(file=path, what=str(error.strerror)) from error
    _verify(path, document)
    store = document.data.get("store", {})
    return Project(
        root=path.parent.resolve(),
        network_tables=document.data["networks"],
        store_path=path.parent.resolve() / store.get("path", ".fedtrail/blocks"),
        ipfs=store.get("ipfs"),
        ipfs_ca_file=_resolve(path.parent.resolve(), store.get("ca_file")),
    )


def _resolve(root: Path, file: str | None) -> str | None:
    return None if file is None else str(root / file)


def _verify(path: Path, document: Document) -> None:
    data = document.data
    _verify_table(path, document, (), {"fedtrail": int, "networks": dict, **dict.fromkeys(_SECTIONS, dict)})
    if data.get("fedtrail", 1) != 1:
        raise _bad(path, document, ("fedtrail",), f"fedtrail is {data['fedtrail']}, this release reads 1")
    if not data.get("networks"):
        raise _bad(path, document, (), "no network: add a table [networks.NAME] with rpc and chain_id")
    for section, types in _SECTIONS.items():
        _verify_table(path, document, (section,), types)
        _verify_ca_file(path, document, (section,))
    for name in data["networks"]:
        _verify_network(path, document, name)


def _verify_network(path: Path, document: Document, name: str) -> None:
    place = ("networks", name)
    table = document.data["networks"][name]
    if not isinstance(table, dict) or not _NAME.fullmatch(name):
        raise _bad(path, document, place, f"[networks.{name}] must be a table with a name of letters, digits, - and _")
    _verify_table(path, document, place, _NETWORK_TYPES)
    missing = [k for k in ("chain_id", *(() if table.get("devnet") else ("rpc",))) if k not in table]
    if missing:
        raise _bad(path, document, place, f"network '{name}' lacks {' and '.join(missing)}")
    if not table.get("rpc", "http://").startswith(("http://", "https://")):
        raise _bad(path, document, (*place, "rpc"), f"'{table['rpc']}' is no http:// or https:// address")
    for key in artifacts.NAMES:
        if key in table and not _ADDRESS.fullmatch(table[key]):
            raise _bad(path, document, (*place, key), f"'{table[key]}' is no address")
    _verify_ca_file(path, document, place)
    for key in ("chain_id", "confirmations", "deploy_block"):
        if table.get(key, 0) < 0:
            raise _bad(path, document, (*place, key), f"{key} is {table[key]}, expected 0 or more")


def _verify_ca_file(path: Path, document: Document, place: tuple[str, ...]) -> None:
    table = document.data
    for part in place:
        table = table.get(part, {})
    if "ca_file" in table and not (path.parent / table["ca_file"]).is_file():
        raise _bad(path, document, (*place, "ca_file"), f"there is no file '{table['ca_file']}'")


def _verify_table(path: Path, document: Document, place: tuple[str, ...], types: dict[str, type]) -> None:
    table = document.data
    for part in place:
        table = table.get(part, {})
    for key, value in table.items():
        if key not in types:
            raise _bad(path, document, (*place, key), f"unknown key '{key}'{suggest(key, types)}")
        if type(value) is not types[key]:
            want = {str: "text", int: "a whole number", bool: "true or false", dict: "a table"}[types[key]]
            raise _bad(path, document, (*place, key), f"'{key}' is {value!r}, expected {want}")


def _bad(path: Path, document: Document, place: tuple[str | int, ...], what: str) -> BadConfiguration:
    mark = document.locate(place)
    return BadConfiguration(file=f"{path}:{mark.line}:{mark.column}", what=what)


def read_template(name: str) -> str:
    """Return the text of a round script that ships with fedtrail. Raises: NotFoundError."""
    if name not in TEMPLATES:
        hint = f"templates: {', '.join(TEMPLATES)}"
        raise NotFoundError(kind="template", name=name, suggestion=suggest(name, TEMPLATES), hint=hint)
    return (Path(__file__).parent / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
