"""Fine-tuning in which the old classifier keeps teaching."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart._compute import device
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._forward import outputs
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained
from headstart.techniques._objective import Told


class CoTuning(Trained):
    """Learns which old classes go with each new one, P(old | new), and trains the old head on that beside the new one.

    Use it with few rows on a network whose classifier came along (ImageNet's): its top weights take part instead of
    being thrown away. Not where the new classes are like none of the old. The loss is CE(y) + weight * CE(P(old | y)).
    Reads the "input" cut; `layers` as elsewhere. (You et al., Co-Tuning for Transfer Learning, NeurIPS 2020.)

    >>> CoTuning(weight=1.0).get_params()["weight"]
    1.0
    """

    learns = frozenset({"label"})
    without = frozenset({"mix"})
    cost = 4
    usual = Recipe(epochs=4, lr=1e-4)

    def __init__(
        self, weight: float = 1.0, layers: int | None = None, epochs: float | None = None,
        lr: float | None = None, seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.weight = weight

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """Learn P(old | new) from what the old head says of the training rows, and keep that head to train it."""
        head = X.source_head()
        if head is None:
            raise NotApplicable(
                "co_tuning: the classifier that this network was pre-trained with is not at hand",
                expected="weights that bring it, such as efficientnet_lite0",
                do="use l2_sp or bss",
            )
        vectors = torch.from_numpy(outputs(network.suffix, X).copy())
        with torch.inference_mode():
            said = torch.softmax(head(vectors), 1).numpy()
        self._related = torch.from_numpy(related(said, y, self.n_outputs_)).to(device())
        network.suffix.add_module("old_head", head.to(device()))  # pre-trained, so that it learns at the stages' rate

    def loss(self, network: Network, told: Told) -> Tensor:
        """Cross entropy of the new head, and of the old one with what the new class says of it."""
        said = torch.log_softmax(network.get_submodule("suffix.old_head")(told.features), 1)
        old = -(self._related[told.y] * said).sum(1)
        return super().loss(network, told) + self.weight * (old * told.weight).sum()

    def finish(self, network: Network, *_: Any) -> None:
        """The old head goes."""
        del network.suffix.old_head


def related(said: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """P(old | new) (classes, old) as the mean of what is said of each class's rows; even where a class has none.

    >>> related(np.array([[0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]), np.array([0, 0, 1]), 2).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    even = np.full(said.shape[1], 1 / said.shape[1])
    rows = [said[y == c].mean(0) if (y == c).any() else even for c in range(classes)]
    return np.asarray(rows, dtype=np.float32)
