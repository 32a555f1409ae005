"""`python -m ledger.cli`: the command line where no script directory is on the PATH."""

import sys

from ledger.cli.app import main

sys.exit(main())
