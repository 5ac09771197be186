"""The contract that every model of hyperbolic space (and flat space beside them) keeps."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from hyplearn.manifolds.curvature import Curvature
from hyplearn.numerics import asinh, norm, tanhc


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

    @staticmethod
    def _squeeze(x: Tensor, dim: int, keepdim: bool) -> Tensor:
        return x if keepdim else x.squeeze(dim)

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

    def random(
        self,
        *size: int,
        std: float | Tensor = 1.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> Tensor:
        """Points of shape `size` from the wrapped normal distribution at the origin (Nagano et al. 2019).

        The normal coordinates are drawn from N(0, std^2 I), so `std` is a length in the units of `dist`.
        """
        size = (*size[:-1], size[-1] - self.extra_coords)
        return self.from_normal(std * torch.randn(*size, generator=generator, dtype=dtype, device=device))

    @abstractmethod
    def check_point(self, x: Tensor, dim: int = -1, name: str = "x") -> None:
        """Raises a ValueError that names the argument if `x` is no tensor of points of this model.

        For the edges of a program: no other method calls it, so the fast path pays nothing for it.
        """
        if not (isinstance(x, Tensor) and x.is_floating_point()):
            raise ValueError(f"{name} must be a floating-point tensor, got {getattr(x, 'dtype', type(x).__name__)}")
        if not -x.dim() <= dim < x.dim():
            raise ValueError(f"{name} of shape {tuple(x.shape)} has no dimension dim={dim} for the coordinates")
        if x.shape[dim] <= self.extra_coords:
            raise ValueError(
                f"{name} needs more than {self.extra_coords} coordinates along dim={dim}, got {x.shape[dim]}"
            )
        if not bool(x.isfinite().all()):
            raise ValueError(f"{name} holds NaN or infinite coordinates")

    def check_tangent(self, x: Tensor, v: Tensor, dim: int = -1, name: str = "v") -> None:
        """Raises a ValueError that names the argument if `v` is no tangent vector at the point x."""
        self.check_point(x, dim)
        if not (isinstance(v, Tensor) and v.is_floating_point()):
            raise ValueError(f"{name} must be a floating-point tensor, got {getattr(v, 'dtype', type(v).__name__)}")
        if v.dim() == 0 or not -v.dim() <= dim < v.dim() or v.shape[dim] != x.shape[dim]:
            raise ValueError(
                f"{name} of shape {tuple(v.shape)} must have {x.shape[dim]} coordinates along dim={dim}, as x"
            )
        if not bool(v.isfinite().all()):
            raise ValueError(f"{name} holds NaN or infinite coordinates")

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

    def cdist(self, x: Tensor, y: Tensor) -> Tensor:
        """All distances between the points of x, (..., N, n), and those of y, (..., M, n), as (..., N, M).

        Through the ball, as 2 asinh(|p - q| a b) / sqrt(c), without a tensor of shape (N, M, n). Right to 4 eps in
        the ball. In the other charts the ball point is rounded to float64, which adds an absolute error of about
        1e-16 exp(sqrt(c) d) / sqrt(c) for near pairs at distance d from the origin. First derivatives only.
        """
        dtype = torch.promote_types(x.dtype, y.dtype)
        (p, a), (q, b) = self._ball_factors(x.double()), self._ball_factors(y.double())
        # Not the Gram form |p|^2 + |q|^2 - 2<p,q>, which is wrong for near pairs: torch's loop over the differences
        # costs about as much as the asinh of its results. That one is taken in float32 where float32 is asked for.
        tail = torch.promote_types(dtype, torch.float32)
        D = torch.cdist(p, q, compute_mode="donot_use_mm_for_euclid_dist").to(tail)
        return (asinh(D * a.to(tail) * b.mT.to(tail)) * (2 / self.c.sqrt()).to(tail)).to(dtype)

    def _ball_factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Points p of the unit ball and factors a = 1/sqrt(1 - |p|^2): sinh(sqrt(c) dist / 2) = |p - q| a b."""
        n = self.c.sqrt() * self.to_normal(x) / 2
        d = norm(n)
        return tanhc(d) * n, torch.cosh(d)

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

    def geodesic(self, t: Tensor | float, x: Tensor, y: Tensor, dim: int = -1) -> Tensor:
        """The point at the fraction t of the way from x (t = 0) to y (t = 1).

        A tensor t broadcasts against the points, coordinates included: the shape (T, 1) gives T points.
        """
        dtype, x, y = torch.promote_types(x.dtype, y.dtype), x.double(), y.double()
        t = torch.as_tensor(t, dtype=torch.float64, device=x.device)
        # In float64 throughout: the rounding of a float32 velocity would grow like exp(sqrt(c) dist) on the way.
        return self.projx(self.expmap(x, t * self.logmap(x, y, dim=dim), dim=dim).to(dtype), dim=dim)

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
