"""The contract that every model of hyperbolic space (and flat space beside them) keeps."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from hyplearn.manifolds.curvature import Curvature


class Manifold(nn.Module, ABC):
    """A chart of the n-dimensional space of constant sectional curvature -c.

    Points and tangent vectors are plain tensors whose coordinates lie along `dim` (default -1); all other dimensions
    broadcast. No method mutates its input; dtype and device are kept; every method is differentiable, with gradients
    that are finite and right at coincident points, at the origin and at zero vectors. A tangent vector is given in
    the coordinates of the chart, so its length is `norm(x, v)`, not its Euclidean norm.

    Names follow the field (geoopt): `dist, expmap, logmap, transp, ...`; a trailing 0 means "at the origin".

    Args:
        curvature: a `Curvature`, or a number c > 0 for the space of curvature -c.
    """

    extra_coords = 0  # ambient coordinates beyond n: 1 for the hyperboloid and the hemisphere, 0 for the flat charts

    def __init__(self, curvature: Curvature | float = 1.0):
        super().__init__()
        self.curvature = curvature if isinstance(curvature, Curvature) else Curvature(curvature)

    @property
    def c(self) -> Tensor:
        """c > 0 as a 0-dimensional float64 tensor; the sectional curvature is -c."""
        return self.curvature()

    def sqrt_c(self, like: Tensor) -> Tensor:
        """sqrt(c), rounded once, to the dtype of `like`."""
        # A 0-dimensional float64 tensor does not promote a batch, but it would promote the distance of two single
        # points, which is 0-dimensional as well: hence the explicit dtype.
        return self.c.sqrt().to(like.dtype)

    # --- points and tangent vectors -------------------------------------------------------------------------------

    @abstractmethod
    def origin(self, *size: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Tensor:
        """The base point of the chart, in a tensor of shape `size` (its last entry counts the coordinates)."""

    @abstractmethod
    def projx(self, x: Tensor, dim: int = -1) -> Tensor:
        """The point itself where it lies in the model, else a nearby one that does; idempotent."""

    @abstractmethod
    def proju(self, x: Tensor, v: Tensor, dim: int = -1) -> Tensor:
        """The orthogonal projection of an ambient vector to the tangent space at x."""

    @abstractmethod
    def check_point(self, x: Tensor, dim: int = -1, name: str = "x") -> None:
        """Raises a ValueError that names the argument if `x` holds NaN or does not lie in the model."""

    # --- metric ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def inner(self, x: Tensor, u: Tensor, v: Tensor | None = None, dim: int = -1, keepdim: bool = False) -> Tensor:
        """Riemannian inner product <u, v>_x; v = u where it is not given."""

    @abstractmethod
    def norm(self, x: Tensor, v: Tensor, dim: int = -1, keepdim: bool = False) -> Tensor:
        """Riemannian length of the tangent vector v at x."""

    @abstractmethod
    def egrad2rgrad(self, x: Tensor, grad: Tensor, dim: int = -1) -> Tensor:
        """The Riemannian gradient g^{-1} grad at x for the partial derivatives `grad` in the chart's coordinates."""

    # --- distances and geodesics ----------------------------------------------------------------------------------

    @abstractmethod
    def dist(self, x: Tensor, y: Tensor, dim: int = -1, keepdim: bool = False) -> Tensor:
        """Geodesic distance of x and y."""

    @abstractmethod
    def dist0(self, x: Tensor, dim: int = -1, keepdim: bool = False) -> Tensor:
        """Geodesic distance of x from the origin."""

    @abstractmethod
    def expmap(self, x: Tensor, v: Tensor, dim: int = -1) -> Tensor:
        """The point reached from x after unit time along the geodesic with initial velocity v."""

    @abstractmethod
    def logmap(self, x: Tensor, y: Tensor, dim: int = -1) -> Tensor:
        """The tangent vector at x with expmap(x, v) = y."""

    @abstractmethod
    def expmap0(self, v: Tensor, dim: int = -1) -> Tensor:
        """expmap at the origin."""

    @abstractmethod
    def logmap0(self, y: Tensor, dim: int = -1) -> Tensor:
        """logmap at the origin."""

    @abstractmethod
    def transp(self, x: Tensor, y: Tensor, v: Tensor, dim: int = -1) -> Tensor:
        """Parallel transport of the tangent vector v from x to y along their geodesic."""

    @abstractmethod
    def transp0(self, y: Tensor, v: Tensor, dim: int = -1) -> Tensor:
        """Parallel transport of v from the origin to y."""

    def retr(self, x: Tensor, v: Tensor, dim: int = -1) -> Tensor:
        """A cheap first-order approximation of expmap that stays in the model; expmap itself where none is cheaper."""
        return self.expmap(x, v, dim=dim)

    def geodesic(self, t: Tensor, x: Tensor, y: Tensor, dim: int = -1) -> Tensor:
        """The point at the fraction t of the way from x (t = 0) to y (t = 1); t broadcasts against the points."""
        return self.expmap(x, t * self.logmap(x, y, dim=dim), dim=dim)

    def geodesic_flow(self, x: Tensor, v: Tensor, t: Tensor | float, dim: int = -1) -> tuple[Tensor, Tensor]:
        """Where a traveller is who left x with velocity v at time 0, and the velocity there, at time t.

        Returns (expmap(x, t v), v transported to that point); t broadcasts against the points.
        """
        y = self.expmap(x, t * v, dim=dim)
        return y, self.transp(x, y, v, dim=dim)

    # --- the hub: geodesic normal coordinates at the origin ---------------------------------------------------------

    @abstractmethod
    def to_normal(self, x: Tensor, dim: int = -1) -> Tensor:
        """Normal coordinates n = d u of the point x: its distance d from the origin times its unit direction u."""

    @abstractmethod
    def from_normal(self, n: Tensor, dim: int = -1) -> Tensor:
        """The point of this chart with normal coordinates n."""

    def extra_repr(self) -> str:
        return ""
