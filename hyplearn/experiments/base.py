"""What all experiments share: the settings of a run, the run itself, and the means of several."""

import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from hyplearn.errors import BadInput
from hyplearn.manifolds import HalfSpace, Hemisphere, Klein, Lorentz, Manifold, NormalCoordinates, PoincareBall
from hyplearn.training import History, fit

CHARTS: dict[str, type[Manifold]] = {
    "normal": NormalCoordinates,
    "ball": PoincareBall,
    "lorentz": Lorentz,
    "klein": Klein,
    "half-space": HalfSpace,
    "hemisphere": Hemisphere,
}


def option(default: Any, help: str, kind: type | None = None, choices: Sequence[str] | None = None) -> Field:
    """A field of an experiment that is also an option of `hyplearn train`: `data_dir` becomes --data-dir.

    Args:
        kind: the type of its values, where the default does not tell.
        choices: the values that are allowed.
    """
    return field(default=default, metadata={"help": help, "kind": kind or type(default), "choices": choices})


class Data(NamedTuple):
    """Three parts that share no example; settings are chosen on `validation`, results told on `test`.

    `about` is whatever an experiment has to know of the data beyond pairs (x, y): the tree of the classes, say.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    about: Any = None


class Result(NamedTuple):
    """What a run leaves: the trained network, its history, and its scores on both held-out parts."""

    model: nn.Module
    history: History
    validation: dict[str, float]
    test: dict[str, float]


@dataclass(frozen=True)
class Experiment(ABC):
    """One network trained on one task: the fields are the settings of a run, the methods are the experiment.

    A hyperbolic network and its flat twin are the same experiment with `flat` switched: data, order of the examples,
    optimiser, steps and scores are the same. The docstring of a subclass is what `hyplearn train NAME --help` says.

    Raises:
        ValueError: for a setting out of range.
    """

    flat: bool = option(False, "train the flat twin instead")
    chart: str = option("normal", "chart of the hyperbolic network", choices=tuple(CHARTS))
    curvature: float = option(1.0, "c of the space of curvature -c")
    data: str = option("", "which data")
    data_dir: Path | None = option(None, "where the files of real data lie or are fetched to", kind=Path)
    epochs: int = option(10, "passes over the training data")
    lr: float = option(1e-3, "Adam's learning rate")
    weight_decay: float = option(0.0, "decoupled weight decay")
    max_norm: float = option(10.0, "bound for the norm of the gradient, inf for none")
    batch_size: int = option(128, "examples per step")
    seed: int = option(0, "of the first run")
    device: str = option("auto", "auto, cpu, cuda")
    compile: bool = option(False, "train through torch.compile: minutes at the start, shorter steps on a GPU")

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name in ("lr", "curvature", "max_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")

    @abstractmethod
    def load(self) -> Data:
        """The data, the same for every seed and for both twins.

        Raises:
            FileNotFoundError: if real data are missing; says which file to fetch, and where to put it.
        """

    @abstractmethod
    def network(self, data: Data) -> nn.Module:
        """The network before training, flat or on `manifold()`."""

    @abstractmethod
    def scores(self, model: nn.Module, part: Dataset, data: Data) -> dict[str, float]:
        """What is reported of a part; settings are chosen by the first entry, where more is better."""

    def loss(self, data: Data) -> Callable[[Tensor, Tensor], Tensor]:
        """What is minimised, a function of the network's output and y."""
        return nn.functional.cross_entropy

    def metrics(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        """What is shown per epoch beside the loss."""
        return {}

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=self.lr, weight_decay=self.weight_decay)

    def scheduler(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler | None:
        """By default the rate falls along a cosine to 0."""
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs)

    def draw(self, model: nn.Module, data: Data, out: Path) -> None:  # noqa: B027 (not every experiment has pictures)
        """Writes pictures of what was learned into `out`; by default none."""

    def manifold(self) -> Manifold | None:
        """The chart with its curvature, or None for the flat twin."""
        return None if self.flat else CHARTS[self.chart](self.curvature)

    def folder(self) -> Path:
        """Where real data lie; only for experiments on real data.

        Raises:
            BadInput: if `data_dir` is not given.
        """
        if self.data_dir is None:
            raise BadInput(f"--data-dir: say where the files of {self.data} lie, or are to be downloaded to")
        return self.data_dir

    def run(self, data: Data, checkpoint: Path | None = None, progress: bool = False) -> Result:
        """Trains with `hyplearn.training.fit` (resumed from `checkpoint` if it is there), then measures."""
        torch.manual_seed(self.seed)
        model = self.network(data)
        optimizer = self.optimizer(model)
        history = fit(
            model,
            data.train,
            self.loss(data),
            optimizer,
            epochs=self.epochs,
            batch_size=self.batch_size,
            metrics=self.metrics(),
            scheduler=self.scheduler(optimizer),
            clip=lambda _: nn.utils.clip_grad_norm_(model.parameters(), self.max_norm),
            seed=self.seed,
            device=self.device,
            compile=self.compile,
            checkpoint=checkpoint,
            progress=progress,
        )
        model.eval()
        with torch.no_grad():
            validation, test = (self.scores(model, part, data) for part in (data.validation, data.test))
        return Result(model, history, validation, test)


# Student's t at 0.975 for 1 to 9 degrees of freedom.
_T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def mean_and_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and half the width of its 95 % interval by Student's t; None for one value."""
    if len(values) < 2:
        return values[0], None
    degrees = len(values) - 1
    quantile = _T975[degrees - 1] if degrees <= len(_T975) else 1.96 + 2.4 / degrees + 2.8 / degrees**2
    return statistics.mean(values), quantile * statistics.stdev(values) / len(values) ** 0.5


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """The share of examples whose largest logit is that of their label."""
    return (logits.argmax(1) == labels).double().mean()
