"""Fully connected layers: HNN++'s, which is the building block of everything here."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyplearn.layers.base import HLayer, check_clip
from hyplearn.layers.functional import fully_connected, hyperplanes, scaled_products, signed_distances, squared_norm
from hyplearn.manifolds import Manifold, NormalCoordinates

RELU_GAIN = math.sqrt(2)


def init_hyperplanes(weight: Tensor, bias: Tensor | None, init: str, gain: float) -> None:
    """Fills z (`weight`, one row per hyperplane) and r (`bias`, with zeros).

    "orthogonal": rows or columns orthonormal, times gain/2. With gain 1 a square layer is an isometry (its flat twin
    has weight 2z), with gain sqrt(2) it makes up for a ReLU: the radius stays in range through 20 layers.
    "hnn++": normal with standard deviation (2 in out)^-1/2 as in the paper; the radius shrinks by more than
    10 in each wide layer.
    """
    with torch.no_grad():
        if init == "orthogonal":
            nn.init.orthogonal_(weight.flatten(1), gain / 2)
        elif init == "hnn++":
            rows, columns = weight.flatten(1).shape
            weight.normal_(0, (2 * rows * columns) ** -0.5)
        else:
            raise ValueError(f'init must be "orthogonal" or "hnn++", got {init!r}')
        if bias is not None:
            bias.zero_()


class HLinear(HLayer):
    """The Poincare fully connected layer of HNN++.

    In normal coordinates, with z_k = `weight[k]`, r_k = `bias[k]`, the input n, s = sqrt(c)|n| and its signed distances
    to out_features hyperplanes, each times 2|z_k|,

        v_k = 2|z_k|/sqrt(c) asinh(a_k),
        a_k = sqrt(c) (sinh(s)/s) <n, z_k>/|z_k| cosh(2 sqrt(c) r_k) - cosh(s) sinh(2 sqrt(c) r_k),

    the output is the point whose space part on the hyperboloid is w_k = sinh(sqrt(c) v_k)/sqrt(c). As c -> 0 the layer
    tends to n -> 2 z n - 4 |z| r.

    Args:
        in_features, out_features: dimensions of the two spaces.
        manifold: the chart of input and output; points (..., in_features) to (..., out_features).
        bias: whether the hyperplanes may leave the origin.
        clip: bound for sqrt(c) times the distance of the output from the origin (the direction is kept); None for
            none. Training without it can diverge.
        init, gain: see `init_hyperplanes`.
        dim: where the coordinates of a point lie.

    Raises:
        ValueError: if the input does not have in_features coordinates.

    Source: Shimizu, Mukuta, Harada, "Hyperbolic Neural Networks++", ICLR 2021, section 3.2.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        manifold: Manifold,
        bias: bool = True,
        clip: float | None = 12.0,
        init: str = "orthogonal",
        gain: float = RELU_GAIN,
        dim: int = -1,
    ):
        super().__init__(manifold, dim)
        check_clip(clip)
        self.in_features, self.out_features = in_features, out_features
        self.clip, self.init, self.gain = clip, init, gain
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init_hyperplanes(self.weight, self.bias, self.init, self.gain)

    def _planes(self, sqrt_c: Tensor) -> tuple[Tensor, Tensor | None]:
        """z and r."""
        return self.weight, self.bias

    def _coordinates(self, n: Tensor) -> int:
        """The dimension of the coordinates, as a negative number."""
        dim = self.dim if self.dim < 0 else self.dim - n.dim()
        self._check(n, self.in_features, dim)
        return dim

    def normal(self, n):
        dim = self._coordinates(n)
        square = squared_norm(n, dim)
        sqrt_c = self.manifold.sqrt_c(square)
        z, r = self._planes(sqrt_c)
        A, B, T = hyperplanes(z, r, sqrt_c)
        y = scaled_products(n, z, A, dim)
        return fully_connected(y, square, B, T, sqrt_c, self.clip, dim)[0].to(n.dtype)

    def distances(self, x: Tensor) -> Tensor:
        """The v_k above, with k in the place of the coordinates: what a classifier takes as its logits."""
        return self._distances(self.manifold.to_normal(x, dim=self.dim))

    def _distances(self, n: Tensor) -> Tensor:
        dim = self._coordinates(n)
        sqrt_c = self.manifold.sqrt_c(n.new_empty((), dtype=torch.promote_types(n.dtype, torch.float32)))
        z, r = self._planes(sqrt_c)
        A, B, T = hyperplanes(z, r, sqrt_c)
        return signed_distances(n, A[:, None] * z, B, T, sqrt_c, dim).to(n.dtype)

    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, clip={self.clip}"


class MobiusLinear(HLayer):
    """The linear layer of the first hyperbolic networks: (M (x) x) (+) b.

    The Mobius matrix-vector product is the matrix in normal coordinates, n -> M n; the Mobius sum moves M n along the
    geodesic of b, parallel transported from the origin to M n. `weight` is M, `bias` the normal coordinates of b.

    Args:
        in_features, out_features: dimensions of the two spaces.
        manifold: the chart; points (..., in_features) to (..., out_features).
        bias: whether b is added.

    Source: Ganea, Becigneul, Hofmann, "Hyperbolic Neural Networks", NeurIPS 2018, definitions 3.2 and eq. 29.
    """

    def __init__(self, in_features: int, out_features: int, manifold: Manifold, bias: bool = True):
        super().__init__(manifold)
        self.in_features, self.out_features = in_features, out_features
        self.chart = NormalCoordinates(manifold.curvature)
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        nn.init.orthogonal_(self.weight)

    def normal(self, n):
        self._check(n, self.in_features, -1)
        n = F.linear(n, self.weight)
        if self.bias is None:
            return n
        return self.chart.expmap(n, self.chart.transp0(n, self.bias.expand_as(n)))

    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"
