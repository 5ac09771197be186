"""Curvature tools against closed forms of surfaces and metrics whose curvature is known."""

import math

import pytest
import torch

from hyplearn import riemann
from hyplearn.manifolds import Euclidean, PoincareBall

DOUBLE = torch.float64
CURVATURES = [0.1, 0.5, 1.0, 2.0, 10.0]


def point(*values):
    return torch.tensor(values, dtype=DOUBLE)


def close(actual, expected, tol=1e-9):
    torch.testing.assert_close(actual, torch.as_tensor(expected, dtype=DOUBLE), rtol=tol, atol=tol)


def sphere(u, radius=2.0):
    a, b = u
    return radius * torch.stack([a.sin() * b.cos(), a.sin() * b.sin(), a.cos()])


def torus(u, big=3.0, small=1.0):
    a, b = u
    ring = big + small * a.cos()
    return torch.stack([ring * b.cos(), ring * b.sin(), small * a.sin()])


def saddle(u):
    return torch.stack([u[0], u[1], (u[0] ** 2 - u[1] ** 2) / 2])


def cylinder(u):
    return torch.stack([2 * u[0].cos(), 2 * u[0].sin(), u[1]])


def pseudosphere(u):
    a, b = u
    return torch.stack([b.cos() / a.cosh(), b.sin() / a.cosh(), a - a.tanh()])


def half_plane(c):
    return lambda x: torch.eye(x.shape[-1], dtype=x.dtype) / (c * x[-1] ** 2)


@pytest.mark.parametrize(
    ("surface", "u", "expected"),
    [
        (sphere, (0.7, 0.3), (0.5, 0.5)),  # 1/r, both the same way
        (torus, (0.4, 1.0), (math.cos(0.4) / (3 + math.cos(0.4)), 1.0)),
        (torus, (2.4, 1.0), (math.cos(2.4) / (3 + math.cos(2.4)), 1.0)),  # the inner side: K < 0
        (saddle, (0.0, 0.0), (-1.0, 1.0)),
        (cylinder, (0.3, 0.2), (0.0, 0.5)),
        (pseudosphere, (0.8, 0.5), (-1 / math.sinh(0.8), math.sinh(0.8))),
    ],
)
def test_principal_curvatures_and_theorema_egregium(surface, u, expected):
    u = point(*u)
    curvatures, directions = riemann.principal_curvatures(surface, u)
    lesser, greater = expected
    both_signs = [sorted((lesser, greater)), sorted((-lesser, -greater))]  # which, depends on the side of the normal
    assert any(torch.allclose(curvatures, point(*pair), atol=1e-9) for pair in both_signs)
    metric = riemann.first_fundamental_form(surface)
    close(directions.T @ metric(u) @ directions, torch.eye(2))
    close(riemann.gaussian_curvature(metric, u), lesser * greater)


def test_second_form_of_a_graph_is_its_hessian_over_the_slope():
    u = point(0.3, -0.4)
    close(riemann.second_fundamental_form(saddle, u), torch.diag(point(1, -1)) / math.sqrt(1 + 0.25))


def test_surface_normal_is_unit_and_orthogonal():
    u = point(0.3, 0.9)
    normal = riemann.surface_normal(torus, u)
    close(normal.norm(), 1.0)
    close(torch.func.jacfwd(torus)(u).T @ normal, torch.zeros(2))


def test_christoffel_symbols_of_the_half_plane():
    y = 0.7
    gamma = riemann.christoffel(half_plane(1.0), point(0.2, y))
    expected = torch.zeros(2, 2, 2, dtype=DOUBLE)
    expected[0, 0, 1] = expected[0, 1, 0] = expected[1, 1, 1] = -1 / y
    expected[1, 0, 0] = 1 / y
    close(gamma, expected)


def test_riemann_tensor_symmetries_and_bianchi():
    metric = riemann.first_fundamental_form(lambda u: torch.cat([u, (u[0] * u[1] + u[2] ** 3).sin()[None]]))
    x = point(0.3, -0.2, 0.5)
    lowered = torch.einsum("lm,mkij->lkij", metric(x), riemann.riemann_tensor(metric, x))
    assert lowered.abs().max() > 0.01
    close(lowered, -lowered.transpose(0, 1))
    close(lowered, torch.einsum("lkij->ijlk", lowered))
    close(lowered + torch.einsum("lkij->lijk", lowered) + torch.einsum("lkij->ljki", lowered), torch.zeros(3, 3, 3, 3))


@pytest.mark.parametrize("c", CURVATURES)
def test_ricci_and_scalar_curvature_of_hyperbolic_3_space(c):
    x, metric = point(0.3, -0.5, 0.8), half_plane(c)
    close(riemann.ricci_tensor(metric, x), -2 * c * metric(x))
    close(riemann.scalar_curvature(metric, x), -6 * c)


def test_flat_space_in_polar_coordinates_is_flat():
    polar = riemann.first_fundamental_form(lambda u: u[0] * torch.stack([u[1].cos(), u[1].sin()]))
    close(riemann.gaussian_curvature(polar, point(1.3, 0.4)), 0.0)
    close(riemann.gaussian_curvature(riemann.metric_tensor(Euclidean()), point(1.0, 2.0)), 0.0)


@pytest.mark.parametrize("c", CURVATURES)
def test_our_own_metric_has_curvature_minus_c(c):
    metric = riemann.metric_tensor(PoincareBall(c))
    x = point(0.3, -0.2, 0.4) / math.sqrt(c)
    u, v = point(1.0, 0.3, -0.5), point(-0.2, 0.8, 0.1)
    close(riemann.sectional_curvature(metric, x, u, v), -c)


def test_vmap_over_points():
    metric = riemann.metric_tensor(PoincareBall(2.0))
    x = torch.randn(7, 2, dtype=DOUBLE) * 0.1
    close(torch.func.vmap(lambda p: riemann.gaussian_curvature(metric, p))(x), torch.full((7,), -2.0))


@pytest.mark.parametrize("c", [0.5, 2.0])
def test_geodesic_path_is_the_exponential_map_and_keeps_its_speed(c):
    ball = PoincareBall(c)
    metric = riemann.metric_tensor(ball)
    x, v = point(0.2, -0.1), point(0.3, 0.4)
    path = riemann.geodesic_path(metric, x, v, steps=40, time=1.5)
    assert path.shape == (41, 2, 2)
    close(path[-1, 0], ball.expmap(x, 1.5 * v), tol=1e-6)
    speeds = ball.norm(path[:, 0], path[:, 1])
    close(speeds, speeds[0].expand(41), tol=1e-6)


def test_runge_kutta_has_order_four():
    metric, x, v = half_plane(1.0), point(0.0, 1.0), point(1.0, 0.0)
    exact = point(math.tanh(1.0), 1 / math.cosh(1.0))  # the unit semicircle
    errors = [(riemann.geodesic_path(metric, x, v, steps=n)[-1, 0] - exact).norm() for n in (10, 20)]
    assert 12 < errors[0] / errors[1] < 20


def test_osculating_circle():
    ellipse = lambda t: torch.stack([3 * t.cos(), 2 * t.sin()])  # noqa: E731
    centre, curvature = riemann.osculating_circle(ellipse, torch.tensor(0.0, dtype=DOUBLE))
    close(curvature, 3 / 4)  # a / b^2 at the end of the long axis
    close(centre, point(3 - 4 / 3, 0))


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"^x must"):
        riemann.gaussian_curvature(half_plane(1.0), point(1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"^steps must"):
        riemann.geodesic_path(half_plane(1.0), point(0.0, 1.0), point(1.0, 0.0), steps=0)
