"""What is known of whole recordings: labels, parameters, environments, texts."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _ffi, _options
from ._errors import UsageError, nearest
from ._words import counted, lines_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset

_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


@dataclass(frozen=True)
class Field:
    """A value that recordings have. ``type``: number, integer, category, text or array; ``shape`` and ``dtype`` of an
    array; ``categories``: the names of a category."""

    name: str
    type: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    units: str | None
    description: str | None
    categories: tuple[str, ...]


class Values(Mapping[str, Any]):
    """The values of all episodes of a data set, by name: an array ``[episodes, ...]`` each (numbers float64, NaN where
    there is none; categories and texts arrays of ``str`` with None), in the order of the episodes."""

    def __init__(self, dataset: Dataset) -> None:
        document = _ffi.text("tp_dataset_values", dataset._pointer)
        self._count = len(dataset)
        self._dataset = dataset
        self._cells: dict[str, list[Any]] = {}
        #: What each is.
        self.fields: dict[str, Field] = {}
        for value in document["values"]:
            name = value["name"]
            dtypes = {"number": "float64", "integer": "int64", "array": value.get("element")}
            dtype = dtypes.get(value["type"])
            self.fields[name] = Field(
                name, value["type"], tuple(value.get("shape") or ()), None if dtype is None else np.dtype(dtype),
                value.get("units"), value.get("description"), tuple(value.get("categories") or ()))
            self._cells[name] = value["cells"]

    def observed(self, name: str) -> NDArray[np.bool_]:
        """Which episodes have a value: ``[episodes]`` bool."""
        self._field(name)
        return np.array([cell is not None for cell in self._cells[name]], bool)

    def _field(self, name: str) -> Field:
        field = self.fields.get(name)
        if field is None:
            raise UsageError(f"{self._dataset.path} has no value '{name}'{nearest(name, self.fields)}")
        return field

    def __getitem__(self, name: str) -> NDArray[Any]:
        field = self._field(name)
        cells = self._cells[name]
        if field.dtype is None:
            out = np.empty(len(cells), object)
            out[:] = cells
            return out
        least = np.iinfo(np.int64).min if field.dtype.kind == "i" else np.nan
        array = np.full((len(cells), *field.shape), least, field.dtype)
        for row, cell in enumerate(cells):
            if cell is not None:
                array[row] = _plain(cell) if not field.shape else np.reshape([_plain(x) for x in cell], field.shape)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __contains__(self, name: object) -> bool:
        return name in self.fields

    def __len__(self) -> int:
        return len(self.fields)

    def of(self, episode: int) -> dict[str, Any]:
        """The values of one episode, by its number: numbers, texts and arrays; those that it has."""
        out: dict[str, Any] = {}
        for name, field in self.fields.items():
            cell = self._cells[name][episode]
            if cell is not None:
                out[name] = (np.array([_plain(x) for x in cell], field.dtype).reshape(field.shape)
                             if field.type == "array" else _plain(cell) if field.type == "number" else cell)
        return out

    def to_pandas(self) -> Any:
        """A ``DataFrame`` with a row an episode, its index the ids: numbers float64, integers ``Int64``, categories a
        ``Categorical``, texts ``object``; arrays in columns ``name.0``, ``name.1``."""
        import pandas
        columns: dict[str, Any] = {}
        for name, field in self.fields.items():
            array = self[name]
            if field.type == "category":
                columns[name] = pandas.Categorical(array, categories=list(field.categories))
            elif field.type == "integer":
                columns[name] = pandas.arrays.IntegerArray(array, ~self.observed(name))
            elif field.type == "array":
                flat = array.reshape(len(array), -1)
                columns.update({f"{name}.{i}": flat[:, i] for i in range(flat.shape[1])})
            else:
                columns[name] = array
        return pandas.DataFrame(columns, index=pandas.Index(self._dataset.episodes.ids, name="id"))

    def __repr__(self) -> str:
        lines = [f"{counted(len(self), 'value')} of {counted(self._count, 'episode')}"]
        for name, field in self.fields.items():
            kind = f"{field.dtype} {list(field.shape)}" if field.type == "array" else field.type
            units = f" in {field.units}" if field.units else ""
            lines.append(f"  {name}: {kind}{units}, of {counted(int(self.observed(name).sum()), 'episode')}")
        return lines_of(lines)


def _plain(cell: Any) -> Any:
    return _SPECIAL.get(cell, cell) if isinstance(cell, str) else cell


def declared(given: Any) -> list[dict[str, Any]]:
    """Values that a writer declares, as the library has them: ``{"theta": {"units": "m"}, "label": {"categories":
    ["a", "b"]}}``; a list is short for its categories, a text for its units."""
    out = []
    for name, about in _options.members(given, "values").items():
        if isinstance(about, str):
            about = {"units": about}
        elif not isinstance(about, Mapping):
            about = {"categories": list(about)}
        for key in about:
            if key not in ("type", "units", "description", "categories", "shape", "element"):
                raise UsageError(f"value '{name}': there is no '{key}' to declare"
                                 f"{nearest(key, ['type', 'units', 'description', 'categories', 'shape'])}")
        field: dict[str, Any] = {"name": name, **_options.plain(about)}
        field.setdefault("type", "category" if "categories" in field else "array" if field.get("shape") else "number")
        if field["type"] == "array":
            field.setdefault("element", "float64")
        out.append({k: v for k, v in field.items() if v is not None})
    return out


def written(values: Any, fields: list[dict[str, Any]]) -> dict[str, Any]:
    """Values of an episode as its metadata has them; None and NaN are left out."""
    known = {field["name"]: field for field in fields}
    out: dict[str, Any] = {}
    for name, value in _options.members(values, "values").items():
        if not name or len(name.encode()) > 255 or any(ord(c) < 32 or ord(c) == 127 for c in name):
            raise UsageError(f"a value's name is text of 1 to 255 bytes without control characters, not {name!r}")
        cell = _cell(name, value, known.get(name))
        if cell is not None:
            out[name] = cell
    return out


def _cell(name: str, value: Any, field: dict[str, Any] | None) -> Any:
    if value is None or isinstance(value, str):
        kind = field["type"] if field is not None else "text"
        if value is not None and kind not in ("text", "category"):
            raise UsageError(f"value '{name}' is declared as {kind}, and {value!r} is a text")
        if field is not None and kind == "category" and value is not None and value not in field["categories"]:
            raise UsageError(f"value '{name}' has no category '{value}'{nearest(value, field['categories'])}")
        return value
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except (TypeError, ValueError):
        array = np.array(None)
    if array.dtype.kind not in "biuf" or array.size > 65_536 or array.size == 0:
        raise UsageError(f"value '{name}' is a number, a text, or an array of at most 65,536 numbers, "
                         f"not {type(value).__name__}")
    if array.dtype.kind == "u" and array.size and int(array.max()) >= 2**63:
        raise UsageError(f"value '{name}': {int(array.max())} does not fit into 64 bits with a sign")
    if field is not None and field["type"] in ("text", "category"):
        raise UsageError(f"value '{name}' is declared as {field['type']}, and {value!r} is no text")
    whole = array.dtype.kind in "biu"
    if field is None:
        if array.ndim == 0 and not whole and np.isnan(array):
            return None
        if whole or bool(np.isfinite(array).all()):
            return array.astype(np.int64).tolist() if whole else array.astype(np.float64).tolist()
        return {"dtype": "float64", "value": _bits(array.astype(np.float64))}
    kind, shape = field["type"], tuple(field.get("shape") or ())
    if array.shape != shape:
        raise UsageError(f"value '{name}' has the shape {list(shape)}, not {list(array.shape)}")
    if not whole and (kind == "integer" or field.get("element") == "int64"):
        if not bool((array == np.rint(array)).all()) or bool((np.abs(array) >= 2.0**63).any()):
            raise UsageError(f"value '{name}' is declared as whole numbers, and {value!r} is none")
        array = array.astype(np.int64)
    if kind == "number" and np.isnan(array):
        return None
    flat = [_json(x) for x in array.reshape(-1).tolist()]
    return flat if kind == "array" else flat[0]


def _json(x: Any) -> Any:
    if isinstance(x, bool):
        return int(x)
    if isinstance(x, int):
        return x
    return x if np.isfinite(x) else "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"


def _bits(array: NDArray[np.float64]) -> Any:
    if array.ndim:
        return [_bits(one) for one in array]
    return float(array) if np.isfinite(array) else "0x" + format(int(array.view(np.uint64)), "x")


__all__ = ["Field", "Values"]
