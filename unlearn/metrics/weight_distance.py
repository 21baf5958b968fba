"""Distance between two networks' weights after Git Re-Basin weight matching (Ainsworth et al., 2022, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from unlearn.arithmetic import full_precision
from unlearn.gaps import compares_models
from unlearn.models import Classifier, Symmetries

__all__ = ["weight_distance"]

Permutations = dict[str, Tensor]
Weights = Mapping[str, Tensor]

SWEEPS = 100


@compares_models
def weight_distance(model: Classifier, oracle: Classifier) -> dict[str, float]:
    """`weight_distance`: Euclidean distance of the penultimate layers' weights; `weight_distance_all`: of all parameters.

    The model's units are first renumbered to lie as near the oracle's as weight matching finds. Empty for
    architectures whose symmetries are not defined (transformers).
    """
    if model.symmetries is None:
        return {}
    own, reference = (_plain(dict(network.named_parameters())) for network in (model, oracle))
    with full_precision(model.head.weight.device):
        permutations = match_weights(reference, own, model.symmetries)
        matched = permuted(own, model.symmetries, permutations)
        squares = {name: float((matched[name] - weight).square().sum()) for name, weight in reference.items()}
    return {
        "weight_distance": squares[model.symmetries.penultimate] ** 0.5,
        "weight_distance_all": sum(squares.values()) ** 0.5,
    }


def match_weights(reference: Weights, weights: Weights, symmetries: Symmetries, seed: int = 0) -> Permutations:
    """For each group, the order of the units of `weights` that brings it nearest to `reference`.

    Coordinate descent over the groups, each step a linear assignment, from two starts: units as they are, and a first pass in
    forward order, which reads only tensors whose other axes are matched already (it recovers an exact renumbering). The nearer
    end wins.
    """
    search = _Search(reference, weights, symmetries)
    ends = []
    for forward_pass in (False, True):
        permutations = search.identity()
        if forward_pass:
            known: set[str] = set()
            for group in search.groups:
                permutations[group] = search.best(group, permutations, known)
                known.add(group)
        search.descend(permutations, np.random.default_rng(seed))
        ends.append(permutations)
    return max(ends, key=search.similarity)


def permuted(tensors: Weights, symmetries: Symmetries, permutations: Permutations) -> dict[str, Tensor]:
    """`tensors` (a state dict, say) with the units of every group renumbered: new unit i is old unit permutation[i]."""
    return {name: _permute(tensor, symmetries.axes.get(name, ()), permutations) for name, tensor in tensors.items()}


class _Search:
    """Weight matching of one pair of networks; a similarity is an inner product over all parameters."""

    def __init__(self, reference: Weights, weights: Weights, symmetries: Symmetries) -> None:
        self.reference, self.weights = _plain(reference), _plain(weights)
        self.axes = {name: axes for name, axes in symmetries.axes.items() if name in reference}
        self.users: dict[str, list[tuple[str, int]]] = {}
        for name, axes in self.axes.items():
            for position, group in enumerate(axes):
                if group is not None:
                    self.users.setdefault(group, []).append((name, position))
        self.groups: Sequence[str] = list(self.users)

    def identity(self) -> Permutations:
        return {
            group: torch.arange(self.weights[name].shape[position])
            for group, ((name, position), *_) in self.users.items()
        }

    def best(self, group: str, permutations: Permutations, known: set[str] | None = None) -> Tensor:
        """The best order of one group's units while the others stay; given `known`, only tensors of known other groups count."""
        gain = self.gain(group, permutations, known)
        return torch.from_numpy(linear_sum_assignment(gain, maximize=True)[1])

    def gain(self, group: str, permutations: Permutations, known: set[str] | None = None) -> npt.NDArray[np.float64]:
        """(units, units): the similarity won where the reference's unit i is matched with unit j."""
        total: Tensor | None = None
        for name, position in self.users[group]:
            axes = tuple(None if i == position else g for i, g in enumerate(self.axes[name]))
            if known is not None and not {g for g in axes if g is not None} <= known:
                continue
            mine = _permute(self.weights[name], axes, permutations).movedim(position, 0)
            theirs = self.reference[name].movedim(position, 0)
            product = (theirs.reshape(len(theirs), -1) @ mine.reshape(len(mine), -1).T).double()
            total = product if total is None else total + product
        if total is None:  # only in a forward pass over an unusual network: nothing is known of this group yet
            units = len(permutations[group])
            return np.eye(units)
        gain: npt.NDArray[np.float64] = total.cpu().numpy()
        return gain

    def descend(self, permutations: Permutations, rng: np.random.Generator) -> None:
        """Improve `permutations` in place, group by group in random order, until no group can be improved."""
        for _ in range(SWEEPS):
            improved = False
            for i in rng.permutation(len(self.groups)):
                group = self.groups[i]
                gain = self.gain(group, permutations)
                rows = np.arange(len(gain))
                new = linear_sum_assignment(gain, maximize=True)[1]
                before, after = gain[rows, permutations[group].numpy()].sum(), gain[rows, new].sum()
                if after > before + 1e-6 * abs(before):
                    permutations[group] = torch.from_numpy(new)
                    improved = True
            if not improved:
                return

    def similarity(self, permutations: Permutations) -> float:
        return sum(
            float((_permute(self.weights[name], axes, permutations) * self.reference[name]).sum())
            for name, axes in self.axes.items()
        )


def _permute(tensor: Tensor, axes: Sequence[str | None], permutations: Permutations) -> Tensor:
    for position, group in enumerate(axes):
        if group is not None:
            tensor = tensor.index_select(position, permutations[group].to(tensor.device))
    return tensor


def _plain(weights: Weights) -> dict[str, Tensor]:
    return {name: weight.detach().float().contiguous() for name, weight in weights.items()}
