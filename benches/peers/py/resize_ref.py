"""Pillow's shrinking of the photograph of RS. Usage: resize_ref.py RS THREADS WARM REPS -> one JSON line."""
import json, statistics, sys, time
import numpy as np
from PIL import Image, __version__
from numbers_of import uniform

WIDTH, HEIGHT, STRIP, SIDE, SEED = 4000, 3000, 60, 256, 9002
warm, reps = int(sys.argv[3]), int(sys.argv[4])
strip = (uniform(STRIP * WIDTH * 3, SEED, 127.5) + np.float32(127.5)).astype(np.uint8).reshape(STRIP, WIDTH, 3)
picture = Image.fromarray(np.tile(strip, (HEIGHT // STRIP, 1, 1)))
ms = []
for _ in range(warm + reps):
    start = time.perf_counter()
    shrunk = picture.resize((SIDE * WIDTH // HEIGHT, SIDE), Image.BICUBIC)
    ms.append((time.perf_counter() - start) * 1e3)
found = np.asarray(shrunk)
timed = ms[warm:]
print(json.dumps(dict(
    median=statistics.median(timed), min=min(timed), max=max(timed), n=len(timed), firstCall=ms[0], ms=timed, threads=1,
    pillow=__version__,
    picture=dict(size=list(shrunk.size), first=found.flatten()[:6].tolist(), sum=int(found.sum(dtype=np.int64))))))
