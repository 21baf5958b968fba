"""Figures of a sweep for docs/gallery.md: `uv run --with kaleido python benchmarks/gallery.py runs/<sweep>`."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from reports import write_figures
from reports.names import scenario_label
from sweeps.store import find_sweep

DOCS = Path(__file__).parent.parent / "docs"
KINDS = {
    "gap-bars": "Gaps to the oracle, with the noise floor",
    "trade-off": "Utility against forgetting",
    "sizes": "Stability over forget sizes",
    "sensitivity-sure": "Sensitivity to learning rate and α",
    "curves": "Accuracy during unlearning",
    "importance": "Importance of the hyperparameters",
    "embedding": "t-SNE of the features",
}


def main(folder: Path) -> None:
    record = find_sweep(folder)
    keys = [f"{scenario}-{kind}" for kind in KINDS for scenario in record.spec["scenarios"]]
    for old in (DOCS / "gallery").glob("*.png"):
        old.unlink()
    paths = write_figures(record, DOCS / "gallery", "png", maps=folder / "embeddings", only=keys, scale=1)
    lines = [
        "# Gallery",
        "",
        f"Figures of the sweep `{record.name}`, made by `python benchmarks/gallery.py {folder}`.",
        "",
    ]
    for path in paths:
        scenario, kind = next((s, k) for k in KINDS for s in record.spec["scenarios"] if path.stem == f"{s}-{k}")
        with Image.open(path) as image:  # 256 colours: a third of the bytes
            small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small.save(path, optimize=True)
        lines += [f"## {KINDS[kind]}: {scenario_label(scenario)}", "", f"![{path.stem}](gallery/{path.name})", ""]
    (DOCS / "gallery.md").write_text("\n".join(lines), encoding="utf-8")
    print(f"{len(paths)} figures, {sum(p.stat().st_size for p in paths) / 1e6:.2f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
