"""What lies beside the shards of a dataset: split schemes, lists of clips, vocabularies of actions."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import _ffi, _options
from ._errors import UsageError

if TYPE_CHECKING:
    from .dataset import Dataset


def content(dataset: Dataset, role: str, name: str | None) -> dict[str, Any]:
    """What a side file holds."""
    found: dict[str, Any] = _ffi.text("tp_dataset_side_file", dataset._pointer, role.encode(),
                                      None if name is None else _ffi.name_bytes(name))
    return found


def schemes(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """The split schemes by name, without the episodes of each."""
    out: dict[str, dict[str, Any]] = {}
    for name in dataset.side_files["splits"]:
        scheme = content(dataset, "splits", name)
        out[name] = {"splits": scheme["splits"], "folds": scheme.get("folds", 0), "rule": scheme["rule"],
                     "cuts_episodes": "spans" in scheme}
    return out


def request(name: str, splits: Mapping[str, Any] | None, rule: Mapping[str, Any], dry_run: bool) -> Any:
    """A rule as the library has it: of each split, texts as ``trajpack split --rule`` takes them, slices of rows, and
    lists of ids."""
    plain = {key: _options.plain(value) for key, value in rule.items() if value not in (None, False)}
    if splits is not None:
        plain["splits"] = {str(split): _parts(split, what) for split, what in splits.items()}
    return _options.encode({"name": name, "rule": plain, "dry_run": bool(dry_run)})


def _parts(split: str, what: Any) -> Any:
    if isinstance(what, Iterable) and not isinstance(what, (str, Mapping)):
        parts = list(what)
        if parts and all(isinstance(one, str) for one in parts):
            return {"ids": parts}
        return [_part(split, one) for one in parts]
    return _part(split, what)


def _part(split: str, what: Any) -> Any:
    if isinstance(what, (str, Mapping)):
        return _options.plain(what)
    if isinstance(what, slice):
        if what.step not in (None, 1):
            raise UsageError(f"split '{split}': rows are taken one after the other, so a slice has no step")
        ends = ["" if end is None else str(_options.whole(end, f"split '{split}'")) for end in (what.start, what.stop)]
        return ":".join(ends)
    if isinstance(what, float):
        return f"{format(_options.decimal(what) * 100, 'f')}%"
    raise UsageError(f"split '{split}' is {what!r}, but must be a text such as '0:60%' or 'where:label=run', a slice of "
                     "rows, a share of the episodes such as 0.8, or a list of ids")


__all__ = ["content", "request", "schemes"]
