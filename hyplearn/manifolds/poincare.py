"""The Poincare ball: the open ball of radius 1/sqrt(c) with the conformal metric (2 / (1 - c|x|^2))^2 I."""

import torch
from torch import Tensor

from hyplearn.manifolds.base import Manifold


def _sum(x: Tensor, dim: int, keepdim: bool = True) -> Tensor:
    return x.sum(dim=dim, keepdim=keepdim)


class PoincareBall(Manifold):
    """Points x in R^n with c|x|^2 < 1. Distances are in units where the sectional curvature is -c."""

    def origin(self, *size, dtype=None, device=None):
        return torch.zeros(*size, dtype=dtype, device=device)

    def lambda_x(self, x: Tensor, dim: int = -1, keepdim: bool = False) -> Tensor:
        """The conformal factor 2 / (1 - c|x|^2)."""
        return 2 / (1 - self.sqrt_c(x) ** 2 * _sum(x * x, dim, keepdim))

    def projx(self, x, dim=-1):
        limit = (1 - 4 * torch.finfo(x.dtype).eps) / self.sqrt_c(x)
        norm = x.norm(dim=dim, keepdim=True)
        return torch.where(norm > limit, x / norm * limit, x)

    def proju(self, x, v, dim=-1):
        return v

    def check_point(self, x, dim=-1, name="x"):
        if not bool((self.sqrt_c(x) * x.norm(dim=dim) < 1).all()):
            raise ValueError(f"{name} must lie inside the ball of radius 1/sqrt(c); use projx to bring it there")

    def inner(self, x, u, v=None, dim=-1, keepdim=False):
        return self.lambda_x(x, dim, keepdim) ** 2 * _sum(u * (u if v is None else v), dim, keepdim)

    def norm(self, x, v, dim=-1, keepdim=False):
        return self.lambda_x(x, dim, keepdim) * v.norm(dim=dim, keepdim=keepdim)

    def egrad2rgrad(self, x, grad, dim=-1):
        return grad / self.lambda_x(x, dim, True) ** 2

    def mobius_add(self, x: Tensor, y: Tensor, dim: int = -1) -> Tensor:
        """x (+)_c y (Ungar); its norm is tanh(sqrt(c) d(-x, y) / 2) / sqrt(c)."""
        c = self.sqrt_c(x) ** 2
        xy, xx, yy = _sum(x * y, dim), _sum(x * x, dim), _sum(y * y, dim)
        return ((1 + 2 * c * xy + c * yy) * x + (1 - c * xx) * y) / (1 + 2 * c * xy + c * c * xx * yy)

    def dist(self, x, y, dim=-1, keepdim=False):
        s, D = self.sqrt_c(x), (x - y).norm(dim=dim, keepdim=keepdim)
        gap = (1 - s * s * _sum(x * x, dim, keepdim)) * (1 - s * s * _sum(y * y, dim, keepdim))
        return 2 / s * torch.asinh(s * D / gap.sqrt())

    def dist0(self, x, dim=-1, keepdim=False):
        s = self.sqrt_c(x)
        return 2 / s * torch.atanh(s * x.norm(dim=dim, keepdim=keepdim))

    def _tanc(self, t: Tensor) -> Tensor:
        return torch.where(t > 0, torch.tanh(t) / t.clamp_min(torch.finfo(t.dtype).tiny), 1.0)

    def expmap0(self, v, dim=-1):
        return v * self._tanc(self.sqrt_c(v) * v.norm(dim=dim, keepdim=True))

    def logmap0(self, y, dim=-1):
        t = self.sqrt_c(y) * y.norm(dim=dim, keepdim=True)
        return y * torch.where(t > 0, torch.atanh(t) / t.clamp_min(torch.finfo(t.dtype).tiny), 1.0)

    def expmap(self, x, v, dim=-1):
        return self.mobius_add(x, self.expmap0(v * self.lambda_x(x, dim, True) / 2, dim), dim)

    def logmap(self, x, y, dim=-1):
        return self.logmap0(self.mobius_add(-x, y, dim), dim) * 2 / self.lambda_x(x, dim, True)

    def retr(self, x, v, dim=-1):
        return self.projx(x + v, dim)

    def gyration(self, u: Tensor, v: Tensor, w: Tensor, dim: int = -1) -> Tensor:
        """gyr[u, v] w = -(u + v) + (u + (v + w)), all sums Mobius."""
        add = self.mobius_add
        return add(-add(u, v, dim), add(u, add(v, w, dim), dim), dim)

    def transp(self, x, y, v, dim=-1):
        return self.gyration(y, -x, v, dim) * self.lambda_x(x, dim, True) / self.lambda_x(y, dim, True)

    def transp0(self, y, v, dim=-1):
        return v * 2 / self.lambda_x(y, dim, True)

    def to_normal(self, x, dim=-1):
        return 2 * self.logmap0(x, dim)

    def from_normal(self, n, dim=-1):
        return self.expmap0(n / 2, dim)
