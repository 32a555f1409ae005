"""What commands share: the project and network they were pointed at, opened when first needed, closed at the end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from ledger.chain import Chain, Network
    from ledger.journal import Journal
    from ledger.keys import Keystore
    from ledger.project import Project
    from ledger.readers import BlobReader
    from ledger.store import ContentStore

OPERATOR = "operator"
"""Key that pays for transactions on a network that is no devnet."""

F = TypeVar("F", bound=Callable[..., Any])


class Session:
    """One command's way to its project."""

    def __init__(self, *, folder: Path | None, network: str | None) -> None:
        self._folder = folder
        self._network = network
        self._resources = ExitStack()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._resources.close()

    @functools.cached_property
    def project(self) -> Project:
        """The project here or above."""
        from ledger.project import Project

        return Project.find(self._folder)

    @functools.cached_property
    def network(self) -> Network:
        """The network that was named, or the project's default."""
        return self.project.network(self._network)

    @property
    def network_name(self) -> str:
        """Its name, also when it cannot be reached."""
        return self._network or self.project.default_network

    @functools.cached_property
    def journal(self) -> Journal:
        """The project's journal."""
        from ledger.journal import Journal

        journal = Journal(self.project.journal_path)
        self._resources.callback(journal.close)
        return journal

    @functools.cached_property
    def keys(self) -> Keystore:
        """The project's keystore."""
        from ledger.keys import Keystore

        return Keystore(self.project.keys_dir)

    @functools.cached_property
    def chain(self) -> Chain:
        """The ledger on the network, checked."""
        from ledger.chain import Chain

        return Chain.connect(self.network, self.journal)

    @functools.cached_property
    def store(self) -> ContentStore:
        """The project's content store."""
        from ledger.store import open_store

        return open_store(self.project.store_path, ipfs=self.project.ipfs, ca_file=self.project.ipfs_ca_file)

    @functools.cached_property
    def reader(self) -> BlobReader:
        """The same, with the encryption keys of this project: what is sealed to one of them reads as if it lay open."""
        from ledger.encryption_keys import HeldKeys
        from ledger.readers import KeyedStore

        return KeyedStore(self.store, HeldKeys(self.project.keys_dir, self.password))

    def password(self, *, confirm: bool = False) -> str:
        """Return the keystore's password: of the devnet, the environment, or the person at the terminal."""
        from ledger.keys import password_for

        return password_for(self._network_for_keys(), confirm=confirm)

    def operator(self) -> LocalAccount:
        """Return who pays: on a devnet its first funded account, elsewhere the key `operator`."""
        from ledger.devnet import funded_account

        if self.network.devnet:
            return funded_account(0)
        return self.keys.load(OPERATOR, self.password())

    def _network_for_keys(self) -> Network:
        """Keys can be made while the devnet is down."""
        networks = self.project.networks
        return networks.get(self.network_name) or self.network


def project_options(command: F) -> F:
    """Add --project and --network, and pass a Session as the first argument."""

    @functools.wraps(command)
    def wrapper(*args: object, project_folder: Path | None, network: str | None, **kwargs: object) -> object:
        with Session(folder=project_folder, network=network) as session:
            return command(session, *args, **kwargs)

    for option in (
        click.option("--network", envvar="FEDTRAIL_NETWORK", metavar="NAME", help="Network of fedtrail.toml."),
        click.option(
            "--project",
            "project_folder",
            envvar="FEDTRAIL_PROJECT",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Folder of the project; default: here or above.",
        ),
    ):
        wrapper = option(wrapper)
    return wrapper  # type: ignore[return-value]  # click calls it with the options that were added
