"""The contract of hyplearn.manifolds.Manifold: one test, parametrised over every chart, never against our own code."""

import math

import manifold_contract as mc
import pytest
import torch
from manifold_contract import CHARTS, CURVATURES, Oracle, at_origin, excess, pairs, tangents

from hyplearn import Curvature, Euclidean, HalfSpace, Hemisphere, Klein, Lorentz, NormalCoordinates, PoincareBall

DTYPES = [torch.float32, torch.float64]
LOW = [torch.float16, torch.bfloat16]
charts = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)
flat_too = pytest.mark.parametrize(
    "chart", [*CHARTS, lambda c=1.0: Euclidean()], ids=[*(c.__name__ for c in CHARTS), "Euclidean"]
)


def arguments(manifold, dtype, radii, seed=0):
    """For each method of the contract that has an exact answer: the tensors to call it with."""
    x, y = pairs(manifold, dtype, radii, seed=seed)
    u, v = tangents(manifold, x, seed=1), tangents(manifold, x, seed=2)
    g = torch.Generator().manual_seed(3)
    n = torch.randn(len(x), 3, dtype=torch.float64, generator=g) / manifold.c.sqrt()
    v0 = at_origin(manifold, n.to(dtype))
    return {
        "dist": (x, y),
        "dist0": (x,),
        "inner": (x, u, v),
        "norm": (x, u),
        "expmap": (x, v),
        "logmap": (x, y),
        "transp": (x, y, v),
        "expmap0": (v0,),
        "logmap0": (x,),
        "transp0": (x, v0),
        "to_normal": (x,),
        "from_normal": (n.to(dtype),),
    }


# --- values -----------------------------------------------------------------------------------------------------------


@charts
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("c", CURVATURES)
def test_values_against_mpmath(chart, dtype, c):
    """float32 is right to one rounding; float64 to 8 units, rounding of the arguments included."""
    manifold = chart(c)
    oracle = Oracle(manifold, dtype)
    k = CURVATURES.index(c)
    bound = 1.0 if dtype == torch.float32 else 8.0
    for name, args in arguments(manifold, dtype, mc.RADII[k::5] + mc.RADII[:: 3 + k][:1], seed=k).items():
        assert excess(getattr(manifold, name), getattr(oracle, name), args, bound) <= bound, name


@charts
@pytest.mark.parametrize("dtype", LOW, ids=str)
def test_half_precision_rounds_the_exact_result_and_is_never_nan(chart, dtype):
    manifold = chart(2.0)
    oracle = Oracle(manifold, dtype)
    for name, args in arguments(manifold, dtype, [0.0, 0.3, 2.0]).items():
        out = getattr(manifold, name)(*args)
        assert out.dtype == dtype
        assert excess(getattr(manifold, name), getattr(oracle, name), args, 1.0) <= 1.0, name
    wild = torch.randn(64, 3 + manifold.extra_coords, generator=torch.Generator().manual_seed(0)).to(dtype)
    for factor in (1e-6, 1.0, 1e3, 6e4):
        x = manifold.projx((wild * factor).to(dtype))
        v = manifold.transp0(x, at_origin(manifold, wild[:, :3]))
        for out in (x, manifold.expmap0(at_origin(manifold, wild[:, :3] * 10)), manifold.dist(x, x.flip(0))):
            assert out.isfinite().all()
        fits = v.isfinite().all(-1)  # a vector of float16 can be too long to be written
        assert manifold.expmap(x, v)[fits].isfinite().all()


@flat_too
def test_geodesics_have_constant_speed(chart):
    manifold = chart(0.5)
    x, y = manifold.random(2, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    t = torch.linspace(0, 1, 5, dtype=torch.float64)
    points = manifold.geodesic(t[:, None, None], x, y)
    assert points.shape == (5, 6, 4)
    steps = manifold.dist(points[1:], points[:-1])
    torch.testing.assert_close(steps, (manifold.dist(x, y) / 4).expand(4, 6), rtol=1e-9, atol=0)
    torch.testing.assert_close(manifold.geodesic(0.5, x, y), points[2], rtol=1e-12, atol=1e-12)
    assert manifold.geodesic(0.5, x.float(), y.float()).dtype == torch.float32


@flat_too
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_cdist_is_dist_of_all_pairs(chart, dtype):
    manifold = chart(2.0)
    g = torch.Generator().manual_seed(0)
    x, y = (manifold.random(3, k, 5, dtype=torch.float64, generator=g).to(dtype) for k in (7, 4))
    y[:, 0] = x[:, 2]
    out, expected = manifold.cdist(x, y), manifold.dist(x[:, :, None], y[:, None])
    assert out.shape == (3, 7, 4) and out.dtype == dtype
    near = (x[:, 2:3, None] == y[:, None, :1]).all()
    assert near and (out[:, 2, 0] < 1e-7).all()
    torch.testing.assert_close(
        out, expected, rtol=4 * torch.finfo(dtype).eps if dtype == torch.float32 else 1e-12, atol=1e-13
    )


# --- gradients --------------------------------------------------------------------------------------------------------


class GivenCurvature(Curvature):
    """A curvature that is a plain tensor, to differentiate by."""

    def __init__(self, c):
        super().__init__(1.0)
        self.c = c

    def forward(self):
        return self.c


METHODS = ["dist", "dist0", "inner", "norm", "expmap", "logmap", "transp", "expmap0", "logmap0", "transp0", "to_normal"]
METHODS += ["from_normal", "egrad2rgrad", "retr", "geodesic", "cdist", "proju"]


def build(manifold, name, n, m, a, b):
    """Arguments for a method of the contract from two points' normal coordinates and two vectors at the origin."""
    x, y = manifold.from_normal(n), manifold.from_normal(m)
    lift = (lambda a: a) if isinstance(manifold, Euclidean) else (lambda a: at_origin(manifold, a))
    u, v = manifold.transp0(x, lift(a)), manifold.transp0(x, lift(b))
    table = {"dist": (x, y), "logmap": (x, y), "cdist": (x, y), "inner": (x, u, v), "transp": (x, y, v)}
    table |= dict.fromkeys(["dist0", "logmap0", "to_normal", "projx", "lambda_x"], (x,)) | {"from_normal": (a,)}
    table |= dict.fromkeys(["norm", "expmap", "egrad2rgrad", "retr", "proju"], (x, v))
    table |= {"expmap0": (lift(a),), "transp0": (y, lift(a)), "geodesic": (torch.full((1,), 0.3).double(), x, y)}
    table |= {"mobius_add": (x, y), "gyration": (x, y, v), "mobius_scalar_mul": (a[..., :1], x), "boost": (x, y)}
    matrix = torch.arange(n.shape[-1] ** 2, dtype=n.dtype).reshape(n.shape[-1], -1).cos()
    return (table | {"mobius_matvec": (matrix, x), "minkowski": (x, y)})[name]


def generic(batch=(2,), n=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(*batch, n, dtype=torch.float64, generator=g) / (1 + (k > 1)) for k in range(4)]


def sample(manifold, name, batch=(2,), n=3):
    """Generic float64 arguments for any method of the contract, with the given batch shape."""
    return build(manifold, name, *generic(batch, n))


def methods_of(manifold):
    own = ["mobius_add", "gyration", "lambda_x", "mobius_scalar_mul", "mobius_matvec", "boost", "minkowski"]
    return METHODS + [name for name in own if hasattr(manifold, name)]


@charts
def test_gradcheck_in_points_vectors_and_curvature(chart):
    for name in methods_of(chart()):
        inputs = [a.requires_grad_() for a in generic((1,))]

        def f(c, *inputs, name=name):
            manifold = chart(GivenCurvature(c))
            return getattr(manifold, name)(*build(manifold, name, *inputs))

        assert torch.autograd.gradcheck(f, (torch.tensor(1.3, dtype=torch.float64, requires_grad=True), *inputs)), name


@charts
def test_second_derivatives(chart):
    manifold = chart(1.3)
    for name in ("dist", "expmap", "logmap", "inner"):
        inputs = [a.requires_grad_() for a in generic((1,), 2)]
        f = lambda *inputs: getattr(manifold, name)(*build(manifold, name, *inputs))  # noqa: B023, E731
        assert torch.autograd.gradgradcheck(f, inputs, atol=1e-4), name


@charts
def test_gradient_of_dist_is_minus_the_unit_log(chart):
    """grad_x d(x, y) = -log_x(y) / d, for near and far pairs; the log is mpmath's."""
    for c in (0.1, 1.0, 10.0):
        manifold = chart(c)
        oracle = Oracle(manifold)
        x, y = pairs(manifold, torch.float64, [1e-4, 0.3, 2.0, 6.0])
        if chart is Hemisphere:
            continue  # its coordinate gradient has a part across the surface

        def covector(x, y, manifold=manifold):
            x = x.clone().requires_grad_()
            return torch.autograd.grad(manifold.dist(x, y).sum(), x)[0]

        def gradient(x, y, manifold=manifold):
            return manifold.egrad2rgrad(x, covector(x, y))

        exact = lambda x, y, o=oracle: mc.scale(-1 / o.dist(x, y), o.logmap(x, y))  # noqa: E731
        assert excess(gradient, exact, (x, y), 8.0) <= 8.0
        # float32 arguments: the same, rounded once
        x, y = x.float(), y.float()
        x, y = manifold.projx(x), manifold.projx(y)
        single, double = covector(x, y), covector(x.double(), y.double())
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), double, rtol=2e-7, atol=0)


@flat_too
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_at_singular_points(chart, dtype):
    manifold = chart(2.0)
    y = manifold.random(8, 3 + manifold.extra_coords, dtype=dtype, generator=torch.Generator().manual_seed(0))
    origin = manifold.origin(*y.shape, dtype=dtype)

    def gradient(f, x):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(f(x).sum(), x)[0]

    for x in (y, origin):
        twin = x.clone()
        assert (gradient(lambda x: manifold.dist(x, twin), x) == 0).all()  # noqa: B023
        assert (gradient(lambda x: manifold.dist(twin, x), x) == 0).all()  # noqa: B023
        assert (gradient(lambda v: manifold.norm(twin, v), torch.zeros_like(x)) == 0).all()  # noqa: B023
    assert (gradient(manifold.dist0, origin) == 0).all()
    # at the origin: the unit vector away from the other point, not 0
    away = -manifold.logmap0(y) / manifold.dist0(y, keepdim=True)
    rgrad = manifold.egrad2rgrad(origin, gradient(lambda x: manifold.dist(x, y), origin))
    torch.testing.assert_close(rgrad, away, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(manifold.norm(origin, rgrad), torch.ones(8, dtype=dtype))


@charts
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_exp_and_log_are_first_order_right_where_they_are_singular(chart, dtype):
    """d exp_x = 1 at v = 0; d log_x(y) = 1 in y and -1 in x (in tangent directions) at y = x, the origin included."""
    manifold = chart(2.0)
    jac = torch.func.jacrev
    for x in (manifold.random(4, dtype=dtype), manifold.origin(4, dtype=dtype)):
        zero = torch.zeros_like(x)
        g = torch.Generator().manual_seed(0)
        w = torch.randn(4 - manifold.extra_coords, dtype=dtype, generator=g)
        v = manifold.transp0(x, at_origin(manifold, w))
        close = {"rtol": 1e-5, "atol": 1e-6}
        torch.testing.assert_close(jac(lambda v: manifold.expmap(x, v))(zero) @ v, v, **close)  # noqa: B023
        torch.testing.assert_close(jac(lambda y: manifold.logmap(x, y))(x) @ v, v, **close)  # noqa: B023
        back = jac(lambda z: manifold.logmap(z, x))(x)  # noqa: B023
        if not isinstance(manifold, Hemisphere):  # whose formulas are the half-space's, off the surface too
            torch.testing.assert_close(back @ v, -v, **close)
        assert jac(lambda y: manifold.transp(x, y, v))(x).isfinite().all()  # noqa: B023
    v0 = at_origin(manifold, w)
    torch.testing.assert_close(jac(manifold.logmap0)(x) @ v0, v0, **close)
    torch.testing.assert_close(jac(manifold.expmap0)(zero) @ v0, v0, **close)


# --- transforms of torch ----------------------------------------------------------------------------------------------


@flat_too
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_vmap_and_jacrev(chart):
    torch.manual_seed(0)
    manifold = chart(1.3)
    for name in methods_of(manifold):
        if name in ("cdist", "mobius_matvec", "geodesic"):
            continue  # their arguments have no common batch dimension
        f, args = getattr(manifold, name), sample(manifold, name, batch=(5,))
        torch.testing.assert_close(torch.func.vmap(f)(*args), f(*args), rtol=1e-12, atol=1e-14)
        one = [a[2] for a in args]
        mine, batch = torch.func.jacrev(f)(*one), torch.func.vmap(torch.func.jacrev(f))(*args)
        torch.testing.assert_close(mine, torch.autograd.functional.jacobian(f, tuple(one))[0])
        torch.testing.assert_close(batch[2], mine, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@flat_too
def test_compiles_as_one_graph(chart):
    manifold = chart(1.3)
    names = [*methods_of(manifold), "projx"]
    args = [sample(manifold, name) for name in names]
    f = lambda args: [getattr(manifold, name)(*a) for name, a in zip(names, args, strict=True)]  # noqa: E731
    torch.compiler.reset()
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")
    for name, mine, expected in zip(names, compiled(args), f(args), strict=True):
        torch.testing.assert_close(mine, expected, msg=name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_inductor_keeps_the_digits_of_the_gap():
    """The error-free transformations must survive an optimising compiler; so must gradients through the asinh."""
    ball, normal = PoincareBall(0.7), NormalCoordinates(0.7)
    x, y = pairs(ball, torch.float64, [30.0, 32.0])
    n, m = pairs(normal, torch.float64, [0.3, 2.0])
    for manifold, a, b in ((ball, x, y), (normal, n, m)):
        for name in ("dist", "logmap") if manifold is ball else ("dist",):
            f = getattr(manifold, name)
            torch.testing.assert_close(torch.compile(f, fullgraph=True)(a, b), f(a, b), rtol=1e-13, atol=1e-25)
    a = n.clone().requires_grad_()
    (g,) = torch.autograd.grad(torch.compile(normal.dist, fullgraph=True)(a, m).sum(), a)
    (h,) = torch.autograd.grad(normal.dist(a, m).sum(), a)
    torch.testing.assert_close(g, h, rtol=1e-10, atol=1e-12)


# --- shapes, dtypes, errors -------------------------------------------------------------------------------------------


@flat_too
def test_broadcasting_dim_dtype_and_no_mutation(chart):
    manifold = chart(1.3)
    torch.manual_seed(0)
    for name in [*methods_of(manifold), "projx"]:
        f = getattr(manifold, name)
        args = sample(manifold, name, batch=(2, 5))
        before = [a.clone() for a in args]
        out = f(*args)
        assert all(torch.equal(a, b) for a, b in zip(args, before, strict=True)), name
        for dtype in (torch.float32, torch.bfloat16):
            assert f(*(a.to(dtype) for a in args)).dtype == dtype, name
        if name == "cdist":
            continue
        # coordinates along dim=1 instead of the last dimension
        if name != "mobius_matvec":
            moved = f(*(a.movedim(-1, 1) if a.dim() == 3 else a for a in args), dim=1)
            moved = moved.movedim(1, -1) if out.dim() == 3 else moved
            torch.testing.assert_close(moved, out, rtol=1e-13, atol=1e-15, msg=name)
        # the first argument without its batch dimensions
        if len(args) > 1 and name not in ("geodesic", "mobius_matvec", "minkowski"):
            single = f(args[0][:1, :1], *args[1:])
            assert single.shape == out.shape, name
            torch.testing.assert_close(single[0, 0], out[0, 0], rtol=1e-13, atol=1e-15, msg=name)
    x, y = sample(manifold, "dist", batch=(2, 5))
    for name in ("dist", "inner", "norm"):
        v = manifold.logmap(x, y)
        args = (x, y) if name == "dist" else (x, v)
        assert getattr(manifold, name)(*args, keepdim=True).shape == (2, 5, 1)
        assert getattr(manifold, name)(*args).shape == (2, 5)
    assert manifold.dist0(x, keepdim=True).shape == (2, 5, 1)


@flat_too
@pytest.mark.parametrize("dtype", DTYPES + LOW, ids=str)
def test_projx_keeps_the_inside_and_brings_the_rest_in(chart, dtype):
    for c in (0.1, 1.0, 10.0):
        manifold = chart(c)
        g = torch.Generator().manual_seed(0)
        for n in (2, 7, 300):
            wild = torch.randn(200, n + manifold.extra_coords, generator=g) * torch.logspace(-3, 6, 200)[:, None]
            x = manifold.projx(wild.to(dtype))
            manifold.check_point(x)
            assert x.dtype == dtype and torch.equal(manifold.projx(x), x)
            inside = manifold.random(50, n + manifold.extra_coords, std=0.3, dtype=torch.float64, generator=g).to(dtype)
            inside = manifold.projx(inside)
            together = manifold.projx(torch.cat((wild[-1:].to(dtype), inside)))  # a far point moves no other one
            assert torch.equal(together[1:], inside)


@charts
def test_results_stay_in_the_model(chart):
    """expmap goes as far as the chart does, and stops inside."""
    manifold = chart(2.0)
    for dtype in DTYPES + LOW:
        g = torch.Generator().manual_seed(0)
        x = manifold.projx(manifold.random(100, 4 + manifold.extra_coords, dtype=torch.float64, generator=g).to(dtype))
        v0 = at_origin(
            manifold, torch.randn(100, 4, generator=g).to(dtype) * torch.logspace(-2, 2, 100)[:, None].to(dtype)
        )
        for y in (
            manifold.expmap0(v0),
            manifold.expmap(x, manifold.transp0(x, v0)),
            manifold.retr(x, manifold.transp0(x, v0)),
        ):
            if not isinstance(manifold, NormalCoordinates):  # whose expmap0 is the identity
                manifold.check_point(y)
            assert manifold.dist(x, y).isfinite().all() and manifold.dist0(y).isfinite().all()


@pytest.mark.parametrize(
    ("chart", "dtype", "reach"),
    [
        (Lorentz, torch.float32, 85),
        (Lorentz, torch.float64, 340),
        (NormalCoordinates, torch.float32, 340),
        (NormalCoordinates, torch.float64, 340),
        (PoincareBall, torch.float32, 12),
        (PoincareBall, torch.float64, 32),
    ],
)
def test_how_far_a_chart_reaches(chart, dtype, reach):
    """Along an axis, where the coordinates hold the direction exactly: near, far and opposite pairs, and expmap."""
    manifold = chart(2.0)
    d = torch.tensor([reach, reach - 1.0, 0.5 * reach], dtype=torch.float64) / manifold.c.sqrt()
    n = torch.stack((torch.zeros_like(d), d), -1)
    x = manifold.from_normal(n.to(dtype))
    eps = torch.finfo(
        dtype
    ).eps  # in the ball at this radius a distance is known to 1 %, from the coordinates' rounding
    tolerance = {"rtol": 1e-2 if chart is PoincareBall else 4 * eps, "atol": 4 * eps * reach}
    for a, b, expected in [(x, -x, 2 * d), (x[:1], x[1:], d[0] - d[1:]), (x, x.clone(), 0 * d)]:
        out = manifold.dist(a, torch.cat((b[:, :1].abs(), b[:, 1:]), 1) if chart is Lorentz else b)
        torch.testing.assert_close(out.double(), expected, **tolerance)
    v = manifold.transp0(x, at_origin(manifold, (-n / 2).to(dtype)))
    torch.testing.assert_close(manifold.dist0(manifold.expmap(x, v)).double(), d / 2, **tolerance)


@charts
def test_random_is_a_wrapped_normal_sample(chart):
    manifold = chart(3.0)
    draw = lambda: manifold.random(4000, 2 + manifold.extra_coords, std=0.5, generator=torch.Generator().manual_seed(1))  # noqa: E731
    x = draw()
    assert torch.equal(x, draw()) and x.dtype == torch.get_default_dtype()
    manifold.check_point(x)
    # |n|^2 is std^2 times a chi-square with 2 degrees of freedom: mean 2 std^2, its standard error std^2 2/sqrt(4000)
    mean = manifold.dist0(x).square().mean().item()
    assert abs(mean - 2 * 0.25) < 5 * 0.25 * 2 / math.sqrt(4000)
    assert manifold.random(2, 5, dtype=torch.float64).dtype == torch.float64


def test_check_point_names_the_argument_and_the_mend():
    outside = {PoincareBall: [1.0, 0.0], Klein: [0.8, 0.7], HalfSpace: [1.0, -1.0], Lorentz: [1.0, 1.0, 0.0]}
    outside |= {Hemisphere: [1.0, 1.0], NormalCoordinates: [400.0, 0.0]}
    for chart in CHARTS:
        manifold = chart(1.0)
        good = manifold.random(3, 4)
        manifold.check_point(good)
        manifold.check_tangent(good, manifold.proju(good, torch.zeros_like(good)))
        nan = good.clone()
        nan[1, 2] = float("nan")
        for bad, word in [
            (torch.tensor(outside[chart]), "projx"),
            (nan, "NaN"),
            ([1.0, 2.0], "tensor"),
            (torch.tensor([1, 2]), "floating"),
            (torch.tensor(1.0), "dim"),
        ]:
            with pytest.raises(ValueError, match=r"^anchor .*" + word):
                manifold.check_point(bad, name="anchor")
        with pytest.raises(ValueError, match=r"^push .*coordinates"):
            manifold.check_tangent(good, good[:, :2], name="push")
        with pytest.raises(ValueError, match=r"^push .*NaN"):
            manifold.check_tangent(good, nan, name="push")
        for c in (0.0, -1.0, math.nan, math.inf):
            with pytest.raises(ValueError, match="curvature"):
                chart(c)
