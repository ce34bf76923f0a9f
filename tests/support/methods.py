"""Methods that remember: a weighting and an aggregator of the tests, in their families' tables."""

from typing import ClassVar, Literal

from mtbert.methods.aggregation import table as aggregation
from mtbert.methods.aggregation.base import GramAggregator
from mtbert.methods.weighting import table as weighting
from mtbert.methods.weighting.base import LossWeighting


class Slopes(LossWeighting):
    """Weights that depend on all losses, norms and means of epochs so far."""

    observes: ClassVar[bool] = True
    needs_norms: ClassVar[bool] = True
    name: Literal["slopes"] = "slopes"
    decay: float = 0.9

    def start(self, tasks):
        return {"weights": dict.fromkeys(tasks, 1.0), "seen": [], "epochs": []}

    def weights(self, state, at):
        shrunk = 1 - 0.1 * at.step / at.steps - 0.1 * at.epoch / at.epochs
        return {task: weight * shrunk for task, weight in state["weights"].items()}

    def observe(self, state, losses, norms, at):
        new = {
            task: self.decay * state["weights"][task]
            + (1 - self.decay) * (loss / (1 + loss) + 0.01 * (norms or losses)[task])
            for task, loss in losses.items()
        }
        seen = [*state["seen"], [at.step, sorted(losses)]]
        return {**state, "weights": {**state["weights"], **new}, "seen": seen}

    def end_epoch(self, state, mean_losses):
        return {**state, "epochs": [*state["epochs"], mean_losses]}


class Damped(GramAggregator):
    """Factors that approach those of the norms' inverses, in a random order's favour."""

    needs_gram: ClassVar[bool] = True
    name: Literal["damped"] = "damped"

    def start(self, tasks):
        return {"factors": dict.fromkeys(tasks, 1.0), "calls": 0}

    def weights(self, gram, tasks, state, permute):
        first = permute(len(gram))[0]
        wanted = [float(1 / (1 + gram[i, i] ** 0.5)) + (i == first) for i in range(len(gram))]
        known = state["factors"]
        new = {t: 0.5 * known[t] + 0.5 * w for t, w in zip(tasks, wanted, strict=True)}
        return list(new.values()), {"factors": {**known, **new}, "calls": state["calls"] + 1}


def install(monkeypatch):
    """Let configurations name them."""
    monkeypatch.setattr(weighting, "WEIGHTINGS", (*weighting.WEIGHTINGS, Slopes))
    monkeypatch.setattr(aggregation, "AGGREGATORS", (*aggregation.AGGREGATORS, Damped))
