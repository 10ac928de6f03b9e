"""Judges of action following: does the generated video carry out the recorded action?

    segments = judge.cut(actions, "000001")                      # where the action changes
    asker = judge.Asker(judge.FunctionJudge(look), truth="truth/{}.mp4".format, prediction="out/{}.mp4".format)
    verdicts = judge.judge_segments(segments, asker, out="verdicts.jsonl")
    judge.following(verdicts)

On the command line: ``python -m trajpack.evaluate.judge --help``. ``docs/evaluate-python.md`` has the protocol, the
files, the prompts, the cache and the keys.
"""
from __future__ import annotations

from ._archive import WILDWORLD_ACTION, episode_segments
from ._cache import Cache
from ._callable import FunctionJudge
from ._clips import ClipFrames, ClipPlace, clip_segments
from ._command import CommandJudge
from ._frames import ArrayFrames, FolderFrames, Frames, Image, Stepped, VideoFrames, png
from ._http import KEY_VARIABLE, HTTPJudge
from ._prompts import PLACEHOLDERS, Prompts
from ._recorded import RecordedJudge
from ._request import Answer, Judge, NoVerdict, Request, TryAgain, parse_answer
from ._run import Asker, Persistence, judge_segments
from ._scores import agreement, following, read_labels
from ._segments import ActionRule, Segment, cut, named, read_rules, read_segments, write_segments
from ._verdicts import Verdict, read_verdicts, write_verdicts

__all__ = [
    "ActionRule", "Answer", "ArrayFrames", "Asker", "Cache", "ClipFrames", "ClipPlace", "CommandJudge", "FolderFrames",
    "Frames", "FunctionJudge", "HTTPJudge", "Image", "Judge", "KEY_VARIABLE", "NoVerdict", "PLACEHOLDERS", "Persistence",
    "Prompts", "RecordedJudge", "Request", "Segment", "Stepped", "TryAgain", "Verdict", "VideoFrames",
    "WILDWORLD_ACTION", "agreement", "clip_segments", "cut", "episode_segments", "following", "judge_segments", "named",
    "parse_answer", "png", "read_labels", "read_rules", "read_segments", "read_verdicts", "write_segments",
    "write_verdicts"]
