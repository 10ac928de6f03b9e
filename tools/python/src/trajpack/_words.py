"""Words for people."""
from __future__ import annotations

from collections.abc import Iterable

#: What could drive a terminal or reorder a line: as in the command line's output.
_DRIVES = [*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0x61C,
           0xFEFF]
_SPELLED = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}" for code in _DRIVES} | {
    ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


def printable(text: str) -> str:
    """The text with everything that could drive a terminal spelled out; for names that come from files."""
    return text.translate(_SPELLED)


def lines_of(lines: Iterable[str]) -> str:
    """Lines for a terminal; each stays one line, whatever names are in it."""
    return "\n".join(map(printable, lines))


def counted(count: int, what: str) -> str:
    """``"1 episode"``, ``"1,234 episodes"``, ``"2 batches"``."""
    if count == 1:
        return f"1 {what}"
    return f"{count:,} {what}{'es' if what.endswith(('ch', 's', 'x')) else 's'}"
