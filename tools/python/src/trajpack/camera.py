"""Points of the world in pictures, and back: pinhole cameras whose conventions are always given, never guessed.

    camera = episode["camera"]
    k, pose = camera["K"][:], (camera["pos"][:], camera["rot"][:])
    seen = trajpack.camera.project(joints, k, pose, **trajpack.camera.conventions(camera["rot"]))
    seen.pixels                                  # [frames, joints, 2], NaN behind the near plane

Shapes: points ``[..., N, 3]``; intrinsics ``[..., 4]`` (fx, fy, cx, cy) or ``[..., 3, 3]``; a pose is a matrix
``[..., 4, 4]`` or ``[..., 3, 4]``, or a tuple of positions ``[..., 3]`` and rotations, quaternions ``[..., 4]`` or
matrices ``[..., 3, 3]``. The leading axes (frames, or cameras and frames) are broadcast. Pixels are (u right, v down);
pixel centres lie where the intrinsics have them, in OpenCV's at whole numbers. Everything is float64. A frame whose
camera is not finite, as WildWorld writes frames without a valid camera, gives NaN.
"""
from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import _bindings
from ._errors import UsageError
from .signal import _ffi
from .signal._ffi import Floats
from .video import Video

#: z of the near plane of WildWorld's own script, in the units of the world.
NEAR = 0.05

_DIRECTIONS = ("camera-to-world", "world-to-camera")
_SHORT = {"c2w": "camera-to-world", "w2c": "world-to-camera"}
_AXES = ("opengl", "opencv")
_ORDERS = ("xyzw", "wxyz")
_DEPTHS = ("axis", "ray")


class Projection(NamedTuple):
    """Where points lie in the picture."""

    pixels: Floats
    """``[..., N, 2]``: u, v; NaN where z is at most the near plane's."""
    depth: Floats
    """``[..., N]``: z along the optical axis, in the units of the world; also of what lies behind."""


def project(points: ArrayLike, K: ArrayLike, pose: Any, *, direction: str, axes: str, order: str | None = None,
            near: float = NEAR) -> Projection:
    """Points of the world ``[..., N, 3]`` in the picture of each frame.

    ``direction``: what the pose maps, ``"camera-to-world"`` (``"c2w"``) or ``"world-to-camera"`` (``"w2c"``).
    ``axes``: the camera's own, ``"OpenGL"`` (x right, y up, z backward) or ``"OpenCV"`` (x right, y down, z forward).
    ``order``: of quaternions, ``"xyzw"`` or ``"wxyz"``; needed for quaternions only. With x_c in OpenCV's axes,
    u = fx x/z + cx and v = fy y/z + cy, as OpenCV's ``projectPoints`` does without distortion.
    """
    camera = _Cameras(K, pose, direction, axes, order)
    given = _array(points, "points", (3,), least=2)
    lead = camera.broadcast(given.shape[:-2], "points")
    count = given.shape[-2]
    flat = np.ascontiguousarray(np.broadcast_to(given, (*lead, count, 3)))
    pixels, depth = np.empty((*lead, count, 2)), np.empty((*lead, count))
    _ffi.call("tp_signal_project", byref(camera.c), _ffi.address(flat), count, _near(near), _ffi.address(pixels),
              _ffi.address(depth))
    return Projection(pixels, depth)


def project_bones(points: ArrayLike, bones: ArrayLike | Sequence[Sequence[int]], K: ArrayLike, pose: Any, *,
                  direction: str, axes: str, order: str | None = None, near: float = NEAR) -> Floats:
    """Bones between points ``[..., N, 3]`` as they are drawn: ``[..., bones, 2, 2]``, u and v of both ends.

    ``bones``: pairs of numbers of points. A bone with one end at z <= ``near`` is cut at z = ``near``, one with both
    ends there is NaN: the rule of WildWorld's ``render_skeleton_video.py``.
    """
    camera = _Cameras(K, pose, direction, axes, order)
    given = _array(points, "points", (3,), least=2)
    lead = camera.broadcast(given.shape[:-2], "points")
    edges = np.asarray(bones)
    if edges.size == 0:
        edges = edges.reshape(0, 2).astype(np.int64)
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
        raise UsageError(f"'bones' is {edges.dtype} {list(edges.shape)}, but must be pairs of numbers of points, "
                         "integers [bones, 2]")
    edges = np.ascontiguousarray(edges, np.int64)
    count = given.shape[-2]
    flat = np.ascontiguousarray(np.broadcast_to(given, (*lead, count, 3)))
    out = np.empty((*lead, len(edges), 2, 2))
    _ffi.call("tp_signal_project_bones", byref(camera.c), _ffi.address(flat), count, _ffi.address(edges), len(edges),
              _near(near), _ffi.address(out))
    return out


def unproject(depth: ArrayLike, K: ArrayLike, pose: Any = None, *, direction: str | None = None,
              axes: str | None = None, order: str | None = None, pixels: ArrayLike | None = None,
              measured: str = "axis") -> Floats:
    """Points of the world from metric depth (in the units of the world); without ``pose``, of the camera's own axes.

    Windows: ``unproject(batch["depth"], batch["camera/K"], (batch["camera/pos"], batch["camera/rot"]), **said)``
    with depth of ``windows(..., depth="m")``, whose intrinsics have followed ``crop`` and ``size``.

    Without ``pixels``, ``depth`` are pictures ``[..., H, W]``, pixel centres at whole numbers, and points are
    ``[..., H, W, 3]``. With ``pixels`` ``[..., N, 2]``, ``depth`` is ``[..., N]`` and points ``[..., N, 3]``.
    ``measured``: depth along the optical ``"axis"`` (z) or along the ``"ray"`` (distance from the camera). NaN depth
    gives NaN points. Stored samples that are not distances, like WildWorld's 8-bit depth, must be made into distances
    first: ``read(depth="m")`` of a video, or ``depth="m"`` of windows. Give ``direction`` and ``axes`` of a pose, or
    :func:`conventions`. Without a pose ``axes`` are those of the result, OpenCV's (x right, y down, z forward).
    """
    if pose is None:
        if direction is not None or order is not None:
            raise UsageError("'direction' and 'order' say how a pose is to be read, and none was given")
        pose, direction, axes = (np.zeros(3), np.eye(3)), "camera-to-world", axes or "opencv"
    if direction is None or axes is None:
        raise UsageError("say how the pose is to be read: give direction= and axes=, or **conventions(rotation)")
    camera = _Cameras(K, pose, direction, axes, order)
    how = _ffi.code(measured, "measured", _DEPTHS)
    if pixels is None:
        given = _array(depth, "depth", (), least=2)
        inner = given.shape[-2:]
        v, u = np.meshgrid(np.arange(inner[0]), np.arange(inner[1]), indexing="ij")
        places = np.stack([u, v], -1).reshape(-1, 2).astype(np.float64)
        given = given.reshape(*given.shape[:-2], -1)
    else:
        given = _array(depth, "depth", (), least=1)
        places = _array(pixels, "pixels", (2,), least=2)
        if places.shape[-2] != given.shape[-1]:
            raise UsageError(f"'pixels' are {places.shape[-2]} and 'depth' {given.shape[-1]}: give one for each")
        inner = given.shape[-1:]
    lead = camera.broadcast(np.broadcast_shapes(given.shape[:-1], places.shape[:-2]), "depth")
    count = given.shape[-1]
    flat = np.ascontiguousarray(np.broadcast_to(given, (*lead, count)))
    places = np.ascontiguousarray(np.broadcast_to(places, (*lead, count, 2)))
    out = np.empty((*lead, count, 3))
    _ffi.call("tp_signal_unproject", byref(camera.c), _ffi.address(places), _ffi.address(flat), count, how,
              _ffi.address(out))
    return out.reshape(*lead, *inner, 3)


def conventions(rotation: Any) -> dict[str, str]:
    """What the archive says of a camera's rotation (a channel or a column of one), as options of :func:`project`; of a
    video of depth, ``measured`` for :func:`unproject`.

    A convention that it does not say is an error that names the option to give; nothing is guessed.
    """
    if isinstance(rotation, Video):
        measured = (rotation.depth or {}).get("measured")
        if measured is None:
            raise UsageError(f"'{rotation.stream.name}' does not say along what its depth is measured, and it is not "
                             "guessed: give measured= ('axis' or 'ray') yourself")
        return {"measured": str(measured)}
    channel = getattr(rotation, "channel", rotation)
    said = channel.conventions
    out = {}
    names = [("direction", "pose", _DIRECTIONS), ("axes", "axes", _AXES)]
    if tuple(channel.shape[-1:]) == (4,) and channel.kind == "quaternion":
        names.append(("order", "order", _ORDERS))
    for option, name, known in names:
        value = str(said.get(name, "")).lower()
        if value not in known:
            what = f"says '{said[name]}'" if name in said else "does not say"
            raise UsageError(f"'{channel.path}' {what} for the convention '{name}' (known: {', '.join(known)}), and it "
                             f"is not guessed: give {option}= yourself")
        out[option] = value
    return out


class _Cameras:
    """A camera for each frame, in the shapes that the library takes."""

    def __init__(self, K: ArrayLike, pose: Any, direction: str, axes: str, order: str | None) -> None:
        self._intrinsics = _intrinsics(K)
        self._position, self._rotation = _pose(pose)
        self._form = 2
        if self._rotation.shape[-1] == 4:
            if order is None:
                raise UsageError("the pose has quaternions: say their order with order='xyzw' or order='wxyz'")
            self._form = _ffi.code(order, "order", _ORDERS)
        self._pose = _ffi.code(_SHORT.get(direction, direction), "direction", _DIRECTIONS)
        self._axes = _ffi.code(str(axes).lower(), "axes", _AXES)
        self.c = _bindings.SignalCamera()

    def broadcast(self, lead: tuple[int, ...], name: str) -> tuple[int, ...]:
        """The leading axes of cameras and points together, and ``self.c`` over as many frames."""
        width = 2 if self._form == 2 else 1
        shapes = {name: lead, "K": self._intrinsics.shape[:-1], "positions": self._position.shape[:-1],
                  "rotations": self._rotation.shape[:-width]}
        try:
            out = np.broadcast_shapes(*shapes.values())
        except ValueError:
            raise UsageError("leading axes do not fit together: "
                             + ", ".join(f"{n} {list(s)}" for n, s in shapes.items())) from None
        arrays = [np.ascontiguousarray(np.broadcast_to(a, (*out, *a.shape[a.ndim - inner:])))
                  for a, inner in ((self._intrinsics, 1), (self._position, 1), (self._rotation, width))]
        self.c = _bindings.SignalCamera(int(np.prod(out, dtype=np.int64)), *(_ffi.address(a) for a in arrays),
                                        self._form, self._pose, self._axes)
        self.c.keep = arrays
        return out


def _array(values: ArrayLike, name: str, last: tuple[int, ...], least: int) -> Floats:
    array = np.ascontiguousarray(_ffi.floating(values, name), np.float64)
    if array.ndim < least or (last and array.shape[-len(last):] != last):
        shape = {(3,): "[..., N, 3]", (2,): "[..., N, 2]", (): "[..., H, W]" if least == 2 else "[..., N]"}[last]
        raise UsageError(f"'{name}' is {list(array.shape)}, but must be {shape}")
    return array


def _intrinsics(K: ArrayLike) -> Floats:
    """fx, fy, cx, cy, skew of each frame."""
    k = np.ascontiguousarray(_ffi.floating(K, "K"), np.float64)
    if k.ndim >= 2 and k.shape[-2:] == (3, 3):
        fixed = np.stack([k[..., 1, 0], k[..., 2, 0], k[..., 2, 1], k[..., 2, 2] - 1], -1)
        if (np.abs(fixed[np.isfinite(fixed)]) > 1e-9).any():
            raise UsageError("'K' must be [[fx, skew, cx], [0, fy, cy], [0, 0, 1]]")
        k = k + np.where(np.isfinite(fixed), 0.0, np.nan).sum(-1, keepdims=True)[..., None]
        return np.stack([k[..., 0, 0], k[..., 1, 1], k[..., 0, 2], k[..., 1, 2], k[..., 0, 1]], -1)
    if k.shape[-1] != 4:
        raise UsageError(f"'K' is {list(k.shape)}, but must be [..., 4] (fx, fy, cx, cy) or [..., 3, 3]")
    return np.concatenate([k, np.zeros((*k.shape[:-1], 1))], -1)


def _pose(pose: Any) -> tuple[Floats, Floats]:
    """Positions [..., 3] and rotations [..., 4] or [..., 3, 3]."""
    if isinstance(pose, tuple):
        if len(pose) != 2:
            raise UsageError(f"'pose' has {len(pose)} parts, but must be a matrix or (positions, rotations)")
        position = np.ascontiguousarray(_ffi.floating(pose[0], "positions"), np.float64)
        rotation = np.ascontiguousarray(_ffi.floating(pose[1], "rotations"), np.float64)
        if position.shape[-1] != 3:
            raise UsageError(f"positions are {list(position.shape)}, but must be [..., 3]")
        if rotation.shape[-1] != 4 and rotation.shape[-2:] != (3, 3):
            raise UsageError(f"rotations are {list(rotation.shape)}, but must be [..., 4] or [..., 3, 3]")
        return position, rotation
    matrix = np.ascontiguousarray(_ffi.floating(pose, "pose"), np.float64)
    if matrix.ndim < 2 or matrix.shape[-2:] not in ((3, 4), (4, 4)):
        raise UsageError(f"'pose' is {list(matrix.shape)}, but must be [..., 4, 4], [..., 3, 4] or a tuple (positions, "
                         "rotations)")
    if matrix.shape[-2] == 4:
        last = matrix[..., 3, :] - np.array([0, 0, 0, 1.0])
        if (np.abs(last[np.isfinite(last)]) > 1e-9).any():
            raise UsageError("the last row of the matrices of 'pose' must be 0, 0, 0, 1")
    return np.ascontiguousarray(matrix[..., :3, 3]), np.ascontiguousarray(matrix[..., :3, :3])


def _near(value: Any) -> float:
    near = _ffi.real(value, "near")
    if not np.isfinite(near):
        raise UsageError(f"'near' is {value!r}, but must be a distance in the units of the world")
    return near
