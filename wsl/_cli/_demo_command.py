"""``wsl demo``: rebuild, audit and mitigate real models."""

import sys
from pathlib import Path

import click

from .._interrupts import interrupts_wait
from ._session import Session
from ._shared_options import make_folder


@click.command()
@click.option("--quick", is_flag=True, help="A smaller job, in under 40 seconds.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("wsl-report"), show_default=True,
    metavar="DIR", help="Folder for tables, figures and reports.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Random seed."
)
@click.option(
    "--device", default="auto", show_default=True,
    help="auto (the fastest available), cpu, cuda or mps.",
)  # fmt: skip
@click.pass_obj
def command(session: Session, quick: bool, out: Path, seed: int, device: str) -> None:
    """Rebuild, audit and mitigate real models: the main job.

    An autoencoder on a zoo of digit classifiers, and audits of two learners on census data. Tables,
    figures and reports are written to a folder.
    """
    session.out = out
    with interrupts_wait():
        from .. import _demo
        from .._device import resolve_device

    resolve_device(device)
    make_folder(out)
    scale = _demo.SCALES["quick" if quick else "full"]
    for finding in _demo.run(scale, out, seed, device):
        session.saved.append(finding.name)
        numbers = finding.table.to_string(float_format="{:.3f}".format, na_rep="")
        print(f"\n{finding.title}\n{'-' * len(finding.title)}\n{finding.text}\n\n{numbers}\n")
        sys.stdout.flush()
    print(f"Tables, figures and reports are in {out.resolve()} ({session.seconds:.0f} s).")
