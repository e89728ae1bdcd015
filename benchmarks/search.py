"""Exact search over 100,000 × 512 float16 vectors: faiss against NumPy, cold and warm."""

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import faiss
import numpy as np

from benchmarks.measure import python, say

ROWS, DIM, RUNS = 100_000, 512, 5

_CODE = """
import json, time
began = time.perf_counter()
import numpy as np
{load}
def search():
{search}
q = np.fromfile({raw!r}, "<f2", {dim}).astype(np.float32)
search(); cold = time.perf_counter() - began
times = []
for _ in range(9):
    t = time.perf_counter(); search(); times.append(time.perf_counter() - t)
print(json.dumps([cold, sorted(times)[4]]))
"""
_NUMPY_LOAD = 'm = np.memmap({raw!r}, "<f2", "r").reshape(-1, {dim})'
_NUMPY_SEARCH = """
    out = np.empty(len(m), np.float32)
    for s in range(0, len(m), 256):
        out[s:s + 256] = m[s:s + 256].astype(np.float32) @ q
    return np.argpartition(-out, 10)[:10]
"""
_FAISS_LOAD = "import faiss; x = faiss.read_index({index!r}, faiss.IO_FLAG_MMAP_IFC)"
_FAISS_SEARCH = "    return x.search(q[None], 10)\n"


def run() -> None:
    """Compare the two; the store uses the faster one."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"raw": f"{folder}/raw", "index": f"{folder}/index", "dim": DIM}
        vectors = np.random.default_rng(0).standard_normal((ROWS, DIM), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors.astype("<f2").tofile(Path(places["raw"]))
        quantizer = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexScalarQuantizer(DIM, quantizer, faiss.METRIC_INNER_PRODUCT)
        index.add(vectors)
        faiss.write_index(index, places["index"])
        engines = {"numpy": (_NUMPY_LOAD, _NUMPY_SEARCH), "faiss": (_FAISS_LOAD, _FAISS_SEARCH)}
        for name, (load, search) in engines.items():
            code = _CODE.format(load=load.format(**places), search=search, **places)
            pairs = [json.loads(subprocess.check_output(python(code))) for _ in range(RUNS)]
            cold, warm = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
            say(f"search {name}", cold_ms=round(1000 * cold), warm_ms=round(1000 * warm, 1))
