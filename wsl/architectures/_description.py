"""How an architecture is shown: the names of its layers, and a table of its parameters."""

from collections.abc import Iterator
from html import escape

from torch import nn

from ._parameter_layout import ParameterLayout

MAX_PARAMETERS = 100  # rows of the table


def layer_names(module: nn.Module) -> Iterator[str]:
    """Yield the name of each layer of nested Sequentials."""
    if isinstance(module, nn.Sequential):
        for layer in module:
            yield from layer_names(layer)
    elif isinstance(module, nn.Linear):
        yield f"Linear({module.in_features}, {module.out_features})"
    elif isinstance(module, nn.Conv2d):
        kernel = "x".join(map(str, module.kernel_size))
        yield f"Conv2d({module.in_channels}, {module.out_channels}, {kernel})"
    else:
        yield type(module).__name__


def architecture_html(text: str, layout: ParameterLayout) -> str:
    """Return ``text`` and a table of parameters, their shapes and columns, as HTML."""
    rows = [
        f"<tr><th>{escape(name)}</th><td>{' x '.join(map(str, layout.by_name[name])) or '1'}</td>"
        f"<td>{part.start} to {part.stop - 1}</td>"
        f"<td>{'yes' if part.stop <= layout.n_trainable else 'no'}</td></tr>"
        for name, part in list(layout.slices.items())[:MAX_PARAMETERS]
    ]
    if len(layout.names) > MAX_PARAMETERS:
        rows.append(f"<tr><td colspan='4'>and {len(layout.names) - MAX_PARAMETERS} more</td></tr>")
    header = "<th>parameter</th><th>shape</th><th>columns of a row</th><th>trained</th>"
    return (
        f"<details open=''><summary><code>{escape(text)}</code></summary>"
        f"<table><thead><tr>{header}</tr></thead><tbody>{''.join(rows)}</tbody></table></details>"
    )
