"""Makes docs/gallery.md from real images: `uv run --with kaleido python benchmarks/gallery.py FOLDER_OF_IMAGES`.

Runs the sweep of gallery.yaml (what is done already is not done again), maps its features, and draws it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from reports import write_figures
from reports.names import scenario_label
from sweeps.record import find_sweep

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
KINDS = {
    "gap-bars": "Gaps to the oracle, with the noise floor",
    "stacked": "Gaps of ordinary and scrambled samples",
    "trade-off": "Utility against forgetting",
    "comparison": "All metrics at once",
    "sizes": "Stability over forget sizes",
    "ranks": "Ranks, and what can be told apart",
    "history": "The searches",
    "sensitivity-sure": "Sensitivity to learning rate and α",
    "curves": "Accuracy during unlearning",
    "attacks": "Membership inference attacks",
    "weights": "Distance of the weights",
    "embedding": "t-SNE of the features",
}
#: What the other scenarios show that the first does not.
STATE_LABELS = {
    "partial_class": [kind for kind in KINDS if kind != "stacked"],
    "canary": ["stacked", "embedding"],
    "confusion": ["attacks", "embedding"],
}
TABLES = {"partial_class": ["gaps", "optimism", "hyperparameters"], "canary": ["gaps"], "confusion": ["confusion"]}


def main(images: Path, runs: Path) -> None:
    for command in (
        ["run", str(HERE / "gallery.yaml"), "--set", f"dataset.root={images}"],
        ["embeddings", "gallery"],
        ["report", "gallery"],
    ):
        subprocess.run([sys.executable, "-m", "sweeps.cli", *command, "--runs", str(runs)], check=True)
    folder = runs / "gallery"
    for old in (DOCS / "gallery").glob("*.png"):
        old.unlink()
    keys = [f"{scenario}-{kind}" for scenario, kinds in STATE_LABELS.items() for kind in kinds]
    record = find_sweep(folder)
    paths = write_figures(record, DOCS / "gallery", "png", maps=folder / "embeddings", only=keys, scale=1)
    for path in paths:
        with Image.open(path) as image:  # 256 colours: a third of the bytes
            small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small.save(path, optimize=True)
    lines = [
        "# Gallery",
        "",
        "What a report holds, from a sweep over 1,200 images of CIFAR-10 (a ResNet-18 of width 8, 20 minutes on two CPU cores):",
        "",
        "```",
        "uv run --with kaleido python benchmarks/gallery.py FOLDER_OF_IMAGES",
        "```",
        "",
        "Small numbers of everything: six trials a search, three forget sets. It shows the figures, and ranks no methods.",
        "",
    ]
    for scenario, kinds in STATE_LABELS.items():
        lines += [f"## {scenario_label(scenario)}", ""]
        for kind in kinds:
            path = DOCS / "gallery" / f"{scenario}-{kind}.png"
            if path in paths:
                lines += [f"### {KINDS[kind]}", "", f"![{path.stem}](gallery/{path.name})", ""]
        for table in TABLES[scenario]:
            text = (folder / "report" / "tables" / f"{scenario}-{table}.md").read_text(encoding="utf-8")
            lines += [text.strip(), ""]
    (DOCS / "gallery.md").write_text("\n".join(lines), encoding="utf-8")
    print(f"{len(paths)} figures, {sum(p.stat().st_size for p in paths) / 1e6:.2f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2] if len(sys.argv) > 2 else "runs"))
