"""Set up, demonstrate, test and measure fedtrail with nothing but a Python: `python3 scripts/dev.py --help`.

The standard library only, since this runs before anything is installed. This file stays readable for old
Pythons, so that they get a sentence instead of a syntax error.
"""

import os
import shutil
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def refuse_python(version):  # type: ignore[no-untyped-def]
    """Return one line that says why this Python will not do, or None when it will."""
    if OLDEST <= version[:2] <= NEWEST:
        return None
    found = [name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)]
    advice = "run: " + found[-1] + " scripts/dev.py" if found else "install one of them first"
    return "fedtrail needs Python 3.11, 3.12 or 3.13, and this is {}.{}; {}".format(*version[:2], advice)


def main():  # type: ignore[no-untyped-def]
    """Run one sub-command and leave with its exit status."""
    refusal = refuse_python(tuple(sys.version_info))
    if refusal:
        sys.exit("error: " + refusal)
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from devtools import commands

    sys.exit(commands.run(sys.argv[1:]))


if __name__ == "__main__":
    main()
