"""The contracts of unlearn-sweeps, run on this package's own components: `pytest` in this folder."""

from pathlib import Path

from noisy_forgetting.data import two_moons
from noisy_forgetting.method import NoisyFineTune
from noisy_forgetting.metric import calibration

from unlearn.testing import check_dataset, check_method, check_metric


def test_the_method() -> None:
    check_method(NoisyFineTune)


def test_the_metric() -> None:
    check_metric(calibration)


def test_the_data_set(tmp_path: Path) -> None:
    check_dataset(two_moons, tmp_path, samples=40)
