"""The bounds that the docstrings of hyplearn.numerics state, against mpmath."""

import subprocess
import sys

import mpmath as mp
import pytest
import torch

from hyplearn import numerics

mp.mp.dps = 60
SIZES = [0.0, 1e-300, 1e-30, 1e-9, 1e-4, 0.01, 0.3, 0.9, 1.0, 1.1, 3.0, 20.0, 87.0]


def worst(function, exact, values, dtype):
    """The largest relative error in eps of the dtype."""
    x = torch.tensor(values, dtype=dtype)
    errors = []
    for mine, given in zip(function(x).tolist(), x.tolist(), strict=True):
        true = exact(mp.mpf(given))
        errors.append(abs(mine - true) / (abs(true) * torch.finfo(dtype).eps) if true else mp.mpf(mine) * mp.inf)
    return float(max(e for e in errors if not mp.isnan(e)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_asinh(dtype):
    values = [v for v in SIZES if v] + [-v for v in SIZES if v] + [1e15, 1e18, 5e18, 2e19, 1e30, 1e38, -1e38]
    values = [v for v in values if abs(v) > torch.finfo(dtype).smallest_normal]
    assert worst(numerics.asinh, mp.asinh, values, dtype) <= 3
    assert numerics.asinh(torch.zeros(1, dtype=dtype)) == 0


def test_asinh_has_the_right_derivative_everywhere():
    x = torch.tensor([0.0, -0.0, 1e-9, -2.0, 30.0, 1e20, -1e30, 1e200], dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(numerics.asinh(x).sum(), x)
    expected = [float(1 / mp.sqrt(1 + mp.mpf(v) ** 2)) for v in x.tolist()]
    torch.testing.assert_close(g, torch.tensor(expected, dtype=torch.float64), rtol=1e-15, atol=0)
    y = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(numerics.asinh, y) and torch.autograd.gradgradcheck(numerics.asinh, y)


@pytest.mark.parametrize(
    ("name", "exact", "bound"),
    [
        ("sinhc", lambda x: mp.sinh(x) / x if x else mp.mpf(1), 2),
        ("tanhc", lambda x: mp.tanh(x) / x if x else mp.mpf(1), 2),
        ("asinhc", lambda x: mp.asinh(x) / x if x else mp.mpf(1), 4),
        ("sinhc_minus_1", lambda x: (mp.sinh(x) / x - 1) / x**2 if x > 1e-15 else mp.mpf(1) / 6, 4),
    ],
)
def test_quotients(name, exact, bound):
    function = getattr(numerics, name)
    assert worst(function, exact, SIZES, torch.float64) <= bound
    x = torch.tensor([0.0, 1e-8, 0.5, 0.999, 1.001, 4.0], dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(function(x).sum(), x)
    assert g[0] == 0 and g.isfinite().all()
    assert torch.autograd.gradcheck(function, x[2:].detach().requires_grad_())


@pytest.mark.parametrize("c", [0.1, 0.5, 1.0, 2.0, 10.0])
@pytest.mark.parametrize(("n", "bound"), [(1, 4), (2, 4), (10, 4), (300, 50)])
def test_one_minus_csq(c, n, bound):
    g = torch.Generator().manual_seed(n)
    u = torch.nn.functional.normalize(torch.randn(40, n, dtype=torch.float64, generator=g), dim=1)
    radii = torch.linspace(0, 36, 40, dtype=torch.float64)[:, None]
    x = u * torch.tanh(radii / 2) / c**0.5
    gap = numerics.one_minus_csq(x, torch.tensor(c, dtype=torch.float64))
    plain_error = 0.0
    for row, mine in zip(x.tolist(), gap[:, 0].tolist(), strict=True):
        true = 1 - mp.mpf(c) * mp.fsum(mp.mpf(v) ** 2 for v in row)
        if true > 1e-15:
            assert abs(mine - true) <= bound * 2.0**-52 * true
            plain = 1 - c * sum(v * v for v in row)
            plain_error = max(plain_error, float(abs(plain - true) / true))
    assert plain_error > 1e-4 or n == 1  # the textbook form would fail this test
    x, c = x[:3].requires_grad_(), torch.tensor(c, dtype=torch.float64, requires_grad=True)
    gx, gc = torch.autograd.grad(numerics.one_minus_csq(x, c).sum(), (x, c))
    torch.testing.assert_close(gx, -2 * c * x)
    torch.testing.assert_close(gc, -(x * x).sum())


def test_norm_and_sqrt_are_safe_at_zero_to_second_order():
    x = torch.zeros(3, dtype=torch.float64)
    for f in (lambda x: numerics.norm(x).sum(), lambda x: numerics.safe_sqrt(x * x).sum()):
        assert (torch.func.jacrev(f)(x) == 0).all()
        assert (torch.func.jacrev(torch.func.jacrev(f))(x) == 0).all()
    y = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert numerics.norm(y).tolist() == [[5.0], [0.0]]
    assert numerics.norm(y, dim=0).shape == (1, 2)


def test_clip_norm_survives_huge_and_infinite_vectors():
    x = torch.tensor([[3.0, 4.0], [1e200, -1e200], [float("inf"), 0.0], [0.0, 0.0], [6.0, 8.0]], dtype=torch.float64)
    out = numerics.clip_norm(x, 5.0, 2.0)
    half = 2 * 0.5**0.5
    expected = torch.tensor([[3.0, 4.0], [half, -half], [2.0, 0.0], [0.0, 0.0], [1.2, 1.6]], dtype=torch.float64)
    torch.testing.assert_close(out, expected, rtol=1e-15, atol=0)
    assert numerics.clip_norm(torch.full((2,), float("nan")).double(), 1.0, 1.0).isnan().all()  # NaN is not hidden


def test_double_inside_rounds_once_to_the_common_dtype():
    @numerics.double_inside
    def f(x, y=None, dim=-1):
        assert x.dtype == torch.float64 and (y is None or y.dtype == torch.float64)
        return x if y is None else x + y

    half, single = torch.ones(2, dtype=torch.float16), torch.ones(2)
    assert f(half).dtype == torch.float16
    assert f(half, single).dtype == torch.float32 == f(half, y=single, dim=0).dtype


def test_importing_the_package_is_light():
    heavy = ["jupyterlab", "nbgrader", "matplotlib", "sklearn", "torch._dynamo", "ipywidgets", "IPython"]
    code = f"import sys, hyplearn; print([m for m in {heavy} if m in sys.modules])"
    baseline = "import sys, torch; print([m for m in {heavy} if m in sys.modules])".replace("{heavy}", str(heavy))
    run = lambda code: subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: E731
    assert run(code).strip() == run(baseline).strip() == "[]"
