"""CIFAR-100: 32×32 colour images of a hundred classes in twenty groups of five (Krizhevsky, 2009)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from unlearn.data._base import ImageDataset, Look
from unlearn.data._cifar import Batches

__all__ = ["cifar100"]

FOLDER, META = "cifar-100-python", "meta"
PARTS = {"train": ["train"], "test": ["test"]}
_COARSE = (
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture "
    "insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores "
    "medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2"
)
COARSE = tuple(_COARSE.split())
_FINE = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle "
    "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish "
    "forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle "
    "mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine "
    "possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar "
    "sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree "
    "wolf woman worm"
)
FINE = tuple(_FINE.split())
Level = Literal["fine", "coarse"]


def cifar100(
    cache: Path, *, root: str | Path | None = None, download: bool = True, labels: Level = "fine"
) -> ImageDataset:
    """50,000 training and 10,000 test images, from the published Python batches, read as CIFAR-10's are: no code in them runs.

    Args:
        root: the folder that holds `cifar-100-python`; `<cache>/cifar100` unless given.
        download: fetch the archive by torchvision, which verifies its checksum, where the batches are absent.
        labels: the hundred classes, or the twenty groups of five of them.

    Raises:
        DataError: the batches are absent and cannot be fetched, or one of them is not what it should be.
    """
    return _published(labels).dataset(cache, root, download=download)


def look(cache: Path, *, root: str | Path | None = None, download: bool = True, labels: Level = "fine") -> Look:
    """What is missing or damaged; where it is still to be fetched, what it will be."""
    return _published(labels).look(cache, root, download=download)


def _published(labels: Level) -> Batches:
    fine = labels == "fine"
    classes, expected = (FINE, (500, 100)) if fine else (COARSE, (2500, 500))
    keys = (f"{labels}_labels".encode(), f"{labels}_label_names".encode())
    key = "cifar100" if fine else "cifar100-coarse"
    return Batches("CIFAR-100", key, FOLDER, "CIFAR100", PARTS, META, *keys, expected, classes)
