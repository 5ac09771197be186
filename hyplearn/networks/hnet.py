"""The LeNet of the lecture, flat and hyperbolic. Compare the two line by line: that is the whole difference."""

from torch import Tensor, nn

import hyplearn.layers as hnn
from hyplearn.manifolds import Manifold


class Net(nn.Module):
    """Images (B, 3, 32, 32) to logits (B, classes)."""

    def __init__(self, classes: int = 10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = self.flatten(x)
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return self.fc3(x)


class HNet(nn.Module):
    """Images (B, 3, 32, 32) of points of `manifold` to logits (B, classes), the signed distances to hyperplanes.

    A flat image v becomes an image of points by `manifold.from_normal(2 * v, dim=1)`: v is then log_0 in the ball.
    The network is the same function in every chart; NormalCoordinates is the fast one.

    Args:
        manifold: the chart of the input and of everything between the layers.
        classes: how many logits.
        **options: `clip` and `init` of the layers, see `hyplearn.layers.HLinear`.
    """

    def __init__(self, manifold: Manifold, classes: int = 10, **options):
        super().__init__()
        self.conv1 = hnn.HConvolution2d(3, 6, 5, manifold, **options)
        self.pool = hnn.HMaxPool2d(2, manifold, 2)
        self.conv2 = hnn.HConvolution2d(6, 16, 5, manifold, **options)
        self.flatten = hnn.HFlatten(manifold)
        self.fc1 = hnn.HLinear(16 * 5 * 5, 120, manifold, **options)
        self.fc2 = hnn.HLinear(120, 84, manifold, **options)
        self.fc3 = hnn.HLinear(84, classes, manifold, gain=1.0, **options)
        self.relu = hnn.HReLU(manifold)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = self.flatten(x)
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return self.fc3.distances(x)
