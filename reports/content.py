"""What a report holds, in order: sections of tables, drawings and sentences about what is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from reports import figures, frames, tables
from reports.figures import Drawing
from reports.format import Table
from reports.names import measures, method_label, scenario_label, units
from reports.styles import MethodStyle
from sweeps.record import SweepRecord

__all__ = ["Block", "Section", "scenario_section"]


CONFUSION = "confusion resolved (errors in %, IC as fractions, FGT as counts)"


@dataclass(frozen=True)
class Block:
    """A headed part of a section; `missing` says what it lacks, and why."""

    title: str
    parts: tuple[Drawing | Table, ...]
    missing: str = ""

    @property
    def holds(self) -> str:
        """What it holds, counted."""
        kinds = Counter("figure" if isinstance(part, Drawing) else "table" for part in self.parts)
        return ", ".join(f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in sorted(kinds.items()))


@dataclass(frozen=True)
class Section:
    """A headed group of blocks."""

    title: str
    blocks: tuple[Block, ...]


def scenario_section(
    record: SweepRecord, scenario: str, styles: dict[str, MethodStyle], maps: Path | None = None
) -> Section:
    """Everything a scenario's trials say, and its t-SNE map where the folder `maps` has one."""
    drawn = (record, scenario, styles)
    label = scenario_label(scenario)
    known = frames.metrics_of(frames.evaluations(record, scenario))
    gaps = ["score", *frames.gap_metrics(record, frames.evaluations(record, scenario))]
    confusion = measures(record).family("error", known)
    heatmaps = [figures.sensitivity_heatmap(record, scenario, m) for m in frames.methods(record, scenario)]
    gap_table = tables.metric_table(
        record, scenario, gaps, key=f"{scenario}-gaps", title=f"{label}: gaps to the oracle{units(record, gaps)}"
    )
    confusion_table = tables.metric_table(
        record,
        scenario,
        confusion,
        key=f"{scenario}-confusion",
        title=f"{label}: {CONFUSION}",
    )
    evaluation = _reason(record, scenario, "evaluation")
    search = _reason(record, scenario, "search")
    grids = _block(
        "Sensitivity",
        _reason(record, scenario, "sensitivity"),
        tables.sensitivity_table(record, scenario),
        *heatmaps,
    )
    importance = _block(
        "Importance of the hyperparameters",
        _reason_importance(record, scenario, search),
        figures.importance_bars(*drawn),
        tables.importance_table(record, scenario),
    )
    stacked, ranks = figures.stacked_gaps(*drawn), figures.mean_ranks(*drawn)
    gaps_drawn = (figures.gap_bars(*drawn), stacked, gap_table, ranks)
    blocks = [
        _block("Gaps to the oracle", evaluation, *gaps_drawn),
        _block(
            "Told apart",
            _reason_apart(record, scenario, evaluation),
            tables.apart_table(record, scenario),
            tables.spread_table(record, scenario),
        ),
        _block("Utility against forgetting", evaluation, figures.trade_off(*drawn), figures.dot_plot(*drawn)),
        _block(
            "Stability over forget sizes",
            evaluation,
            figures.gaps_by_size(*drawn),
            tables.stability_table(record, scenario),
        ),
        _block("Search", search, figures.search_history(*drawn), tables.optimism_table(record, scenario)),
        _block("Best hyperparameters", search, tables.hyperparameter_table(record, scenario)),
        importance,
        _without_grid(record, scenario, grids),
        _block(
            "In hindsight",
            _reason_hindsight(record, evaluation),
            tables.hindsight_table(record, scenario),
            tables.top5_table(record, scenario),
        ),
        _block("Accuracy during unlearning", evaluation, figures.accuracy_curves(*drawn)),
        _block(
            "Membership inference attacks",
            evaluation,
            figures.attack_bars(*drawn),
            tables.attack_table(record, scenario),
        ),
        _block("Run time", evaluation, tables.run_time_table(record, scenario)),
    ]
    weights = figures.weight_distance(*drawn)
    if weights is not None:
        blocks.append(_block("Weights", evaluation, weights))
    if (panels := figures.embedding_panels(record, scenario, maps)) is not None:
        blocks.append(_block("Features", evaluation, panels))
    if confusion_table is not None:
        blocks.append(_block("Confusion", evaluation, confusion_table))
    classes = record.named_classes(scenario)
    return Section(f"{label}: {classes}" if classes else label, tuple(blocks))


def _block(title: str, missing: str, *parts: Drawing | Table | None) -> Block:
    present = tuple(p for p in parts if p is not None)
    return Block(title, present, "" if present else missing)


def _without_grid(record: SweepRecord, scenario: str, block: Block) -> Block:
    """The sensitivity block, naming the methods that it has nothing of."""
    drawn = {p.method for p in block.parts if isinstance(p, Drawing)}
    still = {m: points for m in frames.methods(record, scenario) if (points := figures.unmoved(record, scenario, m))}
    absent = [method_label(m) for m in frames.methods(record, scenario) if m not in drawn and m not in still]
    if not block.parts:
        return block
    told = [f"No gap moved on any of the {points} grid points of {method_label(m)}." for m, points in still.items()]
    if absent:
        told.append(f"No grid round the tuned values was planned or completed for: {', '.join(absent)}.")
    return replace(block, missing=" ".join(told))


def _reason_importance(record: SweepRecord, scenario: str, otherwise: str) -> str:
    """Why no importances are known."""
    searched = len(frames.stage_trials(record, "search", scenario, "COMPLETE")) > 0
    return (
        "Not known: each search has too few completed trials, one hyperparameter, or scores too much alike."
        if searched
        else otherwise
    )


def _reason_apart(record: SweepRecord, scenario: str, otherwise: str) -> str:
    """Why no methods are compared."""
    evaluated = frames.evaluations(record, scenario)["method"].nunique()
    return "Nothing to compare: one method alone is evaluated." if evaluated == 1 else otherwise


def _reason_hindsight(record: SweepRecord, otherwise: str) -> str:
    """Why nothing is shown in hindsight."""
    if (record.spec.get("evaluation") or {}).get("epochs") == "stop":
        return "Not known: evaluation runs end at their stop epoch (evaluation.epochs: stop)."
    return otherwise


def _reason(record: SweepRecord, scenario: str, stage: str) -> str:
    """Why a stage has nothing to show, as far as the record tells."""
    progress = frames.progress(record)
    rows = progress[(progress["scenario"] == scenario) & (progress["stage"] == stage)]
    planned, complete = int(rows["planned"].sum()), int(rows["complete"].sum())
    pruned, failed = int(rows["pruned"].sum()), int(rows["failed"].sum())
    if complete:
        return f"The {stage} trials of this scenario do not hold this measure."
    if pruned or failed:
        return f"Nothing to show: of {planned} {stage} trials none completed (pruned: {pruned}, failed: {failed})."
    if planned:
        return f"Not run yet: {planned} {stage} trials are planned, none has completed."
    return f"Not run: no {stage} trials were planned for this scenario."
