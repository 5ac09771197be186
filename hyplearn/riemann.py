"""Curvature as it is measured: from a metric alone, from a surface in space, along a curve.

A *metric* is a function x -> G(x) that takes one point, a tensor of shape (n,), and returns the symmetric positive
definite matrix (n, n) of inner products of the coordinate vectors. Every derivative is taken by `torch.func`, so any
metric that torch can evaluate will do, and `torch.func.vmap` maps each function here over many points. Take float64:
curvature is made of second derivatives.

Signs and order of indices follow do Carmo, Riemannian Geometry (1992), and Lee, Riemannian Manifolds (2018):
R(X, Y) Z = D_X D_Y Z - D_Y D_X Z - D_[X,Y] Z, and the unit sphere has sectional curvature +1.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jacrev

from hyplearn.manifolds import Manifold

Metric = Callable[[Tensor], Tensor]


def metric_tensor(manifold: Manifold) -> Metric:
    """The metric of a chart as a function x -> G(x), G_ij = <e_i, e_j>_x.

    Args:
        manifold: a chart with as many coordinates as dimensions (ball, Klein, half-space, normal, Euclidean).

    Raises:
        ValueError: for the hyperboloid and the hemisphere, whose coordinate vectors are not tangent to them.
    """
    if manifold.extra_coords:
        raise ValueError(
            f"manifold must have as many coordinates as dimensions, and {type(manifold).__name__} has one more;"
            " take the metric of a surface that parametrises it: first_fundamental_form"
        )

    def metric(x: Tensor) -> Tensor:
        basis = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
        return manifold.inner(x, basis[:, None], basis[None, :])

    return metric


# --- intrinsic: everything that follows from the metric alone ----------------------------------------------------


def christoffel(metric: Metric, x: Tensor) -> Tensor:
    """Christoffel symbols G^k_ij = 1/2 g^kl (d_i g_lj + d_j g_li - d_l g_ij), as a tensor [k, i, j] of shape (n, n, n).

    Lee (2018), eq. 5.10.
    """
    dg = jacrev(metric)(x)  # dg[i, j, l] = d_l g_ij
    lowered = (dg.permute(0, 2, 1) + dg - dg.permute(2, 0, 1)) / 2  # [l, i, j]
    # Not linalg.solve: its derivative under vmap is NaN (torch 2.13), and the matrices are small and well scaled.
    return torch.einsum("kl,lij->kij", torch.linalg.inv(metric(x)), lowered)


def riemann_tensor(metric: Metric, x: Tensor) -> Tensor:
    """The curvature tensor R^l_kij with R(e_i, e_j) e_k = R^l_kij e_l, as a tensor [l, k, i, j].

    R^l_kij = d_i G^l_jk - d_j G^l_ik + G^l_im G^m_jk - G^l_jm G^m_ik.  Lee (2018), eq. 7.8.
    """
    gamma = christoffel(metric, x)
    d_gamma = jacrev(lambda p: christoffel(metric, p))(x)  # [l, j, k, i] = d_i G^l_jk
    half = torch.einsum("ljki->lkij", d_gamma) + torch.einsum("lim,mjk->lkij", gamma, gamma)
    return half - half.transpose(-1, -2)


def ricci_tensor(metric: Metric, x: Tensor) -> Tensor:
    """Ricci tensor R_kj = R^i_kij, shape (n, n); for constant sectional curvature K it is (n - 1) K g."""
    return torch.einsum("ikij->kj", riemann_tensor(metric, x))


def scalar_curvature(metric: Metric, x: Tensor) -> Tensor:
    """g^kj R_kj, a number; n (n - 1) K where the sectional curvature is K everywhere."""
    return torch.linalg.solve(metric(x), ricci_tensor(metric, x)).diagonal().sum()


def sectional_curvature(metric: Metric, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Curvature <R(u, v) v, u> / (|u|^2 |v|^2 - <u, v>^2) of the plane that u and v span, both of shape (n,).

    Not a number where u and v are parallel: they span no plane.
    """
    g = metric(x)
    curved = torch.einsum("lkij,i,j,k->l", riemann_tensor(metric, x), u, v, v)
    return (curved @ g @ u) / ((u @ g @ u) * (v @ g @ v) - (u @ g @ v) ** 2)


def gaussian_curvature(metric: Metric, x: Tensor) -> Tensor:
    """The curvature K of a two-dimensional metric at x (2,), from the metric alone: Gauss's Theorema egregium.

    Raises:
        ValueError: if x has not two coordinates.
    """
    if x.shape != (2,):
        raise ValueError(
            f"x must be one point with 2 coordinates, got the shape {tuple(x.shape)}; see sectional_curvature"
        )
    e1, e2 = torch.eye(2, dtype=x.dtype, device=x.device)
    return sectional_curvature(metric, x, e1, e2)


# --- geodesics by their equation -----------------------------------------------------------------------------------


def geodesic_path(metric: Metric, x: Tensor, v: Tensor, steps: int = 100, time: float = 1.0) -> Tensor:
    """Solves the geodesic equation x''^k = -G^k_ij x'^i x'^j from x (n,) with velocity v (n,).

    The classical Runge-Kutta method with `steps` equal steps: the error falls by 16 when the steps are doubled. It
    knows nothing of hyperbolic space, and so it is an oracle for every chart's `expmap`.

    Args:
        steps: number of steps, at least 1.
        time: how far to go; the length of the path is |v|_x time.

    Returns:
        (steps + 1, 2, n): position [:, 0] and velocity [:, 1] at the times 0, time/steps, ..., time.

    Raises:
        ValueError: if `steps` < 1.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")

    def slope(state: Tensor) -> Tensor:
        position, velocity = state
        return torch.stack([velocity, -torch.einsum("kij,i,j->k", christoffel(metric, position), velocity, velocity)])

    h, states = time / steps, [torch.stack([x, v])]
    for _ in range(steps):
        s = states[-1]
        k1 = slope(s)
        k2 = slope(s + h / 2 * k1)
        k3 = slope(s + h / 2 * k2)
        k4 = slope(s + h * k3)
        states.append(s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return torch.stack(states)


# --- extrinsic: curves and surfaces in Euclidean space ---------------------------------------------------------------


def osculating_circle(curve: Callable[[Tensor], Tensor], t: Tensor) -> tuple[Tensor, Tensor]:
    """The circle that touches a curve t -> (m,) to second order: its centre (m,) and its curvature 1/radius >= 0.

    centre = p + k/|k|^2 with the curvature vector k = (p'' - <p'', T> T) / |p'|^2, T = p'/|p'|. On a straight
    line the curvature is 0 and the centre is not finite.
    """
    velocity = jacrev(curve)(t)
    acceleration = jacrev(jacrev(curve))(t)
    square = velocity @ velocity
    bend = (acceleration - (acceleration @ velocity) / square * velocity) / square
    return curve(t) + bend / (bend @ bend), bend.norm()


def first_fundamental_form(surface: Callable[[Tensor], Tensor]) -> Metric:
    """The metric u -> J^T J (n, n) that a parametrised surface u (n,) -> (m,) inherits from Euclidean space."""

    def metric(u: Tensor) -> Tensor:
        jacobian = jacrev(surface)(u)
        return jacobian.T @ jacobian

    return metric


def surface_normal(surface: Callable[[Tensor], Tensor], u: Tensor) -> Tensor:
    """The unit normal d_1 x d_2 / |d_1 x d_2| (3,) of a surface (2,) -> (3,) at u."""
    normal = torch.linalg.cross(*jacrev(surface)(u).unbind(-1))
    return normal / normal.norm()


def second_fundamental_form(surface: Callable[[Tensor], Tensor], u: Tensor) -> Tensor:
    """h_ij = <d_i d_j p, N>, shape (2, 2): how fast a surface (2,) -> (3,) leaves its tangent plane at u."""
    return torch.einsum("mij,m->ij", jacrev(jacrev(surface))(u), surface_normal(surface, u))


def principal_curvatures(surface: Callable[[Tensor], Tensor], u: Tensor) -> tuple[Tensor, Tensor]:
    """The least and greatest bending (k1 <= k2) of a surface in space at u, and the directions in which it happens.

    They solve h w = k g w for the first and second fundamental forms g and h. Their product is the Gaussian
    curvature, their mean the mean curvature; their sign depends on the side that the normal points to.

    Returns:
        curvatures (2,), and directions (2, 2) whose columns are orthonormal in g.
    """
    g, h = first_fundamental_form(surface)(u), second_fundamental_form(surface, u)
    inverse_root = torch.linalg.inv(torch.linalg.cholesky(g))  # L^-1 with g = L L^T
    curvatures, directions = torch.linalg.eigh(inverse_root @ h @ inverse_root.T)
    return curvatures, inverse_root.T @ directions
