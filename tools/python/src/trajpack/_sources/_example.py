"""``tf.train.Example`` messages in TFRecord files, read without TensorFlow.

A TFRecord is: a length (8 bytes, little-endian), the masked CRC-32C of it, the bytes, and their masked CRC-32C. A
message is a map of names to lists of bytes, float32 or int64 (tensorflow/core/example/feature.proto).
"""
from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._errors import DataError


def _table() -> Any:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


_TABLE = _table()
_LIST = _TABLE.tolist()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), by google-crc32c where it is installed, since Python needs a second for 10 MB."""
    try:
        import google_crc32c  # type: ignore[import-not-found, import-untyped, unused-ignore]
        return int(google_crc32c.value(data))
    except ImportError:
        crc = 0xFFFFFFFF
        for byte in data:
            crc = _LIST[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> int:
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: str) -> Iterator[tuple[int, int]]:
    """Where each record's bytes begin, and how many they are; lengths are checked, bytes are not read.

    Raises ``DataError`` where the file is cut or damaged.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        at = number = 0
        while at < size:
            file.seek(at)
            head = file.read(12)
            if len(head) < 12:
                raise DataError(f"{path}: is cut in the head of record {number} at byte {at}")
            length, crc = struct.unpack("<QI", head)
            if crc != _masked(head[:8]):
                raise DataError(f"{path}: the length of record {number} at byte {at} does not match its checksum")
            if at + 16 + length > size:
                raise DataError(f"{path}: is cut in record {number} at byte {at}: it has {length} bytes, and the file "
                                f"ends {at + 16 + length - size} before")
            yield at + 12, length
            at += 16 + length
            number += 1


def record(path: str, at: int, length: int) -> bytes:
    """The bytes of a record, compared with their checksum."""
    with open(path, "rb") as file:
        file.seek(at)
        data = file.read(length)
        crc = file.read(4)
    if len(data) < length or len(crc) < 4:
        raise DataError(f"{path}: is cut at byte {at}")
    if struct.unpack("<I", crc)[0] != _masked(data):
        raise DataError(f"{path}: the record at byte {at} is damaged: its bytes do not match their checksum")
    return data


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise DataError("a number of a message is too long")


def _fields(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Number, wire type and value of each field."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, kind, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise DataError(f"a field of a message has the wire type {kind}")
        if at + length > len(data):
            raise DataError("a field of a message is longer than the message")
        yield key >> 3, kind, data[at:at + length]
        at += length


def _int64s(part: memoryview) -> Any:
    """Packed varints as int64."""
    raw = np.frombuffer(part, np.uint8)
    ends = np.flatnonzero(raw < 0x80)
    if len(raw) and (len(ends) == 0 or ends[-1] != len(raw) - 1):
        raise DataError("a list of numbers in a message is cut")
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts + 1
    if len(lengths) and lengths.max() > 10:
        raise DataError("a number of a message is too long")
    out = np.zeros(len(ends), np.uint64)
    for k in range(int(lengths.max()) if len(lengths) else 0):
        some = lengths > k
        out[some] |= (raw[starts[some] + k] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * k)
    return out.view(np.int64)


def _feature(data: memoryview) -> Any:
    """The list of a feature: bytes, or an array of float32 or int64."""
    for number, kind, value in _fields(data):
        if kind != 2:
            continue
        parts = list(_fields(value))
        if number == 1:
            return [bytes(v) for n, _, v in parts if n == 1]
        if number == 2:
            arrays = [np.frombuffer(v, "<f4") for n, _, v in parts if n == 1]
            return np.concatenate(arrays) if arrays else np.zeros(0, np.float32)
        if number == 3:
            whole = [np.array([v], np.uint64).view(np.int64) if k == 0 else _int64s(v) for n, k, v in parts if n == 1]
            return np.concatenate(whole) if whole else np.zeros(0, np.int64)
    return []


def example(data: bytes) -> dict[str, Any]:
    """The features of a ``tf.train.Example`` by name: lists of bytes, arrays of float32 or int64.

    Raises ``DataError`` where the bytes are none.
    """
    out: dict[str, Any] = {}
    try:
        for number, kind, features in _fields(memoryview(data)):
            if number != 1 or kind != 2:
                continue
            for _, _, entry in _fields(features):
                name, value = "", memoryview(b"")
                for field, _, part in _fields(entry):
                    if field == 1:
                        name = bytes(part).decode()
                    elif field == 2:
                        value = part
                out[name] = _feature(value)
    except (IndexError, TypeError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"is no tf.train.Example: {error}") from None
    return out
