"""``python -m wsl``, the same as ``wsl``: the command line."""

import sys

from ._cli._main_group import main

if __name__ == "__main__":
    sys.exit(main())
