"""The counter based generator of src/common.js: `uniform` gives the same numbers in every engine."""
import numpy as np


def uniform(n, seed, scale):
    u = lambda v: np.uint32(v & 0xFFFFFFFF)
    with np.errstate(over="ignore"):
        i = np.arange(n, dtype=np.uint32) * u(0x85EBCA6B) + u(seed * 0x9E3779B1)
        t = i + u(0x6D2B79F5)
        t = (t ^ (t >> np.uint32(15))) * (t | np.uint32(1))
        t = t ^ (t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61)))
        t = t ^ (t >> np.uint32(14))
    return ((t.astype(np.float64) / 4294967296.0 * 2 - 1) * scale).astype(np.float32)
