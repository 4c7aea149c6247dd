"""``wsl zoo``: what a zoo holds."""

from pathlib import Path

import click

from .._interrupts import interrupts_wait
from ._shared_options import FILE


@click.group()
def command() -> None:
    """Look into a zoo: a folder of trained models."""


@command.command()
@click.argument("folder", type=FILE)
def info(folder: Path) -> None:
    """Show the models, the architecture and the metadata of a zoo in FOLDER."""
    with interrupts_wait():
        from ..zoo import ModelZoo

    zoo = ModelZoo.load(folder)
    n_bytes = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    click.echo(f"{len(zoo)} models of {zoo.weights.shape[1]} weights, {n_bytes / 1e6:.1f} MB")
    click.echo(f"{zoo.architecture!r}\n")
    if zoo.metadata.shape[1]:
        summary = zoo.metadata.describe(include="all").T
        columns = [c for c in ("count", "unique", "min", "mean", "max") if c in summary]
        shown = summary[columns].rename_axis("metadata").reset_index()
        click.echo(
            shown.to_string(index=False, float_format="{:.4g}".format, na_rep="", line_width=80)
        )
    else:
        click.echo("No metadata.")
