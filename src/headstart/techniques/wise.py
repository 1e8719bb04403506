"""Between the start and the end of a fine-tuning."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from headstart.activations.activations import Activations
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._loop import Held, held_value
from headstart.techniques._network import Trained

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Wise(Trained):
    """Fine-tunes from the linear probe's head, then keeps (1 - a) start + a end, the share a chosen on held-out rows.

    Use it where new data will differ from the training rows, and as insurance: a = 0 is the linear probe itself. Not
    where rows are too few to hold out a fifth: under 60 in all it stops half way. Reads the cut below the last two
    stages; `layers` as elsewhere. (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022.)

    >>> Wise(layers=1).where(("input", "layer.0", "layer.1", "pooled"))
    'layer.0'
    """

    cost = 3
    depth = 2
    usual = Recipe(epochs=4, lr=2e-4, head_lr=5e-4)
    few: ClassVar[int] = 60  # with fewer rows a share chosen on a fifth of them would be luck
    held_share: ClassVar[float] = 0.2

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """The probe's head, and what all weights are before training."""
        self._start_head(network, X, y)
        self._start = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}

    def finish(self, network: Network, X: Activations, y: np.ndarray, held: Held | None) -> None:
        """Try the shares on the held-out rows; the smallest of equals. Without such rows, half way."""
        end = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
        recipe = self.recipe()
        worth = []
        if held is not None:
            for share in SHARES:
                network.load_state_dict(between(self._start, end, share))
                worth.append(held_value(network, held, self.target_kind_, recipe))
        self.share_ = SHARES[int(np.argmin(worth))] if worth else 0.5
        network.load_state_dict(between(self._start, end, self.share_))


def between(start: dict[str, Tensor], end: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights on the line from start to end.

    >>> between({"w": torch.zeros(2)}, {"w": torch.ones(2)}, 0.25)["w"].tolist()
    [0.25, 0.25]
    """
    return {k: torch.lerp(v, end[k], share) if v.is_floating_point() else v for k, v in start.items()}
