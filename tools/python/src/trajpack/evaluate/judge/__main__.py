"""``python -m trajpack.evaluate.judge``."""
from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..._errors import TrajpackError, UsageError, nearest
from ..._words import counted
from . import (
    KEY_VARIABLE,
    WILDWORLD_ACTION,
    Asker,
    Cache,
    CommandJudge,
    HTTPJudge,
    Judge,
    Persistence,
    Prompts,
    RecordedJudge,
    Segment,
    Stepped,
    agreement,
    episode_segments,
    following,
    judge_segments,
    named,
    read_labels,
    read_rules,
    read_segments,
    write_segments,
)
from ._clips import ClipFrames, clip_segments
from ._frames import first_row, frames
from ._segments import refuse_strange

EXAMPLES = """\
examples:
  python -m trajpack.evaluate.judge ww --judge http --url http://localhost:8000/v1 --model qwen3-vl \\
      --truth 'recordings/{episode}/rgb.mp4' --prediction 'generated/{episode}.mp4' --out verdicts.jsonl
  python -m trajpack.evaluate.judge segments.json --judge command --command './my-judge --fast' \\
      --truth 'truth/{episode}' --prediction 'generated/{episode}' --out verdicts.jsonl
  python -m trajpack.evaluate.judge ww --save-segments segments.json
  python -m trajpack.evaluate.judge ww --clips clips.csv --judge command --command ./my-judge \\
      --truth 'recordings/{episode}/rgb.mp4' --prediction 'generated/{clip}.mp4' --out verdicts.jsonl

Run the same command again to go on where it stopped. Exit codes: 0 every segment has a verdict, 1 some have none (the
file says why) or data is damaged, 2 usage, 3 the machine or the judge refused, 130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        "python -m trajpack.evaluate.judge", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Ask a judge, segment by segment, whether generated video carries out the recorded action.")
    p.add_argument(
        "source", help="a data set, whose episodes are cut where the action changes, or a segments file (.json)"
    )
    p.add_argument("--judge", choices=["http", "command", "file"], help="who judges")
    p.add_argument("--out", metavar="FILE", help="the file of verdicts: a JSON object a line")
    g = p.add_argument_group("segments")
    g.add_argument("--actions", metavar="S/C,S/C",
                   help=f"channels of a data set that make up the action ({','.join(WILDWORLD_ACTION)})")
    g.add_argument("--entity", type=int, metavar="N", help="whose action, in a stream of entities (0)")
    g.add_argument(
        "--table", metavar="FILE",
        help='action table: [{"action": [3, "*", 12], "class": "attack", "name": "slash"}], or CSV'
    )
    g.add_argument("--minimum-length", type=int, default=1, metavar="N", help="rows a segment must have (%(default)s)")
    g.add_argument("--clips", metavar="FILE", help="judge these clips of a data set: a list as CSV, JSON or JSON lines, "
                   "or the name of one that the data set has")
    g.add_argument("--episodes", nargs="+", metavar="ID", help="episodes, * and ? stand for anything")
    g.add_argument("--save-segments", metavar="FILE", help="write the segments; without --judge nothing else is done")
    g = p.add_argument_group("frames")
    g.add_argument(
        "--truth", metavar="PLACE", help="recorded frames: a video or a folder of images, {episode} in its name; with "
        "--clips frames of a clip by {clip}, or of its recording by {episode}"
    )
    g.add_argument("--prediction", metavar="PLACE", help="generated frames, likewise")
    g.add_argument("--frames", type=int, default=8, metavar="N", help="frames shown of a segment at most (%(default)s)")
    g.add_argument(
        "--height", type=int, default=480, metavar="PX", help="height that videos are scaled down to (%(default)s)"
    )
    g.add_argument(
        "--prediction-start", type=float, default=0, metavar="N",
        help="generated frame of row 0; -48 for a clip that begins at row 48 (%(default)s)",
    )
    g.add_argument("--prediction-step", type=float, default=1, metavar="N", help="generated frames a row (%(default)s)")
    g = p.add_argument_group("the judge")
    g.add_argument("--url", help="http: address of an OpenAI-compatible API, up to /v1")
    g.add_argument("--model", help="http: the model")
    g.add_argument("--key-variable", metavar="NAME",
                   help=f"http: environment variable that holds the key ({KEY_VARIABLE})")
    g.add_argument("--command", help="command: the program and its arguments")
    g.add_argument("--verdicts", metavar="FILE", help="file: recorded verdicts")
    g.add_argument("--prompts", metavar="DIR", help="folder of prompts: system.txt, default.txt, CLASS.txt")
    g.add_argument("--cache", metavar="DIR", help="http: folder where answers are kept")
    g.add_argument("--timeout", type=float, metavar="S", help="http, command: seconds for an answer (120)")
    g.add_argument("--attempts", type=int, default=3, metavar="N", help="times a question is asked (%(default)s)")
    g.add_argument("--backoff", type=float, default=1, metavar="S", help="seconds before the second time (%(default)s)")
    g.add_argument("--concurrency", type=int, default=4, metavar="N", help="questions at a time (%(default)s)")
    g.add_argument("--fresh", action="store_true", help="begin an empty --out; do not go on from it")
    p.add_argument(
        "--labels", metavar="FILE", help='labels of people, {"id", "labels": [true, false]} a line: agreement'
    )
    p.add_argument("--quiet", action="store_true", help="say nothing but errors")
    return p


def main(arguments: list[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    try:
        return run(given)
    except TrajpackError as error:
        print(f"trajpack judge: {error}", file=sys.stderr)
        return error.code or 3
    except KeyboardInterrupt:
        print("trajpack judge: interrupted; run it again to go on", file=sys.stderr)
        return 130


def run(given: argparse.Namespace) -> int:
    refuse_idle(given)
    segments = the_segments(given)
    if not segments:
        raise UsageError(f"{given.source} has no segment to judge")
    if given.save_segments:
        write_segments(given.save_segments, segments)
    if given.judge is None:
        if not given.save_segments:
            raise UsageError("say who judges with --judge, or where the segments go with --save-segments")
        say(given, f"{given.save_segments}: {counted(len(segments), 'segment')} of "
                   f"{counted(len({s.episode for s in segments}), 'episode')}")
        return 0
    if given.out is None:
        raise UsageError("say where the verdicts go with --out")
    segments = within_clip(segments, given)
    refuse_strange(segments)
    persistence = Persistence(attempts=given.attempts, backoff=given.backoff)
    labels = read_labels(given.labels) if given.labels else None
    asker = Asker(
        the_judge(given),
        place(given.truth, "--truth", given),
        place(given.prediction, "--prediction", given),
        prompts=Prompts(given.prompts) if given.prompts else None,
        frame_count=given.frames,
        height=given.height,
        cache=Cache(given.cache) if given.cache else None,
        persistence=persistence,
    )
    verdicts = judge_segments(segments, asker, out=given.out, fresh=given.fresh, concurrency=given.concurrency,
                              progress=None if given.quiet else Progress())
    without = [v for v in verdicts if v.verdict is None]
    for score in following(verdicts).values():
        say(given, str(score))
    if labels is not None:
        for score in agreement(verdicts, labels).values():
            say(given, str(score))
    if without:
        print(
            f"trajpack judge: {len(without)} of {len(verdicts)} segments have no verdict, among them {without[0].id}: "
            f"{without[0].reason}",
            file=sys.stderr,
        )
    return 1 if without else 0


def within_clip(segments: list[Segment], given: argparse.Namespace) -> list[Segment]:
    """The segments that begin in a clip of the recordings, where --prediction-start says that the generated video is
    one; the others are counted."""
    if given.prediction_start >= 0:
        return segments
    first = first_row(given.prediction_start, given.prediction_step)
    inside = [s for s in segments if s.first >= first]
    if len(inside) < len(segments):
        say(given, f"{counted(len(segments) - len(inside), 'segment')} of {len(segments)} begin before row {first}, "
                   "the first that is generated, and are left out")
    if not inside:
        raise UsageError(f"no segment begins at row {first} or later, where --prediction-start "
                         f"{given.prediction_start:g} puts the first generated frame")
    return inside


def the_segments(given: argparse.Namespace) -> list[Segment]:
    rules = read_rules(given.table) if given.table else []
    if is_segments(given.source):
        held = read_segments(given.source)
        wanted = chosen(given, dict.fromkeys(s.episode for s in held))
        return [s for s in named(held, rules) if s.episode in wanted and s.rows >= given.minimum_length]
    from ...dataset import open
    dataset = open(given.source)
    channels = list(WILDWORLD_ACTION) if given.actions is None else [c.strip() for c in given.actions.split(",")]
    segments: list[Segment] = []
    if given.clips is not None:
        segments, given.places = clip_segments(dataset, given.clips, channels, entity=given.entity or 0, rules=rules,
                                               minimum_length=given.minimum_length)
        wanted = chosen(given, dict.fromkeys(s.episode for s in segments))
        return [s for s in segments if s.episode in wanted]
    for id in chosen(given, dataset.episodes.ids):
        segments += episode_segments(dataset.episode(id), channels, entity=given.entity or 0, rules=rules,
                                     minimum_length=given.minimum_length)
    return segments


def chosen(given: argparse.Namespace, ids: Iterable[str]) -> dict[str, None]:
    """The ids, in their order, that --episodes names."""
    known = list(ids)
    if given.episodes is None:
        return dict.fromkeys(known)
    for pattern in given.episodes:
        if not any(fnmatchcase(id, pattern) for id in known):
            raise UsageError(f"no episode of {given.source} matches '{pattern}'" + nearest(pattern, known))
    return dict.fromkeys(id for id in known if any(fnmatchcase(id, p) for p in given.episodes))


def the_judge(given: argparse.Namespace) -> Judge:
    def need(name: str) -> Any:
        value = getattr(given, name)
        if not value:
            raise UsageError(f"--judge {given.judge} needs --{name}")
        return value

    timeout = 120 if given.timeout is None else given.timeout
    if given.judge == "http":
        return HTTPJudge(need("url"), need("model"), timeout=timeout,
                         key_variable=KEY_VARIABLE if given.key_variable is None else given.key_variable)
    if given.judge == "command":
        return CommandJudge(need("command"), timeout=timeout)
    return RecordedJudge(need("verdicts"))


def is_segments(source: str) -> bool:
    return source.endswith(".json") and Path(source).is_file()


#: Whom an option of the judge is for.
OWNERS = {"url": ["http"], "model": ["http"], "cache": ["http"], "key_variable": ["http"],
          "timeout": ["http", "command"],
          "command": ["command"], "verdicts": ["file"]}


def refuse_idle(given: argparse.Namespace) -> None:
    """Refuses options that nothing here would look at."""
    for name, judges in OWNERS.items():
        if getattr(given, name) is not None and given.judge not in judges:
            other = f", not for --judge {given.judge}; leave it out" if given.judge else "; say who judges"
            raise UsageError(f"--{name.replace('_', '-')} is for --judge {' or '.join(judges)}{other}")
    for name in ("actions", "entity", "clips"):
        if getattr(given, name) is not None and is_segments(given.source):
            raise UsageError(
                f"--{name} is for data sets, whose episodes are cut; {given.source} holds segments already")


def place(template: str | None, option: str, given: argparse.Namespace) -> Any:
    """From an episode's id to its frames."""
    if template is None:
        return None
    if "{episode}" not in template and (given.clips is None or "{clip}" not in template):
        wanted = "{episode}" if given.clips is None else "{clip} or {episode}"
        raise UsageError(f"{option} must have {wanted} in it, not only {template!r}")

    def find(episode: str) -> Any:
        clip = given.places[episode] if given.clips is not None else None
        names = {"{episode}": episode if clip is None else clip.episode, "{clip}": episode}
        if clip is None:
            del names["{clip}"]
        path = template
        for word, name in names.items():
            if word in path and ("/" in name or name in (".", "..")):
                raise UsageError(f"the {'clip' if word == '{clip}' else 'episode'} id {name!r} is no part of a path")
            path = path.replace(word, name)
        held = frames(path, height=given.height)
        if clip is not None and "{clip}" not in template:
            return ClipFrames(held, clip.frames, episode)
        if option == "--prediction" and (given.prediction_start, given.prediction_step) != (0, 1):
            held = Stepped(held, given.prediction_start, given.prediction_step)
        return held

    return find


def say(given: argparse.Namespace, text: str) -> None:
    if not given.quiet:
        print(text)


class Progress:
    """A line on the terminal after two seconds; elsewhere a line every ten."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._live = sys.stderr.isatty()
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = done
        if now - self._began < 2 or (not self._live and now - self._told < 10 and done < total):
            return
        self._told = now
        fresh = done - self._first
        left = f", {(now - self._began) / fresh * (total - done):.0f} s left" if fresh and done < total else ""
        text = f"{done} of {total} segments{left}"
        if self._live:
            print(f"\r{text}\033[K", end="\n" if done == total else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
