"""Tables as pandas, Arrow and xarray have them. Each is imported when it is asked for."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import UsageError

if TYPE_CHECKING:
    from .episode import Episode, Table


def need(module: str, package: str = "") -> Any:
    """Imports a package that only this needs."""
    import importlib
    try:
        return importlib.import_module(module)
    except ImportError:
        name = package or module
        raise UsageError(f"this needs the package {name}; install it with 'pip install {name}'") from None


def _elements(shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for index in np.ndindex(*shape):
        yield "".join(f".{i}" for i in index), index


def to_pandas(tables: list[Table]) -> Any:
    """The rows of tables of one stream, one after the other."""
    pandas = need("pandas")
    frames = []
    for table in tables:
        columns: dict[str, Any] = {}
        for name, channel in table.stream.channels.items():
            column = table[name]
            values = column[:]
            if channel.type == "bytes":
                columns[name] = values
                continue
            seen = column.observed() if channel.missing != "never" and values.dtype.kind != "f" else None
            for suffix, index in _elements(channel.shape):
                one = values[(slice(None), *index)]
                mask = None if seen is None else ~seen[(slice(None), *index)]
                if channel.categories is not None and not channel.shape:
                    known = (one >= 0) & (one < len(channel.categories)) if mask is None else ~mask
                    columns[name] = pandas.Categorical.from_codes(
                        np.where(known, one, -1).astype(np.int64), categories=list(channel.categories))
                elif mask is not None and one.dtype.kind in "iu":
                    columns[name + suffix] = pandas.arrays.IntegerArray(np.ascontiguousarray(one), mask)
                else:
                    columns[name + suffix] = one
        frame = pandas.DataFrame(columns, index=pandas.Index(table.times, name="time"))
        if table.entity is not None:
            frame = pandas.concat({str(table.entity): frame}, names=["entity"])
        frames.append(frame)
    return frames[0] if len(frames) == 1 else pandas.concat(frames)


def to_arrow(tables: list[Table]) -> Any:
    """The rows of tables of one stream, one after the other."""
    pyarrow = need("pyarrow")
    parts = []
    for table in tables:
        columns: dict[str, Any] = {}
        if table.entity is not None:
            text = pyarrow.array([str(table.entity)] * len(table), pyarrow.string())
            columns["entity"] = text.dictionary_encode()
        if "time" not in table.stream.channels:
            columns["time"] = pyarrow.array(table.times)
        for name, channel in table.stream.channels.items():
            column = table[name]
            values = column[:]
            if channel.type == "bytes":
                kind = pyarrow.large_string() if channel.kind == "text" else pyarrow.large_binary()
                columns[name] = pyarrow.array(values, kind)
                continue
            mask = None if channel.missing == "never" else ~column.observed().reshape(-1)
            flat = pyarrow.array(np.ascontiguousarray(values).reshape(-1), mask=mask)
            if channel.categories is not None and not channel.shape:
                top = len(channel.categories)
                inside = values if mask is None else values[~mask]
                if inside.size == 0 or (inside.min() >= 0 and inside.max() < top):
                    flat = pyarrow.DictionaryArray.from_arrays(
                        flat.cast(pyarrow.int32()), pyarrow.array(channel.categories, pyarrow.string()))
            for size in reversed(channel.shape):
                flat = pyarrow.FixedSizeListArray.from_arrays(flat, size)
            columns[name] = flat
        parts.append(pyarrow.table(columns))
    return parts[0] if len(parts) == 1 else pyarrow.concat_tables(parts, promote_options="default").unify_dictionaries()


def table_to_xarray(table: Table) -> Any:
    """One table: a variable a channel, dims ``time`` and ``CHANNEL.0`` ...; units and conventions as attributes."""
    xarray = need("xarray")
    variables = {}
    for name, channel in table.stream.channels.items():
        values = table[name][:]
        if channel.type == "bytes":
            held = np.empty(len(values), object)
            held[:] = values
            values = held
        attributes: dict[str, Any] = {"kind": channel.kind, **{k: v for k, v in channel.conventions.items()}}
        if channel.units:
            attributes["units"] = channel.units
        if channel.categories is not None:
            attributes["categories"] = list(channel.categories)
        variables["time_stamp" if name == "time" else name] = (
            ("time", *(f"{name}.{i}" for i in range(len(channel.shape)))), values, attributes)
    whole = {"stream": table.stream.name, "episode": table.episode.id}
    if table.entity is not None:
        whole["entity"] = str(table.entity)
    return xarray.Dataset(variables, {"time": ("time", table.times, {"units": table.stream.time_unit})}, whole)


def to_xarray(episode: Episode, tables: Mapping[str, list[Table]], stream: str | None) -> Any:
    """A stream, or a tree of all."""
    xarray = need("xarray")
    if stream is not None and tables[stream][0].entity is None:
        return table_to_xarray(tables[stream][0])
    nodes = {}
    for name, members in tables.items():
        base = "" if stream is not None else name
        for table in members:
            nodes[f"{base}/{table.entity}" if table.entity is not None else base] = table_to_xarray(table)
    return xarray.DataTree.from_dict(nodes, name=episode.id)
