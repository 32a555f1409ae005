"""The root of the command line: what exists, and how every failure ends."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.metadata import entry_points, version

import click

from ledger.cli.failures import to_failure
from ledger.cli.lazy import LazyCommand, LazyGroup

COMMANDS = {
    "attest": LazyCommand("ledger.cli.attest:attest", "Certify which updates could be had, and answer for them."),
    "bundle": LazyCommand("ledger.cli.bundle:bundle", "Make and read bundles: one file that anybody can check."),
    "checkpoint": LazyCommand("ledger.cli.checkpoint:checkpoint", "Sign what the ledger is; notice split views."),
    "audit": LazyCommand("ledger.cli.audit:audit", "Ask the index: 25 questions, six reports, SQL of your own."),
    "client": LazyCommand("ledger.cli.client:client", "Register, list and show participants."),
    "completion": LazyCommand("ledger.cli.completion:completion", "Print a completion script for your shell."),
    "contract": LazyCommand("ledger.cli.contract:contract", "Build, deploy and inspect the contracts."),
    "devnet": LazyCommand("ledger.cli.devnet:devnet", "Run a local chain for development."),
    "dispute": LazyCommand(
        "ledger.cli.dispute:dispute", "Prove what is wrong on chain, answer disputes, take the bond."
    ),
    "doctor": LazyCommand("ledger.cli.doctor:doctor", "Check this machine and project, and say what to fix."),
    "explain": LazyCommand("ledger.cli.explain:explain", "Explain an error code: cause and fix."),
    "index": LazyCommand("ledger.cli.index:index", "Keep what the chain holds in one file, to be asked offline."),
    "init": LazyCommand("ledger.cli.init:init", "Create a project."),
    "key": LazyCommand("ledger.cli.key:key", "Make, list and rotate signing keys."),
    "model": LazyCommand("ledger.cli.model:model", "Show what is known of a model, and export it for other tools."),
    "monitor": LazyCommand("ledger.cli.monitor:monitor", "Score every round as it appears; alerts and metrics."),
    "privacy": LazyCommand("ledger.cli.privacy:privacy", "Show what rounds cost in privacy, and plan for it."),
    "proof": LazyCommand("ledger.cli.proof:proof", "Prove single facts to others, and check what they prove."),
    "reward": LazyCommand("ledger.cli.reward:reward", "Promise, claim, show and take out pay for finalised rounds."),
    "round": LazyCommand("ledger.cli.round:round_group", "Show, replay and explain rounds."),
    "run": LazyCommand("ledger.cli.run:run", "Start, resume, list and show runs."),
    "score": LazyCommand("ledger.cli.score:score", "Show the scores of clients, and compute them again."),
    "script": LazyCommand("ledger.cli.script:script", "Check round scripts, print their schema, write new ones."),
    "signoff": LazyCommand("ledger.cli.signoff:signoff", "Sign off rounds and files, and list who signed what."),
    "stake": LazyCommand("ledger.cli.stake:stake", "Show, deposit and withdraw stakes, and tell what became of them."),
    "store": LazyCommand("ledger.cli.store:store", "Put blobs into the content store and get them out."),
    "update": LazyCommand("ledger.cli.update:update", "Object to what became of a client's update."),
    "verify": LazyCommand("ledger.cli.verify:verify", "Check a bundle without a node, a store or a network."),
    "watch": LazyCommand("ledger.cli.watch:watch", "Replay every proposal as it appears, and dispute what is wrong."),
}
ENTRY_POINTS = "fedtrail.commands"


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version=version("fedtrail"), prog_name="fedtrail")
@click.option("--debug", is_flag=True, envvar="FEDTRAIL_DEBUG", help="Print the traceback of an unexpected failure.")
def fedtrail(debug: bool) -> None:
    """A ledger for federated learning whose every aggregate can be recomputed, bit for bit.

    \b
    First steps:   fedtrail demo        a federated run under attack, audited, in a minute
                   fedtrail init DIR    a project of your own
                   fedtrail doctor      what this machine has and lacks

    Data goes to stdout, progress and errors to stderr. Exit status: 0 ok, 1 bug, 2 usage, 3 configuration, 4 chain,
    5 not found, 6 refused by a rule, 7 integrity failure, 8 evidence missing, 9 expectation not met, 130 interrupted.
    """  # noqa: D301  click wants the character itself, not a backslash and a b


def build_cli() -> LazyGroup:
    """Return the root group with the commands of every installed extension."""
    root: LazyGroup = fedtrail
    for entry_point in entry_points(group=ENTRY_POINTS):
        try:
            register = entry_point.load()
        except ImportError:  # an extension whose requirements are absent must not take the auditor's commands away
            continue
        register(root)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments or bool(os.environ.get("FEDTRAIL_DEBUG"))
    if not debug and not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries, for their developers
    try:
        status = build_cli().main(args=arguments, prog_name="fedtrail", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python complains once more when it ends
        return 141  # as a shell reports SIGPIPE
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        return to_failure(error, debug=debug).report(arguments)
