"""The record of a request as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from sweeps.objective import TITLES
from sweeps.requests.choice import origin
from sweeps.requests.expectation import SCORE
from unlearn.data import few
from unlearn.gaps import POINTS, Measures

#: What is measured before and after, in the page's order, in words.
MEASURED = {
    "forget_accuracy": "accuracy on the forget set",
    "retain_accuracy": "accuracy on the retain set",
    "validation_accuracy": "accuracy on held-out validation images",
    "test_accuracy": "accuracy on test images",
    "test_accuracy_of_classes": "accuracy on test images of the forget set's classes",
    "mia_loss": "MIA-I: attack on the loss, forget set against test images (50 learns nothing)",
    "mia_knn_forget": "MIARS-I: attack on features, forget set against test images (50 learns nothing)",
}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1b1b1b; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse }
td, th { padding: .25rem .75rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } code { overflow-wrap: anywhere; font-size: .9em }
.scroll { overflow-x: auto } .warn { border-left: 4px solid #b35900; padding-left: 1rem }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #161616 } td, th { border-color: #444 } }
"""


def page(record: Mapping[str, Any]) -> str:
    """HTML of a record; every text in it is escaped."""
    asked, ran = record["asked"], record["ran"]
    title = f"{asked['samples']:,} sample{'' if asked['samples'] == 1 else 's'} unlearned by {ran['method']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _warning(escape(unchanged_line(record)), ""),
        _unlike(record["unlike"]),
        _warning(escape(copies_line(record)), ""),
        "<h2>What was asked</h2>",
        _pairs(
            ("samples", f"{asked['samples']:,}"),
            ("listed in", asked["source"] or "–"),
            ("classes", ", ".join(f"{name}: {count:,}" for name, count in asked["classes"].items())),
            ("SHA-256 of the ids", asked["sha256"]),
        ),
        "<h2>What was measured</h2>",
        _measured(record),
        f"<h2>What is to be expected of the gap to {oracles_of(record)}</h2>",
        _expected(record),
        "<h2>What ran</h2>",
        _ran(record),
        _ids(asked["ids"]),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = "\n".join(part for part in parts if part)
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n'


def oracles_of(record: Mapping[str, Any]) -> str:
    """What gaps are to: those that are expected, else those that were found."""
    count = ((record["oracle"] or {}) | record["expected"]).get("oracles", 1)
    return "an oracle" if count == 1 else f"the mean of {count} oracles"


def _ids(ids: list[str]) -> str:
    return f"<details><summary>All {len(ids):,} ids</summary><p><code>{escape(', '.join(ids))}</code></p></details>"


def _unlike(sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    said = "This request is unlike what the method was tuned on:" if items else ""
    return _warning(said, f"<ul>{items}</ul>")


def _warning(said: str, more: str) -> str:
    return f'<div class="warn"><p>{said}</p>{more}</div>' if said else ""


def unchanged_line(record: Mapping[str, Any]) -> str:
    """That the weights are the original's, as where SCRUB-R's rule takes none of the epochs; empty where they are not."""
    weights = record["weights"]
    if weights["unlearned"]["sha256"] != weights["original"]["sha256"]:
        return ""
    ran = record["ran"]
    return (
        "nothing was unlearned: the weights are those of the original, to the last bit "
        f"(epoch {ran['epoch']}, by {ran['epoch_chosen_by']})"
    )


def copies_line(record: Mapping[str, Any]) -> str:
    """That images which are retained are the same as some that are forgotten; empty where none are."""
    copies = record["asked"].get("copies_retained", [])
    if not copies:
        return ""
    one = len(copies) == 1
    return (
        f"{len(copies):,} training image{'' if one else 's'} that {'was' if one else 'were'} not to be forgotten "
        f"{'is' if one else 'are'} the same as listed ones, pixel for pixel, and {'stays' if one else 'stay'} among the "
        f"retained: {few(copies)}"
    )


def _measured(record: Mapping[str, Any]) -> str:
    """Before, after and, where it was trained, the oracle, in per cent."""
    columns = [("before", record["measured"]["before"]), ("after", record["measured"]["after"])]
    if record["oracle"]:
        columns.append(("oracle", record["oracle"]["measured"]))
    rows = [
        (words, *(f"{values[name]:.2f}" if name in values else "–" for _, values in columns))
        for name, words in MEASURED.items()
        if any(name in values for _, values in columns)
    ]
    samples = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in record["measured"]["samples"].items())
    note = f"<p>In per cent. Samples: {escape(samples)}. {_tested(record['ran'])}</p>"
    return _table(("", *(name for name, _ in columns)), rows) + note


def _tested(ran: Mapping[str, Any]) -> str:
    """What the test images, by which the model is measured, have been used for before."""
    if ran["source"] == "given":
        return "The test images were not trained on; on which images the given parameters were tuned is not known."
    if ran["protocol"] == "paper" and ran["source"] != "fixed":
        return "The method was tuned on the test images."
    return "The test images were neither trained nor tuned on."


def original_line(method: str, original: Mapping[str, Any]) -> str:
    """What the evaluation says of the model as it is, without any unlearning."""
    line = f"without any unlearning: {original['score']:.2f} there"
    words = {
        "better": "is told to be better",
        "worse": "is told to be worse",
        "not told apart": "is not told apart from that",
    }
    return f"{line}; {method} {words[told]} (5 % level)" if (told := original["method_is"]) else line


def _expected(record: Mapping[str, Any]) -> str:
    hopes, oracle = record["expected"], record["oracle"]
    if "unknown_because" in hopes:
        return f"<p>Not known: {escape(hopes['unknown_because'])}.</p>"
    columns = ["", "mean", f"{100 * hopes['level']:.0f} % prediction interval"]
    found = oracle["gaps"] if oracle else {}
    rows = []
    for name, gap in hopes["gaps"].items():
        label = f"score ({TITLES[hopes['objective']]})" if name == SCORE else Measures().label(name).title
        if (unit := hopes.get("units", {}).get(name, POINTS)) != POINTS:
            label += f" ({unit or 'no unit'})"
        row = [label, f"{gap['mean']:.2f}", f"{gap['low']:.2f} … {gap['high']:.2f}"]
        if oracle:
            inside = oracle["as_expected"].get(name)
            row += [f"{found[name]:.2f}" if name in found else "–", {True: "yes", False: "no"}.get(inside, "–")]
        rows.append(row)
    alone = "" if oracle else " No oracle was trained for this request: its own gaps are not known."
    note = (
        f"<p>Percentage points, where no other unit is named. From {escape(hopes['from'])} of {hopes['size']:,} samples in the "
        f"sweep's evaluation, if the gaps of such requests are normal.{alone}</p>"
    )
    if original := hopes.get("original"):
        note += f"<p>{escape(original_line(record['ran']['method'], original))}.</p>"
    return _table((*columns, *(("found", "inside") if oracle else ())), rows) + note


def _ran(record: Mapping[str, Any]) -> str:
    ran, weights = record["ran"], record["weights"]
    original = weights["original"]
    parameters = ", ".join(f"{name} = {value}" for name, value in ran["hyperparameters"].items())
    return _pairs(
        (
            "method",
            f"{ran['method']}, {origin(ran['scenario'], ran['source'])} (sweep {ran['sweep']}, chosen by: {ran['source']})",
        ),
        ("scenario chosen by", ran["scenario_chosen_by"]),
        ("method chosen by", ran["method_chosen_by"]),
        ("hyperparameters", parameters),
        ("epochs", f"{ran['epoch']}: {ran['epoch_chosen_by']}"),
        ("seed of the run", str(ran["seed"])),
        ("time", f"{ran['time']}, {ran['seconds']:.1f} s of unlearning on {ran['device']}"),
        ("original", f"{original.get('file', 'trained by the sweep')}, SHA-256 of its weights {original['sha256']}"),
        ("unlearned", f"SHA-256 of its weights {weights['unlearned']['sha256']}"),
        ("data", ran["dataset"]["read"]),
        ("model", ran["model"]),
        ("versions", ", ".join(f"{name} {number}" for name, number in ran["versions"].items())),
        ("command", ran["command"]),
    )


def _pairs(*pairs: tuple[str, str]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td><code>{escape(value)}</code></td></tr>" for name, value in pairs)
    return f'<div class="scroll"><table>{rows}</table></div>'


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def cells(tag: str, texts: Iterable[str]) -> str:
        return "".join(f"<{tag}{' class=n' if i else ''}>{escape(text)}</{tag}>" for i, text in enumerate(texts))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells("th", heads)}</tr>{body}</table></div>'


__all__ = ["copies_line", "original_line", "page", "unchanged_line"]
