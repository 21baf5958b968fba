"""What tuning on a proxy costs, and what it delivers on the real network, which it has never seen (docs/own-model.md).

    uv run python -m benchmarks.proxy_recipe [--requests 5] [--width 4] [--share 0.4] [--alone]

Two sweeps of the same scenario and methods run whole: of a narrower network on a share of the digits (the proxy), and, only to
compare, of the real network on all of them. Then each request, 50 images of class 5, is served by `sweeps unlearn` with either
one's parameters, and an oracle is trained for it, so that the true gap is known.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import yaml

from unlearn.data.digits import digits

METHODS = ["sure", "finetune"]
#: Width, share of the training images, size of the forget sets.
REAL = 12, 1.0, 50
CLASS, HELD_OUT = 5, 0.2


def write_sweep(folder: Path, name: str, kind: tuple[int, float, int], seed: int) -> list[int]:
    """A sweep file and its data under `name`; the training rows of the class to forget that are not held out."""
    width, share, size = kind
    data, rng = digits(), np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(data.train_labels))[: round(share * len(data.train_labels))])
    y = data.train_labels[rows]
    np.savez(
        folder / f"{name}.npz",
        x_train=data.train_images[rows],
        y_train=y,
        x_test=data.test_images,
        y_test=data.test_labels,
    )
    held = rng.permutation(len(rows))[: round(HELD_OUT * len(rows))]
    (folder / f"{name}.held_out.txt").write_text("\n".join(map(str, np.sort(held))))
    spec = {
        "name": name,
        "dataset": {"name": "arrays", "path": f"{name}.npz", "layout": "NCHW"},
        "held_out": f"{name}.held_out.txt",
        "model": {"name": "small_resnet", "width": width},
        "training": {"epochs": 25, "milestones": [20]},
        "unlearning": {"epochs": 8},
        "scenarios": {"partial_class": {"target_class": CLASS, "tune_size": size, "sizes": [size]}},
        "methods": METHODS,
        "search": {"trials": 12},
        "references": {"oracles": 1},
        "evaluation": {"seeds": 3},
        "sensitivity": {"enabled": False},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec))
    return [int(row) for row in np.setdiff1d(np.flatnonzero(y == CLASS), held)]


def sweeps(folder: Path, *arguments: str) -> float:
    """Run a command; the seconds that it took."""
    started = time.perf_counter()
    env = {**os.environ, "UNLEARN_SWEEPS_CACHE": str(folder / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "sweeps.cli", *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"sweeps {' '.join(arguments)}: {done.stderr}")
    return time.perf_counter() - started


def serve(folder: Path, number: int, rows: list[int], params: str, method: str) -> float:
    """Serve one request to the real network, with an oracle; the average gap to it."""
    (folder / "ids.txt").write_text("\n".join(map(str, rows)))
    out = f"{params}-{method}-{number}"
    sweeps(folder, *command(params, method, out), "--with-oracle")
    record: dict[str, Any] = json.loads((folder / out / "record.json").read_text())
    return float(record["oracle"]["gaps"]["score"])


def command(params: str, method: str, out: str) -> list[str]:
    tuned = ["--params", f"runs/{params}/best_params.yaml", "--method", method]
    return ["unlearn", "real.yaml", *tuned, "--forget", "ids.txt", "--out", out]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5)
    parser.add_argument("--width", type=int, default=4, help="of the proxy's network; the real one has 12")
    parser.add_argument("--share", type=float, default=0.4, help="of the images that the proxy has")
    parser.add_argument("--alone", action="store_true", help="leave the real network's own sweep out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = write_sweep(folder, "real", REAL, seed=0)
        write_sweep(folder, "proxy", (options.width, options.share, round(REAL[2] * options.share)), seed=1)
        tuned = ["proxy"] if options.alone else ["proxy", "real"]
        for name in tuned:
            print(f"{name} sweep: {sweeps(folder, 'run', f'{name}.yaml', '-q') / 60:.1f} min", flush=True)
        draws = np.random.default_rng(2)
        requests = [sorted(draws.choice(rows, REAL[2], replace=False).tolist()) for _ in range(options.requests)]
        for method in METHODS:
            for params in tuned:
                gaps = [serve(folder, n, ids, params, method) for n, ids in enumerate(requests)]
                spread = f" ± {stdev(gaps):.2f}" if len(gaps) > 1 else ""
                print(f"{method}, tuned on {params}: {fmean(gaps):.2f}{spread} points (n = {len(gaps)})", flush=True)
        alone = sweeps(folder, *command("proxy", METHODS[0], "alone"))
        print(f"a request without its oracle: {alone:.0f} s")


if __name__ == "__main__":
    main()
