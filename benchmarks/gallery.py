"""Makes docs/gallery.md from the embedded sweep digits: `uv run --with kaleido python benchmarks/gallery.py`.

Runs it (what is done already is not done again), maps its features, and draws it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from reports import write_figures
from reports.names import scenario_label
from sweeps.record import find_sweep

DOCS = Path(__file__).parents[1] / "docs"
SWEEP = "digits"
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
#: Partial class shows nearly all; canary what it has beside.
STATE_LABELS = {
    "partial_class": [kind for kind in KINDS if kind != "stacked"],
    "canary": ["stacked", "embedding"],
}
TABLES = {"partial_class": ["gaps", "optimism", "hyperparameters"], "canary": ["gaps"]}


def main(runs: Path) -> None:
    for command in (
        ["run", SWEEP],
        ["embeddings", SWEEP],
        ["report", SWEEP],
    ):
        subprocess.run([sys.executable, "-m", "sweeps.cli", *command, "--runs", str(runs)], check=True)
    folder = runs / SWEEP
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
        "What a report holds, from the embedded sweep `digits` (a small residual network, about ten minutes on two CPU cores):",
        "",
        "```",
        "uv run --with kaleido python benchmarks/gallery.py",
        "```",
        "",
        "Eight trials a search, eight forget sets: what the tables tell apart holds for these images and this budget.",
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
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
