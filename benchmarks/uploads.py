"""Memory of a server while clients upload images and search for them: its plateau."""

from __future__ import annotations

import argparse
import io
import json
import secrets
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.gateway import Client, served
from benchmarks.measure import say

UPLOADS, EVERY = 600, 50
SIDE = 1600


def photograph(generator: np.random.Generator) -> bytes:
    """A JPEG of 2.5 megapixels and about 1.3 MB."""
    broad = Image.fromarray(generator.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    noise = Image.fromarray(generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    Image.blend(broad.resize((SIDE, SIDE)), noise, 0.35).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def resident(pid: int) -> int:
    """Memory of a process and its children, bytes."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    pids = [pid, *map(int, children.read_text(encoding="ascii").split())]
    for task in Path(f"/proc/{pid}/task").iterdir():
        pids += map(int, (task / "children").read_text(encoding="ascii").split())
    return sum(_resident(one) for one in set(pids))


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) << 10
    return 0


def measure(uploads: int) -> dict[str, object]:
    """Upload images, search for each, and record the memory."""
    image = photograph(np.random.default_rng(1))
    with tempfile.TemporaryDirectory() as folder:
        Image.new("RGB", (64, 64), "red").save(Path(folder) / "red.png")
        with served(folder) as (port, pid):
            client = Client(port)
            client.ask("/v1/search?text=red")
            server, everything = [], []
            for number in range(uploads + 1):
                if number % EVERY == 0:
                    server.append(round(_resident(pid) / 1e6))
                    everything.append(round(resident(pid) / 1e6))
                form = (
                    b'--b\r\nContent-Disposition: form-data; name="image"; filename="p.jpg"\r\n\r\n'
                )
                body = form + image + secrets.token_bytes(16) + b"\r\n--b--\r\n"
                headers = {"Content-Type": "multipart/form-data; boundary=b"}
                status, answer = client.ask("/v1/uploads", body, headers)
                assert status == 201, answer
                client.ask(f"/v1/search?upload={json.loads(answer)['id']}")
    return {
        "bytes": len(image),
        "every": EVERY,
        "server_mb": server,
        "with_children_mb": everything,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=UPLOADS)
    say("uploads", **measure(parser.parse_args().count))
