"""What outputs are made from, in a word: outputs with another fingerprint are of another state of the sweep."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from optuna import Study, load_study
from optuna.storages import BaseStorage

from sweeps.record.code import code_digest
from sweeps.studies.design import DESIGN


def fingerprint(storage: BaseStorage, name: str, opened: Iterable[Study] = ()) -> str:
    """Digest of a sweep's resolved spec, of each study's design, of how its trials stand, and of the code that tells of them.

    Args:
        opened: studies of the sweep that are open already, of which trials that have ended are not read again.
    """
    state: dict[str, Any] = {"code of outputs": code_digest()}
    known = {study.study_name: study for study in opened}
    for study in sorted(storage.get_all_studies(), key=lambda study: study.study_name):
        if study.study_name == name:
            state["spec"] = study.user_attrs.get("spec")
        elif study.study_name.startswith(f"{name}/"):
            open_study = known.get(study.study_name) or load_study(study_name=study.study_name, storage=storage)
            trials = open_study.get_trials(deepcopy=False)
            counts = Counter(trial.state.name for trial in trials)
            last = max((trial.datetime_complete for trial in trials if trial.datetime_complete), default=None)
            state[study.study_name] = [study.user_attrs.get(DESIGN), sorted(counts.items()), str(last)]
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:32]
