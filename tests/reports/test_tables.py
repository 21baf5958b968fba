"""Tables laid out for print."""

from __future__ import annotations

from dataclasses import asdict

from reports import figures, frames, tables
from reports.comparison import scenario_section
from reports.format import Table
from reports.notes import study_note
from reports.styles import method_styles
from reports.summary import verdict
from sweeps.record import Winner
from unlearn.gaps import Measure


def texts(table: Table | None) -> list[list[str]]:
    assert table is not None
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
    return [[c.text for c in table.columns], *([c.text for c in row.cells] for row in table.rows)]


def test_scores_before_evaluation_are_named_and_not_marked(builder):
    builder.trial("search", "sure", value=1.234)
    builder.trial("search", "finetune", value=2.0)
    table = tables.score_table(builder.record())
    assert texts(table) == [["Method", "Random (search)"], ["SURE", "1.23"], ["FineTune", "2.00"]]
    assert table is not None
    assert not table.compared
    assert not any(c.best for row in table.rows for c in row.cells)
    assert any("not evaluated yet" in note for note in table.notes)
    assert table.title == "Average gap by method and scenario"
    assert not any("stop epoch" in note or "Mean ±" in note for note in table.notes)
    builder.trial("evaluation", "sure", value=2.0)
    table = tables.score_table(builder.record())
    assert table is not None
    assert table.title == "Average gap by method and scenario, at the stop epoch"


def test_stability_has_a_row_per_size_and_method(builder):
    for size, values in ((100, (1.0, 1.2)), (10, (3.0, 5.0))):
        for seed, value in enumerate(values):
            builder.trial("evaluation", "sure", value=value, metrics={"forget_gap": value}, size=size, forget_seed=seed)
    builder.trial("evaluation", "finetune", value=9.0, metrics={"forget_gap": 9.0}, forget_seed=0)
    assert texts(tables.stability_table(builder.record(), "random")) == [
        ["Forget size", "Method", "Average gap", "ΔUA", "n"],
        ["100", "SURE", "1.10 ± 0.14", "1.10 ± 0.14", "2"],
        ["100", "FineTune", "9.00", "9.00", "1"],
        ["10", "SURE", "4.0 ± 1.4", "4.0 ± 1.4", "2"],
    ]


def test_a_number_of_fewer_sets_than_its_row_has_says_so(builder):
    for seed, value in enumerate((1.0, 3.0, 8.0)):
        later = {"mia_loss": 50.0 + value, "mia_loss_gap": value} if seed else {}  # asked for when one set was done
        metrics = {"forget_gap": value, **later}
        builder.trial(
            "evaluation",
            "sure",
            value=value,
            metrics=metrics,
            forget_seed=seed,
            hindsight=metrics,
            hindsight_score=value,
        )
    record = builder.record()
    few = "6 ± 4 (n = 2)"
    assert few in texts(tables.stability_table(record, "random"))[1]
    assert few in texts(tables.hindsight_table(record, "random"))[1]
    assert few in texts(scenario_section({"a": record}, "random", method_styles(["sure"])).blocks[0].parts[1])[1]
    assert f"| {few} | 3 |" in study_note(record, ("evaluation", "random", "sure"))
    assert texts(tables.attack_table(record, "random"))[1] == ["SURE", "56 ± 4", "2"]


def test_metrics_of_ones_own_that_are_called_alike_keep_their_columns(builder):
    own = [Measure("ece_forget", "ECE", "Calibration"), Measure("ece_retain", "ECE", "Calibration")]
    builder.measures = [asdict(measure) for measure in own]
    builder.trial("evaluation", "sure", value=1.0, metrics={"ece_forget_gap": 1.0, "ece_retain_gap": 2.0})
    columns, row = texts(tables.stability_table(builder.record(), "random"))
    assert columns[2:] == ["Average gap", "ΔECE", "ΔECE (ece_retain)", "n"]
    assert row[2:] == ["1.00", "1.00", "2.00", "1"]


def test_top1_stands_beside_top5(builder):
    metrics, top5 = {"forget_gap": 1.0, "retain_gap": 2.0, "mia_loss_gap": 9.0}, {"forget_gap": 3.0, "retain_gap": 4.0}
    chosen = dict.fromkeys(metrics, 7.0)
    builder.trial("evaluation", "sure", value=1.0, metrics=chosen, hindsight=metrics, top5=top5)
    assert texts(tables.top5_table(builder.record(), "random")) == [
        ["Method", "ΔUA top-1", "ΔUA top-5", "ΔRA top-1", "ΔRA top-5", "n"],
        ["SURE", "1.00", "3.00", "2.00", "4.00", "1"],
    ]


def test_hyperparameters_mark_a_retain_batch(builder):
    builder.best = {"random": {"finetune": {"lr": 0.0043, "retain_batch_size": 256, "lr_decay_epoch": 8}}}
    table = tables.hyperparameter_table(builder.record(), "random")
    assert texts(table) == [
        ["Parameter", "SURE", "FineTune"],
        ["lr", "–", "0.0043"],
        ["α", "–", "–"],
        ["fbatch size", "–", "256†"],
        ["lr decay", "–", "8"],
    ]
    assert table is not None
    assert table.columns[2].method == "finetune"
    kept = table.data.to_csv(index=False).splitlines()[1:]  # which has no marks
    assert kept == ["lr,,0.0043", "alpha,,", "forget_batch_size,,", "lr_decay_epoch,,8", "retain_batch_size,,256"]


def test_a_retain_batch_that_is_none_of_a_methods_own_is_not_shown_as_its(builder):
    builder.spec["unlearning"] = {"retain_batch_size": 256}
    builder.spec["methods"] = {"ssd": {"alpha": {"low": 1}}, "finetune": {"lr": {"low": 0.1}, "retain_batch_size": 64}}
    winners = {"ssd": {"alpha": 10.0, "retain_batch_size": 256}, "finetune": {"lr": 0.2, "retain_batch_size": 64}}
    builder.winners = {"random": {method: Winner(values) for method, values in winners.items()}}
    builder.planned = {("search", "random", method): 1 for method in winners}
    rows = texts(tables.hyperparameter_table(builder.record(), "random"))
    assert rows[0] == ["Parameter", "SSD", "FineTune"]
    assert rows[3] == ["fbatch size", "–", "64†¶"]  # SSD reads none, and FineTune's was not searched


def test_what_was_run_once_is_beyond_no_noise_in_the_csv_either(builder):
    for lr, gap in ((0.1, 1.0), (0.2, 2.0)):
        builder.trial("sensitivity", "sure", hp={"lr": lr, "alpha": 0.5}, metrics={"forget_gap": gap})
    table = tables.sensitivity_table(builder.record(), "random")
    assert table is not None
    assert table.data.to_csv(index=False).splitlines()[1] == "sure,forget_gap,0.0,-1.0,1.0,,,2,0"


def test_attacks_end_with_the_oracle(builder):
    for seed, value in enumerate((50.0, 54.0)):
        metrics = {"mia_loss": value, "mia_loss_gap": abs(value - 53)}
        builder.trial("evaluation", "sure", value=1.0, metrics=metrics, forget_seed=seed)
        builder.trial("reference", "oracle", metrics={"mia_loss": 53.0 + 2 * seed}, forget_seed=seed)
    assert texts(tables.attack_table(builder.record(), "random")) == [
        ["Method", "MIA-I", "n"],
        ["SURE", "52 ± 3", "2"],
        ["Oracle", "54.0 ± 1.4", "2"],
    ]
    for run in (1, 2):
        for seed, value in enumerate((50.0, 54.0)):
            metrics = {"mia_loss": value, "mia_loss_gap": abs(value - 53 - 2 * seed)}
            builder.trial("evaluation", "sure", value=1.0, metrics=metrics, forget_seed=seed, run=run)
    table = tables.attack_table(builder.record(), "random")
    assert [row[-1] for row in texts(table)[1:]] == ["6", "2"]
    assert table is not None
    assert "The oracle's n are forget sets, each with the mean value of its oracles." in table.notes


def test_the_oracle_stands_in_the_data_of_the_attacks_too(builder):
    """Of a scenario that fixes its size the oracles' own trials have none, and their values are known all the same."""
    for seed, value in enumerate(
        (50.0, 54.0)
    ):  # one value and one gap a set: 47 or 53 and 53 or 55 without the oracle's own
        metrics = {"mia_loss": value, "mia_loss_gap": abs(value - 53 - 2 * seed)}
        builder.trial("evaluation", "sure", value=1.0, metrics=metrics, forget_seed=seed)
        builder.trial("reference", "oracle", metrics={"mia_loss": 53.0 + 2 * seed}, forget_seed=seed, size=None)
    table = tables.attack_table(builder.record(), "random")
    assert texts(table)[-1] == ["Oracle", "54.0 ± 1.4", "2"]
    assert table is not None
    assert table.data.iloc[-1][["method", "metric", "mean", "n"]].tolist() == ["oracle", "mia_loss", 54.0, 2]


def test_no_trials_no_tables(builder):
    record = builder.record()
    for lay in (tables.stability_table, tables.top5_table, tables.attack_table, tables.run_time_table):
        assert lay(record, "random") is None
    for lay in (tables.optimism_table, tables.sensitivity_table, tables.hyperparameter_table):
        assert lay(record, "random") is None
    assert tables.score_table(record) is None


def test_a_metric_that_declares_itself_is_labelled_everywhere(builder):
    own = Measure(
        "mia_shadow", "MIA-S", "MIA-S: shadow models", gap_title="MIA-S gap", side="forgetting", family="attack"
    )
    builder.measures = [asdict(own)]
    metrics = {"mia_shadow": 60.0, "mia_shadow_gap": 7.0, "forget_gap": 1.0, "retain_gap": 2.0}
    builder.trial("evaluation", "sure", value=1.0, metrics=metrics, curve=[metrics])
    record = builder.record()
    assert texts(tables.attack_table(record, "random"))[0] == ["Method", "MIA-S", "n"]
    assert texts(tables.stability_table(record, "random"))[0][3:] == ["ΔUA", "ΔRA", "ΔMIA-S", "n"]
    drawing = figures.attack_bars(record, "random", method_styles(["sure"]))
    assert drawing is not None
    assert [a.text for a in figures.figure_of(drawing.wide()).layout.annotations] == ["MIA-S: shadow models"]
    assert frames.directions(record, frames.evaluations(record, "random"))["forgetting"].tolist() == [4.0]
    assert "ΔMIA-S 7.00" in " ".join(verdict(record, "random").sentences)
