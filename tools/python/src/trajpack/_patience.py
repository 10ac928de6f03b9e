"""Calls that may take long, in which Ctrl-C is heard all the same."""
from __future__ import annotations

import threading
from collections.abc import Callable
from ctypes import c_int32


def until(call: Callable[[], int], stop: c_int32, name: str) -> int:
    """What ``call`` returns, which the library ends soon after ``stop`` is set. It runs beside the main thread, which
    alone runs the handlers of signals: where one raises, as that of Ctrl-C does, ``stop`` is set, and the error goes on
    once the call has ended. In another thread it is simply called."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(call()), name=name)
    try:
        thread.start()
        thread.join()
    except BaseException:
        stop.value = 1
        if thread.ident is not None:
            thread.join()
        raise
    return status[0]


def patiently(work: Callable[[], None], undo: Callable[[], None]) -> None:
    """Runs ``work`` in a thread and waits for it, so that Python acts on signals between.

    An interrupt leaves at once; the thread then goes on by itself to the end of ``work`` and calls ``undo``.
    """
    if threading.current_thread() is not threading.main_thread():
        work()
        return
    failures: list[BaseException] = []
    lock = threading.Lock()
    state = {"left": False, "done": False}

    def run() -> None:
        try:
            work()
        except BaseException as failure:
            failures.append(failure)
        with lock:
            state["done"] = True
            orphaned = state["left"] and not failures
        if orphaned:
            undo()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)
    except BaseException:
        with lock:
            state["left"] = True
            orphaned = state["done"] and not failures
        if orphaned:
            undo()
        raise
    if failures:
        raise failures[0]
