"""What all layers share: they are written once, in normal coordinates, and serve every chart."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from hyplearn.layers.sums import mobius_sum
from hyplearn.manifolds import Manifold


class HLayer(nn.Module, ABC):
    """A layer of a hyperbolic network: points of `manifold` in, points of `manifold` out.

    A subclass defines `normal`, the layer in geodesic normal coordinates at the origin (the point at distance d in
    the unit direction u is n = d u). `forward` is that function in the coordinates of the layer's manifold; for the
    manifold `NormalCoordinates` both are the same.

    Args:
        manifold: the chart of input and output, which carries the curvature -c.
        dim: where the coordinates of a point lie; None stands for 1 in images (B, C, H, W) and -1 in (B, C) or (C,).
    """

    gives_points = True  # False for classifiers, whose output are logits

    def __init__(self, manifold: Manifold, dim: int | None = -1):
        super().__init__()
        if not isinstance(manifold, Manifold):
            raise TypeError(f"{type(self).__name__}: manifold must be one of hyplearn.manifolds, got {manifold!r}")
        self.manifold = manifold
        self.dim = dim

    @abstractmethod
    def normal(self, n: Tensor) -> Tensor:
        """The layer as a function of normal coordinates."""

    def forward(self, x: Tensor) -> Tensor:
        dim = self._dim(x)
        return self.manifold.from_normal(self.normal(self.manifold.to_normal(x, dim=dim)), dim=dim)

    def _dim(self, x: Tensor) -> int:
        if self.dim is not None:
            return self.dim
        if x.dim() in (1, 2):
            return -1
        if x.dim() == 4:
            return 1
        raise ValueError(
            f"{type(self).__name__}: the input has shape {tuple(x.shape)}; say where a point's coordinates lie, "
            "dim=1 for (B, C, L) or dim=-1 for (B, L, C)"
        )

    def _check(self, n: Tensor, size: int, dim: int) -> None:
        if n.dim() < -dim or n.shape[dim] != size:
            raise ValueError(
                f"{type(self).__name__} expects points of dimension {size} along dim {dim}, got shape {tuple(n.shape)}"
                " (in normal coordinates)"
            )

    def _check_windows(self, n: Tensor, size: tuple[int, ...], padding: tuple[int, ...]) -> None:
        pixels = tuple(n.shape[-len(size) :])
        if n.dim() not in (len(size) + 1, len(size) + 2):
            raise ValueError(
                f"{type(self).__name__} expects {len(size)} dimensions after the coordinates, with or without a batch "
                f"before them, got shape {tuple(n.shape)}"
            )
        if any(k > length + 2 * pad for k, length, pad in zip(size, pixels, padding, strict=True)):
            raise ValueError(f"{type(self).__name__}: windows of size {size} do not fit into {pixels}")


def check_clip(clip: float | None) -> None:
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be > 0, or None for no bound, got {clip}")


class HSequential(HLayer):
    """The layers one after another; the points stay in normal coordinates from the first to the last.

    Equal to applying the layers in turn, without the change of chart between them.

    Args:
        *layers: at least one HLayer, all on one manifold; the last may be a classifier, and the output is then logits.
    """

    def __init__(self, *layers: HLayer):
        if not layers or not all(isinstance(layer, HLayer) for layer in layers):
            raise TypeError("HSequential takes one or more layers of hyplearn.layers")
        if any(layer.manifold is not layers[0].manifold for layer in layers):
            raise ValueError("HSequential: all layers must share one manifold object, since they share its curvature")
        if not all(layer.gives_points for layer in layers[:-1]):
            raise ValueError("HSequential: only the last layer may be a classifier")
        super().__init__(layers[0].manifold, dim=None)
        self.layers = nn.ModuleList(layers)
        self.gives_points = layers[-1].gives_points

    def normal(self, n):
        for layer in self.layers:
            n = layer.normal(n)
        return n

    def forward(self, x):
        n = self.normal(self.manifold.to_normal(x, dim=self.layers[0]._dim(x)))
        return self.manifold.from_normal(n, dim=self.layers[-1]._dim(n)) if self.gives_points else n


class HResidual(HSequential):
    """x (+) f(x), f the layers one after another, with the Mobius sum of the ball.

    In any chart: from x along the geodesic whose initial velocity is log_0(f(x)), parallel transported from the origin
    to x. An f with values at the origin gives the identity.

    Args:
        *layers: as for `HSequential`; f(x) must have the shape of x.
        shortcut: a layer that takes the place of the first x, where f changes the shape.
    """

    def __init__(self, *layers: HLayer, shortcut: HLayer | None = None):
        super().__init__(*layers)
        if shortcut is not None and shortcut.manifold is not self.manifold:
            raise ValueError("HResidual: the shortcut must share the manifold object of the layers")
        self.shortcut = shortcut

    def normal(self, n):
        step = super().normal(n)
        n = n if self.shortcut is None else self.shortcut.normal(n)
        if step.shape != n.shape:
            what = "keep the shape" if self.shortcut is None else "give the shape of its shortcut"
            raise ValueError(f"HResidual must {what}, but {tuple(n.shape)} became {tuple(step.shape)}")
        return self._sum(n, step, self.layers[-1]._dim(step))

    def _sum(self, n: Tensor, step: Tensor, dim: int) -> Tensor:
        wide = torch.promote_types(n.dtype, torch.float32)
        return mobius_sum(n.to(wide), step.to(wide), self.manifold.c.to(wide), dim).to(n.dtype)
