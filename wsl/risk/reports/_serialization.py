"""Files of reports: JSON with a digest of its contents."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._decode_json import Fields, check_schema, read_json
from ..._digest import json_digest
from ..._files import write_text
from ...exceptions import InvalidInputError
from ._field_codecs import FieldCodec, object_schema

DOCUMENT = Fields({"format": str, "version": int, "sha256": str, "contents": dict})
MAX_BYTES = 2**28


@dataclass(frozen=True)
class FileFormat:
    """What the files of one class of reports hold."""

    name: str
    version: int
    codecs: Mapping[str, FieldCodec]

    def write(self, path: str | os.PathLike, report: Any) -> Path:
        """Write a report; what the file held before stays until the new file is complete."""
        contents = {name: codec.encode(getattr(report, name)) for name, codec in self._fields}
        document = {
            "format": self.name,
            "version": self.version,
            "sha256": json_digest(contents),
            "contents": contents,
        }
        return write_text(path, json.dumps(document, indent=1, allow_nan=False))

    def read(self, path: str | os.PathLike) -> dict[str, Any]:
        """Return the fields that ``write`` wrote.

        Raises
        ------
        InvalidInputError
            If the file holds something else, another version, or was changed.
        """
        contents = self._contents(path)
        fields = {}
        for name, codec in self._fields:
            try:
                fields[name] = codec.decode(contents[name])
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                raise InvalidInputError(
                    f"{os.fspath(path)!r} is damaged: its field {name!r} {error}."
                ) from error
        return fields

    def _contents(self, path: str | os.PathLike) -> dict[str, Any]:
        """Return what the file says that it holds, after a check that nothing was changed."""
        name = os.fspath(path)
        document = read_json(
            path, dict, max_bytes=MAX_BYTES, surrogates=True, error=InvalidInputError
        )
        found = document.get("format"), document.get("version")
        if found != (self.name, self.version):
            raise InvalidInputError(
                f"{name!r} must be a {self.name} of version {self.version}; "
                f"got {found[0]!r} of version {found[1]!r}."
            )
        try:
            check_schema(document, DOCUMENT)
        except ValueError as error:
            raise InvalidInputError(f"{name!r} is not a valid {self.name}: {error}.") from error
        contents = document["contents"]
        if document["sha256"] != json_digest(contents):
            raise InvalidInputError(f"{name!r} is damaged: its contents do not match its digest.")
        if contents.keys() != self.codecs.keys():
            raise InvalidInputError(
                f"{name!r} must have the fields {sorted(self.codecs)}; got {sorted(contents)}."
            )
        return contents

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the files."""
        fields = {name: dict(codec.schema) for name, codec in self._fields}
        sha256 = {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256 of the contents as JSON with sorted keys, separated by ', ' "
            "and ': ', and with all but ASCII escaped",
        }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
        } | object_schema(
            {
                "format": {"const": self.name},
                "version": {"const": self.version},
                "sha256": sha256,
                "contents": object_schema(fields),
            }
        )

    @property
    def _fields(self) -> list[tuple[str, FieldCodec]]:
        return list(self.codecs.items())
