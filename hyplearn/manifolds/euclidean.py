"""Flat space as a member of the same contract: what every formula becomes as c goes to 0."""

import torch

from hyplearn.manifolds.base import Manifold


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
        return x

    def proju(self, x, v, dim=-1):
        return v

    def check_point(self, x, dim=-1, name="x"):
        if x.isnan().any():
            raise ValueError(f"{name} holds NaN")

    def inner(self, x, u, v=None, dim=-1, keepdim=False):
        return (u * (u if v is None else v)).sum(dim=dim, keepdim=keepdim)

    def norm(self, x, v, dim=-1, keepdim=False):
        return v.norm(dim=dim, keepdim=keepdim)

    def egrad2rgrad(self, x, grad, dim=-1):
        return grad

    def dist(self, x, y, dim=-1, keepdim=False):
        return (x - y).norm(dim=dim, keepdim=keepdim)

    def dist0(self, x, dim=-1, keepdim=False):
        return x.norm(dim=dim, keepdim=keepdim)

    def expmap(self, x, v, dim=-1):
        return x + v

    def logmap(self, x, y, dim=-1):
        return y - x

    def expmap0(self, v, dim=-1):
        return v

    def logmap0(self, y, dim=-1):
        return y

    def transp(self, x, y, v, dim=-1):
        return v

    def transp0(self, y, v, dim=-1):
        return v

    def to_normal(self, x, dim=-1):
        return x

    def from_normal(self, n, dim=-1):
        return n
