"""The challenger's half of the protocol: follow the ledger, replay what is proposed, and prove what is wrong.

`decisions` is pure: what a challenger does next. `challenger` does it, once, whatever dies in between; `logbook` is
what a watcher has seen, `games` and `demands` are what takes more than one transaction, `watcher` puts it together.
"""

from ledger.watching.challenger import Challenger, get_standing
from ledger.watching.decisions import Choice, Standing, Step, Ticket, decide
from ledger.watching.demands import Answerer, Demander
from ledger.watching.games import GamePlayer
from ledger.watching.happening import Happening, Player
from ledger.watching.logbook import Logbook
from ledger.watching.watcher import Watcher

__all__ = [
    "Answerer",
    "Challenger",
    "Choice",
    "Demander",
    "GamePlayer",
    "Happening",
    "Logbook",
    "Player",
    "Standing",
    "Step",
    "Ticket",
    "Watcher",
    "decide",
    "get_standing",
]
