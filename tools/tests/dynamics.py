"""Series that the checks are made on: integrated here, never read from a file."""

import functools

import numpy as np


def rk4(field, start, step, count, dropped):
    state, rows = np.array(start, float), []
    for index in range(count + dropped):
        if index >= dropped:
            rows.append(state)
        a = field(state)
        b = field(state + step / 2 * a)
        c = field(state + step / 2 * b)
        d = field(state + step * c)
        state = state + step / 6 * (a + 2 * b + 2 * c + d)
    return np.array(rows)


def lorenz_field(s):
    return np.array(
        [10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]]
    )


@functools.cache
def lorenz(count=5000, step=0.01, dropped=2000):
    return rk4(lorenz_field, (1, 1, 1), step, count, dropped)


@functools.cache
def roessler(count=5000):
    def field(s):
        return np.array([-s[1] - s[2], s[0] + 0.2 * s[1], 0.2 + s[2] * (s[0] - 5.7)])

    return rk4(field, (1, 1, 0), 0.05, count, 4000)


@functools.cache
def henon(count=5000):
    x, y, rows = 0.1, 0.1, []
    for index in range(count + 1000):
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
        if index >= 1000:
            rows.append((x, y))
    return np.array(rows)


def embed(x, dimension, lag):
    rows = len(x) - (dimension - 1) * lag
    return np.stack([x[k * lag : k * lag + rows] for k in range(dimension)], axis=1)
