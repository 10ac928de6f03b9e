"""Arrays as columns of Ray's blocks, which are Arrow tables."""
from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

try:
    from ray.data.extensions import ArrowTensorArray, ArrowVariableShapedTensorArray
except ImportError:
    from ray.air.util.tensor_extensions.arrow import ArrowTensorArray, ArrowVariableShapedTensorArray


def fixed(values: Any) -> Any:
    """Rows of one shape: ``[rows]`` as a plain column, ``[rows, ...]`` as a column of tensors, without a copy (but
    booleans, which Arrow packs into bits). Lists are texts."""
    if isinstance(values, list):
        return pa.array(values, pa.string())
    if values.dtype.kind == "U":
        return pa.array(values.tolist(), pa.string())
    return pa.array(values) if values.ndim == 1 else ArrowTensorArray.from_numpy(values)


def ragged(arrays: list[Any]) -> Any:
    """A column with an array of any number of rows in each place; the arrays have one dtype."""
    return ArrowVariableShapedTensorArray.from_numpy(np_objects(arrays))


def np_objects(arrays: list[Any]) -> Any:
    """A list of arrays as one array of objects, whatever their shapes."""
    out = np.empty(len(arrays), object)
    for place, one in enumerate(arrays):
        out[place] = one
    return out


def target() -> int:
    """Bytes of a block at which Ray cuts."""
    from ray.data import DataContext
    return int(DataContext.get_current().target_max_block_size or 128 << 20)
