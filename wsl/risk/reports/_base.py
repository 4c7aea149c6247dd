"""What all reports have in common: pages, Markdown, notebooks and files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd

from ..._files import write_text
from ...exceptions import InvalidInputError
from ._html import Section, render_fragment, render_markdown, render_page
from ._serialization import FileFormat


class Report:
    """Base of the reports: a frozen dataclass with a ``table`` of estimates.

    Attributes
    ----------
    table : DataFrame
        The main estimates.
    """

    _format: ClassVar[FileFormat]
    _title: ClassVar[str]

    table: pd.DataFrame

    def explain(self) -> list[str]:
        """Return the findings in plain words, the main one first.

        Returns
        -------
        list of str
            Sentences.
        """
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the main estimates.

        Returns
        -------
        DataFrame
            The columns are those of ``table``.
        """
        return self.table.copy()

    def to_markdown(self) -> str:
        """Return the report as Markdown, without its plots.

        Returns
        -------
        str
            The document.
        """
        return render_markdown(self._title, self._sections())

    def to_html(self, path: str | os.PathLike) -> Path:
        """Write the report as one HTML page that needs no other file.

        Parameters
        ----------
        path : path-like
            The file; missing folders are created.

        Returns
        -------
        Path
            The file.
        """
        return write_text(path, render_page(self._title, self._sections()))

    def save(self, path: str | os.PathLike) -> Path:
        """Write the report as JSON.

        Parameters
        ----------
        path : path-like
            The file; what it held before stays until the new file is complete.

        Returns
        -------
        Path
            The file.
        """
        return self._format.write(path, self)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the files that ``save`` writes.

        Returns
        -------
        dict
            A schema of draft 2020-12.
        """
        return cls._format.schema()

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a report that ``save`` wrote.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        report
            It equals the saved one, field by field.

        Raises
        ------
        InvalidInputError
            If the file cannot be read, is damaged, or holds something else or another version.
        """
        fields = cls._format.read(path)
        try:
            report = cls(**fields)
            report._check()
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise InvalidInputError(
                f"{os.fspath(path)!r} is damaged, its fields contradict each other: "
                f"{type(error).__name__}: {error}"
            ) from error
        return report

    def _sections(self) -> Sequence[Section]:
        """Return the parts of the page."""
        raise NotImplementedError

    def _check(self) -> None:
        """Raise an error if fields contradict each other, or the report cannot be shown."""
        self.to_markdown()

    def _repr_html_(self) -> str:
        return render_fragment(self._title, self._sections()[:1])
