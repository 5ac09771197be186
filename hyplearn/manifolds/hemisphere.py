"""The hemisphere {x in R^(n+1) : c|x|^2 = 1, x_(n+1) > 0} in the upper half-space one dimension up.

It is a hyperplane (a totally geodesic surface) there, so distances, geodesics and transport are those of the
half-space, by the same formulas. Seen from straight above it is the Klein ball, from the south pole the Poincare ball.
"""

import torch

from hyplearn.manifolds.halfspace import HalfSpace, split_height
from hyplearn.numerics import dot, double_inside, norm


class Hemisphere(HalfSpace):
    """Points (tanh(sqrt(c) d) u, 1/cosh(sqrt(c) d))/sqrt(c), with the metric I/(c h^2) of the half-space.

    The origin is the pole (0, ..., 0, 1/sqrt(c)); tangent vectors at x are Euclidean-orthogonal to x. Points have
    n + 1 coordinates, normal coordinates n (Cannon et al. 1997, section 7). Distances are right for the coordinates
    that are given, but these cannot tell directions apart that differ by less than eps: points 1 apart at the same
    distance d from the origin need eps e^(sqrt(c) d) << 1.
    """

    extra_coords = 1

    def projx(self, x, dim=-1):
        info = torch.finfo(x.dtype)
        wide = x.double().clamp(-1e300, 1e300) * self.c.sqrt()
        flat, height = split_height(wide, dim)
        raised = torch.cat([flat, torch.where(height <= 0, info.tiny, height)], dim)
        scale = raised.detach().abs().amax(dim=dim, keepdim=True)  # squares of huge points overflow
        unit = raised / scale / norm(raised / scale, dim)
        flat, height = split_height(unit / self.c.sqrt(), dim)
        moved = torch.cat([flat, height.clamp_min(info.tiny)], dim).to(x.dtype)
        stays = ((dot(wide, wide, dim) - 1).abs() <= 4 * info.eps) & (split_height(wide, dim)[1] > 0)
        return torch.where(stays, x, moved)

    @double_inside
    def proju(self, x, v, dim=-1):
        return v - dot(x, v, dim) / dot(x, x, dim) * x

    def check_point(self, x, dim=-1, name="x"):
        super().check_point(x, dim, name)
        wide = x.double()
        if not bool(((self.c * dot(wide, wide, dim) - 1).abs() <= 16 * torch.finfo(x.dtype).eps).all()):
            raise ValueError(f"{name} must lie on the sphere of radius 1/sqrt(c); use projx to bring it there")

    def egrad2rgrad(self, x, grad, dim=-1):
        return super().egrad2rgrad(x, self.proju(x, grad, dim), dim)

    def to_normal(self, x, dim=-1):
        return split_height(self.logmap0(x, dim), dim)[0]

    def from_normal(self, n, dim=-1):
        return self.expmap0(torch.cat([n, torch.zeros_like(n.narrow(dim, 0, 1))], dim), dim)
