"""What the C headers declare. Written by tools/python/generate_bindings.py; do not edit."""
from __future__ import annotations

from ctypes import (
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

# trajpack.h
TP_ABI = 3
TP_OK = 0
TP_ERROR_DATA = 1
TP_ERROR_USAGE = 2
TP_ERROR_MACHINE = 3
TP_END = 4
TP_CANCELLED = 5
TP_WAITING = 6
TP_NO_VIDEO = 7
# trajpack_signal.h
# trajpack_evaluate.h
TP_ARRAY_FLOAT32 = 0
TP_ARRAY_FLOAT64 = 1
TP_ARRAY_INT64 = 2
TP_ARRAY_UINT8 = 3
# trajpack_write.h
TPW_ABI = 4


class Error(Structure):
    """tp_error"""

    _fields_ = [
        ("code", c_int32),
        ("message", c_char * 1024),
        ("place", c_char * 1024),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class BatchView(Structure):
    """tp_batch_view"""

    _fields_ = [
        ("memory", c_void_p),
        ("bytes", c_uint64),
        ("count", c_uint64),
        ("epoch", c_uint64),
        ("position", c_uint64),
        ("windows", c_void_p),
        ("datasets", c_void_p),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class Part(Structure):
    """tp_part"""

    _fields_ = [
        ("rank", c_uint32),
        ("world", c_uint32),
        ("worker", c_uint32),
        ("workers", c_uint32),
        ("threads", c_uint32),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class State(Structure):
    """tp_state"""

    _fields_ = [
        ("version", c_uint64),
        ("digest", c_uint64),
        ("seed", c_uint64),
        ("epoch", c_uint64),
        ("position", c_uint64),
        ("weights", c_uint64),
        ("weights_epoch", c_uint64),
        ("later_weights", c_uint64),
        ("later_epoch", c_uint64),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class SignalTimes(Structure):
    """tp_signal_times"""

    _fields_ = [
        ("form", c_int32),
        ("count", c_int64),
        ("a_num", c_int64),
        ("a_den", c_int64),
        ("b_num", c_int64),
        ("b_den", c_int64),
        ("values", c_void_p),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class SignalInput(Structure):
    """tp_signal_input"""

    _fields_ = [
        ("dtype", c_int32),
        ("rows", c_int64),
        ("components", c_int64),
        ("values", c_void_p),
        ("observed", c_void_p),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class SignalOutput(Structure):
    """tp_signal_output"""

    _fields_ = [
        ("rows", c_int64),
        ("values", c_void_p),
        ("mask", c_void_p),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class SignalSeries(Structure):
    """tp_signal_series"""

    _fields_ = [
        ("values", c_void_p),
        ("rows", c_int64),
        ("components", c_int64),
        ("channel", c_int64),
        ("episodes", c_void_p),
        ("episode_count", c_int64),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class SignalCamera(Structure):
    """tp_signal_camera"""

    _fields_ = [
        ("frames", c_int64),
        ("intrinsics", c_void_p),
        ("positions", c_void_p),
        ("rotations", c_void_p),
        ("rotation_form", c_int32),
        ("pose", c_int32),
        ("axes", c_int32),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class Array(Structure):
    """tp_array"""

    _fields_ = [
        ("name", c_char_p),
        ("data", c_void_p),
        ("shape", c_void_p),
        ("rank", c_int32),
        ("type", c_int32),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


class Column(Structure):
    """tpw_column"""

    _fields_ = [
        ("values", c_void_p),
        ("bytes", c_size_t),
        ("text", c_void_p),
        ("text_bytes", c_size_t),
    ]
    #: Objects whose memory the fields point into.
    keep: Any


#: The functions of trajpack.h: result, arguments.
TRAJPACK: dict[str, tuple[Any, list[Any]]] = {
    "tp_version": (c_char_p, []),
    "tp_abi": (c_int32, []),
    "tp_text_free": (None, [c_void_p]),
    "tp_bytes_free": (None, [c_void_p]),
    "tp_options_schema": (c_int32, [c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_remote_set_credentials": (c_int32, [c_void_p, c_void_p, POINTER(Error)]),
    "tp_remote_set_stop": (None, [c_void_p]),
    "tp_dataset_open": (c_int32, [c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_free": (None, [c_void_p]),
    "tp_dataset_outline": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_describe": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_episodes": (c_int32, [c_void_p, c_int64, c_int64, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_find_episode": (c_int32, [c_void_p, c_char_p, c_void_p, POINTER(Error)]),
    "tp_dataset_values": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_episode": (c_int32, [c_void_p, c_int64, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_streams": (c_int32, [c_void_p, c_int64, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_statistics": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_measure": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_side_file": (c_int32, [c_void_p, c_char_p, c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_split": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_read": (c_int32, [
        c_void_p, c_int64, c_char_p, c_int64, c_int64, c_char_p, c_void_p, c_size_t, c_void_p, c_size_t,
        POINTER(Error)
    ]),
    "tp_dataset_times": (c_int32, [c_void_p, c_int64, c_int64, c_int64, c_void_p, POINTER(Error)]),
    "tp_dataset_read_bytes": (c_int32, [
        c_void_p, c_int64, c_char_p, c_int64, c_int64, POINTER(c_void_p), c_void_p, c_void_p, POINTER(Error)
    ]),
    "tp_video_register": (c_int32, [c_void_p, POINTER(Error)]),
    "tp_dataset_set_media": (c_int32, [c_void_p, c_char_p, c_int32, POINTER(Error)]),
    "tp_dataset_describe_frames": (c_int32, [c_void_p, c_int64, c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_dataset_read_frames": (c_int32, [
        c_void_p, c_int64, c_void_p, c_size_t, c_char_p, c_void_p, c_size_t, POINTER(Error)
    ]),
    "tp_loader_create": (c_int32, [POINTER(c_void_p), c_size_t, c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_loader_free": (None, [c_void_p]),
    "tp_loader_describe": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_loader_normalization": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_loader_next": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_loader_wait": (c_int32, [c_void_p, c_int32]),
    "tp_batch_look": (None, [c_void_p, POINTER(BatchView)]),
    "tp_batch_repeated": (c_int32, [c_void_p]),
    "tp_batch_free": (None, [c_void_p]),
    "tp_loader_set_part": (c_int32, [c_void_p, POINTER(Part), POINTER(Error)]),
    "tp_loader_lend": (c_int32, [c_void_p, c_void_p, c_size_t, POINTER(Error)]),
    "tp_loader_set_weights": (c_int32, [c_void_p, c_uint32, c_void_p, c_size_t, POINTER(Error)]),
    "tp_loader_replace_weights": (c_int32, [c_void_p, c_void_p, c_void_p, c_size_t, POINTER(Error)]),
    "tp_loader_read": (c_int32, [c_void_p, c_uint32, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(Error)]),
    "tp_loader_order": (c_int32, [c_void_p, c_uint64, c_uint64, c_size_t, c_void_p, c_void_p, POINTER(Error)]),
    "tp_loader_locate": (c_int32, [c_void_p, c_uint32, c_uint64, c_void_p, c_void_p, c_void_p, POINTER(Error)]),
    "tp_loader_locate_all": (c_int32, [
        c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, POINTER(Error)
    ]),
    "tp_loader_clips": (c_int32, [c_void_p, c_uint32, POINTER(c_void_p), POINTER(Error)]),
    "tp_loader_clip_rows": (c_int32, [
        c_void_p, c_uint32, c_uint64, c_char_p, c_void_p, c_size_t, c_void_p, POINTER(Error)
    ]),
    "tp_loader_texts": (c_int32, [
        c_void_p, c_char_p, c_void_p, c_void_p, c_size_t, POINTER(c_void_p), c_void_p, c_void_p, POINTER(Error)
    ]),
    "tp_loader_get_state": (None, [c_void_p, POINTER(State)]),
    "tp_loader_set_state": (c_int32, [c_void_p, POINTER(State), POINTER(Error)]),
    "tp_loader_seek": (c_int32, [c_void_p, c_uint64, c_uint64, POINTER(Error)]),
    "tp_loader_stats": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tp_loader_cancel": (None, [c_void_p]),
}


#: The functions of trajpack_signal.h: result, arguments.
TRAJPACK_SIGNAL: dict[str, tuple[Any, list[Any]]] = {
    "tp_signal_resample": (c_int32, [
        POINTER(SignalTimes), POINTER(SignalTimes), c_int32, c_int32, c_double, c_void_p, c_int64, c_void_p,
        POINTER(SignalInput), POINTER(SignalOutput), POINTER(Error)
    ]),
    "tp_signal_polyphase": (c_int32, [
        c_int64, c_int64, c_int32, c_int64, POINTER(SignalInput), POINTER(SignalOutput), POINTER(Error)
    ]),
    "tp_signal_moving_mean": (c_int32, [
        POINTER(SignalTimes), POINTER(SignalTimes), c_double, c_double, POINTER(SignalInput), POINTER(SignalOutput),
        POINTER(Error)
    ]),
    "tp_signal_bins": (c_int32, [
        POINTER(SignalTimes), POINTER(SignalTimes), c_int32, POINTER(SignalInput), POINTER(SignalOutput),
        POINTER(Error)
    ]),
    "tp_signal_align": (c_int32, [
        POINTER(SignalTimes), POINTER(SignalTimes), c_int32, c_double, c_int64, c_int64, c_int32, c_double, c_void_p,
        c_void_p, POINTER(Error)
    ]),
    "tp_signal_autocorrelation": (c_int32, [POINTER(SignalSeries), c_int64, c_void_p, c_void_p, POINTER(Error)]),
    "tp_signal_mutual_information": (c_int32, [
        POINTER(SignalSeries), c_int64, c_int32, c_int64, c_void_p, c_void_p, c_void_p, POINTER(Error)
    ]),
    "tp_signal_false_neighbours": (c_int32, [
        POINTER(SignalSeries), c_int64, c_int64, c_int64, c_int32, c_double, c_double, c_void_p, c_void_p,
        POINTER(Error)
    ]),
    "tp_signal_cao": (c_int32, [
        POINTER(SignalSeries), c_int64, c_int64, c_int64, c_int32, c_int32, c_void_p, c_void_p, c_void_p,
        POINTER(Error)
    ]),
    "tp_signal_mdop": (c_int32, [
        POINTER(SignalSeries), c_int64, c_int64, c_double, c_double, c_int64, c_void_p, c_void_p, c_int64, c_void_p,
        POINTER(Error)
    ]),
    "tp_signal_pecuzal": (c_int32, [
        POINTER(SignalSeries), c_int64, c_int64, c_double, c_int32, c_void_p, c_void_p, c_int64, c_void_p,
        POINTER(Error)
    ]),
    "tp_signal_noise_amplification": (c_int32, [
        POINTER(SignalSeries), c_int64, c_int64, c_int64, c_void_p, POINTER(Error)
    ]),
    "tp_signal_augmented_covariance": (c_int32, [
        POINTER(SignalSeries), c_int64, c_int64, c_int32, c_void_p, POINTER(Error)
    ]),
    "tp_signal_embed": (c_int32, [
        POINTER(SignalSeries), c_void_p, c_int64, c_int32, c_int32, c_void_p, c_void_p, POINTER(Error)
    ]),
    "tp_signal_mask": (c_int32, [
        c_int32, c_double, c_void_p, c_void_p, c_int64, c_uint64, c_uint64, POINTER(SignalInput), c_void_p,
        POINTER(Error)
    ]),
    "tp_signal_random": (c_int32, [c_uint64, c_uint64, c_int64, c_void_p, POINTER(Error)]),
    "tp_signal_time_since": (c_int32, [POINTER(SignalTimes), POINTER(SignalInput), c_void_p, POINTER(Error)]),
    "tp_signal_coefficients": (c_int32, [
        c_int32, POINTER(SignalTimes), POINTER(SignalInput), c_void_p, c_void_p, c_int64, c_void_p, c_void_p,
        POINTER(Error)
    ]),
    "tp_signal_rectilinear": (c_int32, [POINTER(SignalInput), c_int64, c_int32, POINTER(SignalOutput), POINTER(Error)]),
    "tp_signal_quantise": (c_int32, [
        POINTER(SignalTimes), c_double, POINTER(SignalInput), c_void_p, POINTER(SignalOutput), c_void_p,
        POINTER(Error)
    ]),
    "tp_signal_union": (c_int32, [
        POINTER(SignalTimes), POINTER(SignalInput), POINTER(c_void_p), c_int64, c_void_p, c_void_p, c_void_p,
        c_void_p, c_void_p, c_void_p, POINTER(Error)
    ]),
    "tp_signal_project": (c_int32, [
        POINTER(SignalCamera), c_void_p, c_int64, c_double, c_void_p, c_void_p, POINTER(Error)
    ]),
    "tp_signal_project_bones": (c_int32, [
        POINTER(SignalCamera), c_void_p, c_int64, c_void_p, c_int64, c_double, c_void_p, POINTER(Error)
    ]),
    "tp_signal_unproject": (c_int32, [
        POINTER(SignalCamera), c_void_p, c_void_p, c_int64, c_int32, c_void_p, POINTER(Error)
    ]),
}


#: The functions of trajpack_evaluate.h: result, arguments.
TRAJPACK_EVALUATE: dict[str, tuple[Any, list[Any]]] = {
    "tp_evaluate": (c_int32, [c_char_p, POINTER(Array), c_int64, c_char_p, POINTER(c_void_p)]),
    "tp_evaluate_until": (c_int32, [c_char_p, POINTER(Array), c_int64, c_char_p, c_void_p, POINTER(c_void_p)]),
    "tp_evaluators": (c_void_p, []),
}


#: The functions of trajpack_write.h: result, arguments.
TRAJPACK_WRITE: dict[str, tuple[Any, list[Any]]] = {
    "tpw_abi": (c_int32, []),
    "tpw_text_free": (None, [c_void_p]),
    "tpw_remote_set_credentials": (c_int32, [c_void_p, c_void_p, POINTER(Error)]),
    "tpw_writer_open": (c_int32, [c_char_p, c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "tpw_writer_free": (None, [c_void_p]),
    "tpw_writer_leave": (None, [c_void_p]),
    "tpw_writer_schema": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tpw_writer_declare": (c_int32, [c_void_p, c_char_p, POINTER(Error)]),
    "tpw_writer_counts": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(Error)]),
    "tpw_writer_refuse_taken": (c_int32, [c_void_p, c_char_p, POINTER(Error)]),
    "tpw_writer_flush": (c_int32, [c_void_p, POINTER(Error)]),
    "tpw_writer_adopt": (c_int32, [c_void_p, c_char_p, c_void_p, POINTER(Error)]),
    "tpw_writer_close": (c_int32, [c_void_p, POINTER(Error)]),
    "tpw_episode_begin": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "tpw_episode_track": (c_int32, [c_void_p, c_char_p, c_void_p, POINTER(Error)]),
    "tpw_episode_rows": (c_int32, [c_void_p, c_int64, c_int64, POINTER(Column), c_size_t, POINTER(Error)]),
    "tpw_episode_video": (c_int32, [
        c_void_p, c_char_p, POINTER(Column), c_int64, c_void_p, c_int64, c_void_p, POINTER(Error)
    ]),
    "tpw_episode_commit": (c_int32, [c_void_p, POINTER(Error)]),
    "tpw_episode_free": (None, [c_void_p]),
}
