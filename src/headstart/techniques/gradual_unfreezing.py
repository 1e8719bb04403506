"""Fine-tuning from the top down, a stage at a time."""

from __future__ import annotations

from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained

SHARE = 0.5  # of the training, after which everything has thawed


class GradualUnfreezing(Trained):
    """Trains the head first and lets the stages join from the top, each 2.6 times more gently than the one above.

    Use it to fine-tune deeply where the first steps of an untrained head would spoil what the network knows: some
    hundred rows or more, text above all. Not for a handful of rows, nor where time is short: the low stages learn late.
    The rate is a slanted triangle. Reads the "input" cut, or with `layers` the cut below the last so many stages.
    (Howard and Ruder, ULMFiT, ACL 2018.)

    >>> GradualUnfreezing(layers=2).where(("input", "embeddings", "layer.0", "layer.1", "layer.2", "pooled"))
    'layer.0'
    """

    cost = 4
    usual = Recipe(epochs=6, lr=5e-4, layer_decay=1 / 2.6, schedule="slanted", patience=5)

    def at(self, network: Network, done: float) -> None:
        """Thaw: none at first, all from half of the training on; frozen ones cost no backward pass."""
        stages = [m for m in network.get_submodule("suffix.steps").children() if any(True for _ in m.parameters())]
        thawed = min(len(stages), int(done / SHARE * (len(stages) + 1)))
        for above, stage in enumerate(reversed(stages)):
            stage.requires_grad_(above < thawed)
