"""Credentials for data sets in buckets of S3 (docs/remote.md), where they are none of those that the AWS tools find."""
from __future__ import annotations

import ctypes
import datetime
import json
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from . import _ffi

__all__ = ["set_credentials"]
_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_NAMES = {"AccessKeyId": ("AccessKeyId", "access_key_id", "aws_access_key_id"),
          "SecretAccessKey": ("SecretAccessKey", "secret_access_key", "aws_secret_access_key"),
          "SessionToken": ("SessionToken", "session_token", "aws_session_token", "token"),
          "Expiration": ("Expiration", "expiration", "expires_at")}
#: Every function that was set: a thread may be in one when another takes its place.
_kept: list[Any] = []
#: The one that counts now, for the library that writes.
_current: Any = None


def _text(given: Mapping[str, Any] | None) -> str:
    out: dict[str, str] = {}
    for name, names in _NAMES.items():
        value = next((given[n] for n in names if given.get(n) is not None), None) if given else None
        if isinstance(value, datetime.datetime):
            value = (value if value.tzinfo else value.astimezone()).isoformat()
        if value is not None:
            out[name] = str(value)
    return json.dumps(out)


def set_credentials(provider: Callable[[], Mapping[str, Any] | None] | None) -> None:
    """Asks ``provider`` for credentials of S3, instead of the environment, profiles and roles; None for these again.

    It gives ``{"access_key_id", "secret_access_key", "token", "expires_at"}``, the last two if there are any, a
    ``datetime`` or a text of ISO 8601; or None, where nothing is to be signed. boto3's and botocore's names are taken,
    too. Any thread calls it, once, and again five minutes before the credentials expire. Its exceptions are printed;
    reading then raises ``MachineError``. A process that is started later sets its own, and
    a :class:`~trajpack.Writer` takes the one that is set when it is opened.
    """
    global _current
    if provider is None:
        _ffi.call("tp_remote_set_credentials", None, None)
        _current = None
        return

    def give(context: Any, room: int, size: int) -> int:
        try:
            text = _text(provider()).encode() + b"\0"
            if len(text) > size:
                return 2
            ctypes.memmove(room, text, len(text))
            return 0
        except Exception:
            traceback.print_exc()
            return 1
    function = _FUNCTION(give)
    _kept.append(function)
    _ffi.call("tp_remote_set_credentials", ctypes.cast(function, ctypes.c_void_p), None)
    _current = function
