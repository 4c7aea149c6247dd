"""The command line: ``python -m wsl``, or ``wsl``, does the main job on two real data sets."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import __version__
from ._interrupts import interrupts_wait
from .exceptions import WslError


class _Parser(argparse.ArgumentParser):
    """Reports a bad option in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(
        prog="wsl",
        description="Rebuild, audit and mitigate real models: an autoencoder on a zoo of digit "
        "classifiers, and audits of two learners on census data. Tables, figures and reports are "
        "written to a folder.",
    )
    parser.add_argument("--quick", action="store_true", help="a smaller job, in under 40 seconds")
    parser.add_argument(
        "--out", type=Path, default=Path("wsl-report"), metavar="DIR",
        help="folder for tables, figures and reports (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="random seed (default: 0)"
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, cuda or mps (default: auto, the fastest available)",
    )
    parser.add_argument("--version", action="version", version=f"wsl {__version__}")
    return parser


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 2**31:
        raise ValueError
    return seed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for a bad option, or 130 on Ctrl-C."""
    parser = build_parser()
    options = parser.parse_args(argv)
    saved: list[str] = []
    try:
        _run(parser, options, saved)
    except KeyboardInterrupt:
        end_of_line = "\n" if sys.stderr.isatty() else ""  # after ^C
        print(
            f"{end_of_line}wsl: interrupted; saved in {options.out}: "
            f"{', '.join(saved) or 'nothing'}; run the same command again to compute everything",
            file=sys.stderr,
        )
        return 130
    return 0


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace, saved: list[str]) -> None:
    """Do the main job and print what it finds; ``saved`` gains the name of each finding."""
    start = time.perf_counter()
    with interrupts_wait():
        from . import _demo
        from ._device import resolve_device

    try:
        resolve_device(options.device)
        options.out.mkdir(parents=True, exist_ok=True)
    except (WslError, OSError) as error:
        parser.error(str(error).splitlines()[0])
    scale = _demo.SCALES["quick" if options.quick else "full"]
    for finding in _demo.run(scale, options.out, options.seed, options.device):
        saved.append(finding.name)
        numbers = finding.table.to_string(float_format="{:.3f}".format, na_rep="")
        print(f"\n{finding.title}\n{'-' * len(finding.title)}\n{finding.text}\n\n{numbers}\n")
        sys.stdout.flush()
    seconds = time.perf_counter() - start
    print(f"Tables, figures and reports are in {options.out.resolve()} ({seconds:.0f} s).")


if __name__ == "__main__":
    sys.exit(main())
