"""The lecture's first network: HNet beside Net, on handwritten digits or CIFAR-10."""

from dataclasses import dataclass

from torch import nn
from torch.utils.data import TensorDataset

from hyplearn.data import images
from hyplearn.experiments.base import Data, Experiment, accuracy, option
from hyplearn.networks import HNet, Net
from hyplearn.training import evaluate


class FromPixels(nn.Module):
    """A network on points, fed with flat images: v becomes the point with log_0 = v in the ball."""

    def __init__(self, manifold, network):
        super().__init__()
        self.manifold, self.network = manifold, network

    def forward(self, v):
        return self.network(self.manifold.from_normal(2 * v, dim=1))


@dataclass(frozen=True)
class HNetExperiment(Experiment):
    """HNet, or its flat twin Net, on scikit-learn's handwritten digits or on CIFAR-10.

    examples:
      hyplearn train hnet --out run                          in normal coordinates
      hyplearn train hnet --chart ball --seed 1 --out ball   the same function, passed on as points of the ball
      hyplearn train hnet --flat --out flat                  its flat twin, with everything else equal
      hyplearn train hnet --data cifar10 --data-dir DIR --out cifar
    """

    data: str = option("digits", "which images", choices=("digits", "cifar10"))
    init: str = option("orthogonal", "how the layers of HNet begin", choices=("orthogonal", "hnn++"))

    def load(self) -> Data:
        train, test = images.load_digits() if self.data == "digits" else images.load_cifar10(self.folder())
        validation = len(train) // 10
        parts = (TensorDataset(*train[:-validation]), TensorDataset(*train[-validation:]))
        return Data(*parts, test)

    def network(self, data):
        if self.flat:
            return Net()
        manifold = self.manifold()
        return FromPixels(manifold, HNet(manifold, init=self.init))

    def metrics(self):
        return {"accuracy": accuracy}

    def scheduler(self, optimizer):
        return None

    def scores(self, model, part, data):
        scores = evaluate(model, part, self.loss(data), self.metrics())
        return {"accuracy": scores["accuracy"], "loss": scores["loss"]}
