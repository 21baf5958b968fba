"""Files that a sweep reads where it runs, and a network's own code: known by their hashes, so that what has changed is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sweeps.errors import Problem, SpecError
from sweeps.spec.complaints import shown
from sweeps.spec.schema import Spec
from unlearn.code import code_of
from unlearn.files import expanded, file_digest

CHANGED = "must be the file that this sweep began with, and its content differs"
CHANGED_CODE = "must have the code that this sweep began with, in other files too that it uses, and it differs"
REMEDY = "restore it, or give the sweep another name"


def files_in(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, path) of every file of weights or ids that a document names."""
    original, held_out, scenarios = data.get("original"), data.get("held_out"), data.get("scenarios")
    if isinstance(original, dict) and isinstance(original.get("weights"), str):
        yield "original.weights", original["weights"]
    if isinstance(held_out, str) and held_out:
        yield "held_out", held_out
    for label, body in scenarios.items() if isinstance(scenarios, dict) else ():
        listed = isinstance(body, dict) and (body.get("scenario") or label) == "listed"
        if listed and isinstance(body.get("forget"), str):
            yield f"scenarios.{label}.forget", body["forget"]


def fill_hashes(data: dict[str, Any]) -> list[Problem]:
    """Put the hash of every file under `files`; files that are not there, or not what they were, are the problems."""
    known = data.get("files")
    known = known if isinstance(known, dict) else {}
    hashes, problems = {}, []
    for key, name in files_in(data):
        try:
            hashes[key] = file_digest(expanded(name))
        except OSError as error:
            rule = (
                "must be a fraction, or a file that can be read"
                if key == "held_out"
                else "must be a file that can be read"
            )
            problems.append(Problem(key, f"{rule}: {error.strerror}", shown(name)))
            continue
        if known.get(key, hashes[key]) != hashes[key]:
            problems.append(Problem(key, CHANGED, shown(name), REMEDY))
    if hashes:
        data["files"] = hashes
    else:
        data.pop("files", None)
    return problems


def fill_code(data: dict[str, Any]) -> list[Problem]:
    """Put the hash of a network's code under `code`, unless it is this package's or a library's; or what has changed."""
    known, model = data.pop("code", None), data.get("model")
    name = model.get("name") if isinstance(model, dict) else None
    digest = code_of("models", name) if isinstance(name, str) else None
    if digest is None:
        return []
    data["code"] = {"model": digest}
    if isinstance(known, dict) and known.get("model", digest) != digest:
        return [Problem("model.name", CHANGED_CODE, shown(name), REMEDY)]
    return []


def check_files(spec: Spec) -> None:
    """Refuse lists of ids, and a network's code, that are no longer what they were when the spec was read.

    Raises:
        SpecError: with each of them.
    """
    data = spec.dump()
    problems = [*fill_hashes({**data, "original": None}), *fill_code(data)]
    if problems:
        raise SpecError(spec.name, problems)


__all__ = ["CHANGED_CODE", "REMEDY", "check_files", "files_in", "fill_code", "fill_hashes"]
