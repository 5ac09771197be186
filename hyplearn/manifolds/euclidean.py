"""Flat space as a member of the same contract: what every formula becomes as c goes to 0."""

import torch

from hyplearn.manifolds.base import Manifold
from hyplearn.numerics import dot, double_inside, norm


class Euclidean(Manifold):
    """R^n with the usual metric. It has no curvature: `c` is 0 and the constructor takes no argument."""

    def __init__(self):
        super().__init__(1.0)
        self.curvature = None

    @property
    def c(self):
        return torch.zeros((), dtype=torch.float64)

    def origin(self, *size, dtype=None, device=None):
        return torch.zeros(*size, dtype=dtype, device=device)

    def projx(self, x, dim=-1):
        return x.clamp(-torch.finfo(x.dtype).max, torch.finfo(x.dtype).max)

    def proju(self, x, v, dim=-1):
        return v

    def check_point(self, x, dim=-1, name="x"):
        super().check_point(x, dim, name)

    @double_inside
    def inner(self, x, u, v=None, dim=-1, keepdim=False):
        return self._squeeze(dot(u, u if v is None else v, dim) + 0 * x.narrow(dim, 0, 1), dim, keepdim)

    @double_inside
    def norm(self, x, v, dim=-1, keepdim=False):
        return self._squeeze(norm(v, dim) + 0 * x.narrow(dim, 0, 1), dim, keepdim)

    def egrad2rgrad(self, x, grad, dim=-1):
        return grad

    @double_inside
    def dist(self, x, y, dim=-1, keepdim=False):
        return self._squeeze(norm(x - y, dim), dim, keepdim)

    @double_inside
    def dist0(self, x, dim=-1, keepdim=False):
        return self._squeeze(norm(x, dim), dim, keepdim)

    def cdist(self, x, y):
        D = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
        return D.to(torch.promote_types(x.dtype, y.dtype))

    def expmap(self, x, v, dim=-1):
        return x + v

    def logmap(self, x, y, dim=-1):
        return y - x

    def expmap0(self, v, dim=-1):
        return v

    def logmap0(self, y, dim=-1):
        return y

    # Transport changes nothing but the base point: the result has the shape that the points and v broadcast to.

    def transp(self, x, y, v, dim=-1):
        return v.expand(torch.broadcast_shapes(x.shape, y.shape, v.shape))

    def transp0(self, y, v, dim=-1):
        return v.expand(torch.broadcast_shapes(y.shape, v.shape))

    def to_normal(self, x, dim=-1):
        return x

    def from_normal(self, n, dim=-1):
        return n
