"""Words for people."""
from __future__ import annotations


def counted(count: int, what: str) -> str:
    """``"1 episode"``, ``"1,234 episodes"``, ``"2 batches"``."""
    if count == 1:
        return f"1 {what}"
    return f"{count:,} {what}{'es' if what.endswith(('ch', 's', 'x')) else 's'}"
