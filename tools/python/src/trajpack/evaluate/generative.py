"""Scores of generated series that need a model to be trained: ``pip install trajpack[torch]``.

    trajpack.evaluate.generative.discriminative(real, generated)["generative.discriminative"].value

Both follow TimeGAN (Yoon, Jarrett, van der Schaar, NeurIPS 2019). ``TIMEGAN`` has its constants, which KoVAE (Naiman
et al., ICLR 2024) took over, and ``TSGBENCH`` those of TSGBench (Ang et al., VLDB 2024). Every constant is an option
of the result. TimeGAN's networks are TensorFlow's GRU cells and start differently, so figures agree in distribution
and not to the digit.

The same seed, machine and version of PyTorch give the same figures.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .._errors import DataError, UsageError, nearest
from ._arrays import native
from ._score import Score, Scores

try:
    import torch
    from torch import nn
except ImportError:
    raise UsageError(
        "trajpack.evaluate.generative needs PyTorch; install it with 'pip install trajpack[torch]'"
    ) from None


@dataclass(frozen=True)
class Constants:
    """How the models are made and trained. The hidden size is half the number of features, at least 1."""

    #: ``"gru"`` or ``"lstm"``, one layer.
    cell: str = "gru"
    #: Steps of Adam, of the classifier and of the forecaster.
    discriminative_steps: int = 2000
    predictive_steps: int = 5000
    #: Series of a step, drawn without putting back; of each side for the classifier.
    batch: int = 128
    learning_rate: float = 1e-3
    #: Share of the series that the classifier is trained on; it is tested on the others.
    train_share: float = 0.8
    #: Models that are trained; the score is the mean over them.
    runs: int = 10
    #: Of the first model; the next has the next.
    seed: int = 0

    def __post_init__(self) -> None:
        whole = {n: getattr(self, n) for n in ("discriminative_steps", "predictive_steps", "batch", "runs")}
        for name, value in whole.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(f"'{name}' is a whole number above 0, not {value!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2 ** 62:
            raise UsageError(f"'seed' is a whole number from 0, not {self.seed!r}")
        if self.cell not in ("gru", "lstm"):
            raise UsageError(f"'cell' is 'gru' or 'lstm', not {self.cell!r}")
        if not 0 < self.learning_rate < 1 or not 0 < self.train_share < 1:
            raise UsageError("'learning_rate' and 'train_share' lie between 0 and 1")


TIMEGAN = Constants()
KOVAE = TIMEGAN
TSGBENCH = Constants(cell="lstm", predictive_steps=2000)

Progress = Callable[[int, int], None]


def discriminative(real: Any, generated: Any, *, constants: Constants = TIMEGAN, real_lengths: Any = None,
                   generated_lengths: Any = None, device: str = "cpu", progress: Progress | None = None,
                   **changes: Any) -> Scores:
    """How well a classifier tells generated series from real ones: ``|accuracy - 0.5|``, 0 is best and 0.5 worst.

    ``real`` is ``[N, T, D]``, ``generated`` ``[N', T', D]``; series that are shorter have their ``lengths``, and what
    follows does not count. Accuracy is that on the series held out. With as many held-out series of each side the
    score is TimeGAN's; else the two sides' accuracies are averaged, so that the larger side does not decide
    (``details["pooled"]`` has theirs).
    """
    constants = _changed(constants, changes)
    a, b = _series("real", real, real_lengths), _series("generated", generated, generated_lengths)
    _alike(a, b)
    name, options = "generative.discriminative", _described(constants, "predictive_steps", device)
    held = [len(s) - int(len(s) * constants.train_share) for s in (a, b)]
    if min(len(s) - h for s, h in zip((a, b), held, strict=True)) < 1 or min(held) < 1:
        return Scores(name, [Score(name, None, 0, "there are too few series to train and to test on", options)])
    each, pooled = [], []
    for run in range(constants.runs):
        both, all_of = _classify(a, b, constants, run, device)
        each.append(abs(both - 0.5))
        pooled.append(abs(all_of - 0.5))
        if progress:
            progress(run + 1, constants.runs)
    return Scores(name, [_mean(name, each, sum(held), options, pooled=pooled)])


def predictive(real: Any, generated: Any, *, constants: Constants = TIMEGAN, real_lengths: Any = None,
               generated_lengths: Any = None, device: str = "cpu", progress: Progress | None = None,
               **changes: Any) -> Scores:
    """How well a forecaster that was trained on generated series does on real ones: the mean absolute error, less is
    better.

    At each step the last feature's next value is forecast from the other features up to then. The error is averaged
    over each series, then over series. The forecaster ends in a sigmoid, so values must lie in [0, 1], as TimeGAN
    scales them; others are refused. ``generative.predictive_on_real`` is the same with a forecaster trained on the
    real series: the figure to compare with.
    """
    constants = _changed(constants, changes)
    a, b = _series("real", real, real_lengths), _series("generated", generated, generated_lengths)
    _alike(a, b)
    names = ("generative.predictive", "generative.predictive_on_real")
    options = _described(constants, "discriminative_steps", device)
    for side, held in (("real", a), ("generated", b)):
        low, high = held.bounds()
        if low < 0 or high > 1:
            raise DataError(f"'{side}' has values from {low:g} to {high:g}; scale both by the real series' minimum and "
                            "maximum to [0, 1] first, as TimeGAN does")
    a, b = a.longer_than(1), b.longer_than(1)
    reason = ("one feature cannot be forecast from the others" if a.values.shape[2] < 2
              else "there is no series of two steps" if min(len(a), len(b)) == 0 else None)
    if reason:
        return Scores(names[0], [Score(n, None, 0, reason, options) for n in names])
    scores = []
    for number, (name, source) in enumerate(zip(names, (b, a), strict=True)):
        each = []
        for run in range(constants.runs):
            each.append(_forecast(source, a, constants, run, device))
            if progress:
                progress(number * constants.runs + run + 1, 2 * constants.runs)
        scores.append(_mean(name, each, len(a), options))
    return Scores(names[0], scores)


@dataclass(frozen=True)
class _Series:
    values: torch.Tensor        # [N, T, D] float32
    lengths: torch.Tensor       # [N] int64

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, which: torch.Tensor) -> _Series:
        return _Series(self.values[which], self.lengths[which])

    def counts(self) -> torch.Tensor:
        return torch.arange(self.values.shape[1]) < self.lengths[:, None]

    def bounds(self) -> tuple[float, float]:
        held = self.values[self.counts()]
        return (float(held.min()), float(held.max())) if held.numel() else (0.0, 0.0)

    def longer_than(self, length: int) -> _Series:
        return self[(self.lengths > length).nonzero()[:, 0]]


class _Network(nn.Module):
    def __init__(self, features: int, hidden: int, cell: str) -> None:
        super().__init__()
        self.recurrent = (nn.GRU if cell == "gru" else nn.LSTM)(features, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Logits of every step, ``[N, T]``."""
        found: torch.Tensor = self.out(self.recurrent(values)[0])[..., 0]
        return found


def _classify(real: _Series, generated: _Series, constants: Constants, run: int, device: str) -> tuple[float, float]:
    """Accuracies on what was held out: the mean of the two sides', and of all together."""
    with torch.random.fork_rng(devices=[]):
        draw = _seeded(constants.seed + run)
        network = _Network(real.values.shape[2], _hidden(real), constants.cell).to(device)
        train, test = [], []
        for side in (real, generated):
            order = torch.randperm(len(side), generator=draw)
            cut = int(len(side) * constants.train_share)
            train.append(side[order[:cut]])
            test.append(side[order[cut:]])

        def last(side: _Series) -> torch.Tensor:
            # A recurrent network does not look ahead, so the state at a series' end knows nothing of its padding.
            logits = network(side.values.to(device))
            found: torch.Tensor = logits.gather(1, (side.lengths - 1)[:, None].to(device))[:, 0]
            return found

        def loss() -> torch.Tensor:
            total = torch.zeros((), device=device)
            for label, side in zip((1.0, 0.0), train, strict=True):
                logits = last(_batch(side, constants.batch, draw))
                total = total + nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
            return total

        _train(network, loss, constants.discriminative_steps, constants.learning_rate)
        with torch.no_grad():
            right = [
                float(((last(side) > 0) == label).double().sum())
                for label, side in zip((True, False), test, strict=True)
            ]
    sizes = [len(side) for side in test]
    return sum(r / n for r, n in zip(right, sizes, strict=True)) / 2, sum(right) / sum(sizes)


def _forecast(source: _Series, real: _Series, constants: Constants, run: int, device: str) -> float:
    """The error on the real series of a forecaster trained on ``source``."""
    with torch.random.fork_rng(devices=[]):
        draw = _seeded(constants.seed + run)
        network = _Network(real.values.shape[2] - 1, _hidden(real), constants.cell).to(device)

        def errors(side: _Series) -> tuple[torch.Tensor, torch.Tensor]:
            values, counts = side.values.to(device), side.counts()[:, 1:].to(device)
            found = torch.sigmoid(network(values[:, :-1, :-1]))
            return (found - values[:, 1:, -1]).abs() * counts, counts

        def loss() -> torch.Tensor:
            wrong, counts = errors(_batch(source, constants.batch, draw))
            return wrong.sum() / counts.sum()

        _train(network, loss, constants.predictive_steps, constants.learning_rate)
        with torch.no_grad():
            wrong, counts = errors(real)
            return float((wrong.double().sum(1) / counts.sum(1)).mean())


def _train(network: nn.Module, loss: Callable[[], torch.Tensor], steps: int, rate: float) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()


def _seeded(seed: int) -> torch.Generator:
    torch.manual_seed(seed)                      # the network's first weights; undone by fork_rng
    return torch.Generator().manual_seed(seed)


def _batch(side: _Series, size: int, draw: torch.Generator) -> _Series:
    return side[torch.randperm(len(side), generator=draw)[:size]]


def _hidden(side: _Series) -> int:
    return max(int(side.values.shape[2]) // 2, 1)


def _series(name: str, values: Any, lengths: Any) -> _Series:
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        raise UsageError(f"'{name}' is masked; a series that ends early has its length in '{name}_lengths'")
    array = native(name, values)
    if array.ndim != 3 or 0 in array.shape:
        raise UsageError(f"'{name}' is [series, steps, features], none of them 0, not {array.shape}")
    long = np.full(len(array), array.shape[1]) if lengths is None else native(f"{name}_lengths", lengths)
    if long.shape != (len(array),) or long.dtype.kind not in "iu" or long.min() < 1 or long.max() > array.shape[1]:
        raise UsageError(f"'{name}_lengths' holds {len(array)} whole numbers from 1 to {array.shape[1]}")
    counts = np.arange(array.shape[1]) < long[:, None]
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    bad = ~np.isfinite(single) & counts[..., None]
    if bad.any():
        series, step, feature = np.argwhere(bad)[0]
        raise DataError(
            f"'{name}' has {array[series, step, feature]} in series {series}, step {step}, feature {feature}; "
            "a model cannot be trained on it"
        )
    single[~counts] = 0
    return _Series(torch.from_numpy(single), torch.from_numpy(long.astype(np.int64)))


def _alike(real: _Series, generated: _Series) -> None:
    if real.values.shape[2] != generated.values.shape[2]:
        raise UsageError(f"'real' has {real.values.shape[2]} features and 'generated' {generated.values.shape[2]}")


def _changed(constants: Constants, changes: dict[str, Any]) -> Constants:
    known = asdict(constants)
    for name in changes:
        if name not in known:
            raise UsageError(f"there is no option '{name}'" + nearest(name, known))
    return replace(constants, **changes)


def _described(constants: Constants, without: str, device: str) -> dict[str, Any]:
    return {k: v for k, v in asdict(constants).items() if k != without} | {"device": device, "torch": torch.__version__}


def _mean(name: str, each: list[float], count: int, options: dict[str, Any], **details: Any) -> Score:
    if not np.isfinite(each).all():
        return Score(name, None, count, "a model's training went astray: its figure is not finite", options)
    std = float(np.std(each, ddof=1)) if len(each) > 1 else None
    return Score(name, float(np.mean(each)), count, None, options, {"std": std, "per_run": each, **details})
