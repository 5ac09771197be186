"""The layers against formulas written out, in every chart, to the ends of their range and through torch's tools."""

import copy
import io
import math
import pickle

import mpmath
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

import hyplearn.layers as hnn
from hyplearn.layers.analytic import CoshSinhc
from hyplearn.layers.attention import attend
from hyplearn.layers.convolution import beta_ratio
from hyplearn.layers.functional import (
    _FullyConnected,
    _SignedDistances,
    fully_connected,
    signed_distances,
    squared_norm,
)
from hyplearn.layers.sums import mobius_sum
from hyplearn.manifolds import (
    Curvature,
    HalfSpace,
    Hemisphere,
    Klein,
    Lorentz,
    NormalCoordinates,
    PoincareBall,
)
from hyplearn.means import midpoint

CURVATURES = (0.1, 0.5, 1.0, 2.0, 10.0)
CHARTS = (PoincareBall, Lorentz, Klein, HalfSpace, Hemisphere)
float64 = torch.float64


def randn(*size, seed=0, dtype=float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def seeded(make):
    torch.manual_seed(0)
    layer = make().double()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return layer


# Every layer with an input in normal coordinates and the dim of its output's coordinates (None: logits).
LAYERS = {
    "linear": (lambda M: hnn.HLinear(5, 4, M), (3, 5), -1, -1),
    "linear, no bias": (lambda M: hnn.HLinear(5, 4, M, bias=False), (2, 3, 5), -1, -1),
    "linear, clipped": (lambda M: hnn.HLinear(5, 4, M, clip=1.0), (3, 5), -1, -1),
    "Mobius linear": (lambda M: hnn.MobiusLinear(5, 4, M), (3, 5), -1, -1),
    "convolution 1d": (lambda M: hnn.HConvolution1d(2, 3, 3, M, stride=2, padding=1), (2, 2, 6), 1, 1),
    "convolution 2d": (
        lambda M: hnn.HConvolution2d(2, 3, (3, 2), M, stride=(1, 2), padding=(1, 0)),
        (2, 2, 4, 5),
        1,
        1,
    ),
    "average of the image": (lambda M: hnn.HAvgPool2d(None, M), (2, 2, 3, 3), 1, 1),
    "max pool": (lambda M: hnn.HMaxPool2d(2, M), (2, 2, 4, 4), 1, 1),
    "average pool": (lambda M: hnn.HAvgPool2d(2, M, stride=1), (2, 2, 3, 3), 1, 1),
    "relu": (hnn.HReLU, (2, 3, 2, 2), 1, 1),
    "tanh": (lambda M: hnn.HActivation(torch.tanh, M), (3, 4), -1, -1),
    "clip": (lambda M: hnn.HClip(M, 1.5), (6, 3), -1, -1),
    "dropout": (lambda M: hnn.HDropout(M).eval(), (3, 4), -1, -1),
    "flatten": (hnn.HFlatten, (2, 3, 2, 2), 1, 1),
    "sequential": (lambda M: hnn.HSequential(hnn.HLinear(4, 6, M), hnn.HReLU(M), hnn.HLinear(6, 3, M)), (3, 4), -1, -1),
    "residual": (lambda M: hnn.HResidual(hnn.HLinear(4, 4, M), hnn.HReLU(M)), (3, 4), -1, -1),
    "residual, shortcut": (
        lambda M: hnn.HResidual(hnn.HLinear(4, 3, M, clip=3.0), shortcut=hnn.HLinear(4, 3, M, clip=3.0)),
        (3, 4),
        -1,
        -1,
    ),
    "batch norm 1d": (lambda M: hnn.HBatchNorm1d(3, M), (6, 3), -1, -1),
    "batch norm 2d": (lambda M: hnn.HBatchNorm2d(3, M), (2, 3, 2, 2), 1, 1),
    "batch norm, per axis": (lambda M: hnn.HBatchNorm2d(3, M, per_axis=True), (2, 3, 2, 2), 1, 1),
    "attention": (lambda M: hnn.HAttention(4, M, heads=2), (2, 3, 4), -1, -1),
    "mlr": (lambda M: hnn.HMLR(4, 3, M), (3, 4), -1, None),
    "mlr of pixels": (lambda M: hnn.HMLR(4, 3, M, dim=1), (2, 4, 2, 2), 1, None),
    "gyroplane mlr": (lambda M: hnn.GyroplaneMLR(4, 3, M), (3, 4), -1, None),
    "Lorentz mlr": (lambda M: hnn.LorentzMLR(4, 3, M), (3, 4), -1, None),
    "Lorentz fully connected": (lambda M: hnn.LorentzFullyConnected(4, 3, M), (3, 4), -1, -1),
    "Lorentz linear": (lambda M: hnn.LorentzLinear(4, 3, M), (3, 4), -1, -1),
    "Lorentz convolution": (lambda M: hnn.LorentzConvolution2d(2, 3, 3, M, padding=1), (2, 2, 3, 3), 1, 1),
    "Lorentz relu": (hnn.LorentzReLU, (2, 3, 2, 2), 1, 1),
    "Lorentz residual": (lambda M: hnn.LorentzResidual(hnn.HLinear(4, 4, M)), (3, 4), -1, -1),
}
every_layer = pytest.mark.parametrize("make, shape, dim, out_dim", LAYERS.values(), ids=LAYERS)


# --- derivatives -----------------------------------------------------------------------------------------------------


@every_layer
def test_gradients_in_input_weights_and_curvature(make, shape, dim, out_dim):
    layer = seeded(lambda: make(NormalCoordinates(Curvature(0.7, learnable=True))))
    names = [name for name, _ in layer.named_parameters()]
    assert any("log_ratio" in name for name in names)

    def f(n, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (n,))

    assert gradcheck(f, (randn(*shape).requires_grad_(), *layer.parameters()), atol=1e-6)


def plain(y, square, B, T, sqrt_c, bound, dim):
    """What `CoshSinhc` and `_FullyConnected` compute, for autograd."""
    s = (sqrt_c**2 * square).sqrt()
    t = T * torch.asinh(y * s.sinh() / s - s.cosh() * B)
    w = t.sinh()
    size = w.norm(dim=dim, keepdim=True)
    return torch.asinh(size).clamp_max(bound) / (sqrt_c * size) * w, t


def test_one_point_has_the_gradients_of_a_batch_of_one():
    layer, n, weight = seeded(lambda: hnn.HLinear(3, 2, NormalCoordinates())), randn(3), randn(2, seed=1)
    gradients = [torch.autograd.grad((weight * layer(x)).sum(), list(layer.parameters())) for x in (n, n.unsqueeze(0))]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("bound", (math.inf, 1.0))
@pytest.mark.parametrize("shape, dim", [((3, 4), -1), ((2, 3, 2, 2), -3)])
def test_backward_by_hand_equals_autograd(shape, dim, bound):
    K = shape[dim]
    point_shape = [1 if i == dim % len(shape) else size for i, size in enumerate(shape)]
    plane_shape = (K,) + (1,) * (-dim - 1)
    inputs = [randn(*shape), randn(*point_shape, seed=1) ** 2 + 0.05]
    inputs += [randn(*plane_shape, seed=3), randn(*plane_shape, seed=4) ** 2 + 0.2]
    inputs = [x.requires_grad_() for x in (*inputs, torch.tensor(1.3, dtype=float64))]

    def ours(y, square, B, T, sqrt_c):
        return _FullyConnected.apply(y, *CoshSinhc.apply(sqrt_c**2 * square), B, T, sqrt_c, bound, dim)[:2]

    weights = randn(*shape, seed=5), randn(*shape, seed=6)
    results = []
    for f in (ours, lambda *x: plain(*x, bound, dim)):
        outputs = f(*inputs)
        loss = sum((w * x).sum() for w, x in zip(weights, outputs, strict=True))
        results.append((*outputs, *torch.autograd.grad(loss, inputs)))
    for x, y in zip(*results, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-12)
    assert gradgradcheck(ours, inputs, atol=1e-5)


@pytest.mark.parametrize("q", (0.0, 1e-8, 0.0999, 0.1001, 30.0))
def test_sinhc_and_its_slope(q):
    x = torch.tensor([q], dtype=float64, requires_grad=True)
    cosh, sinhc = CoshSinhc.apply(x)
    with mpmath.workdps(50):
        s = mpmath.sqrt(q)
        want = mpmath.sinh(s) / s if q else mpmath.mpf(1)
        slope = (mpmath.cosh(s) - want) / (2 * mpmath.mpf(q)) if q else mpmath.mpf(1) / 6
    assert sinhc.item() == pytest.approx(float(want), rel=1e-15)
    assert cosh.item() == pytest.approx(math.cosh(math.sqrt(q)), rel=1e-15)
    assert torch.autograd.grad(sinhc, x)[0].item() == pytest.approx(float(slope), rel=3e-14)


@pytest.mark.parametrize("dim", (-1, -3))
def test_signed_distances_alone_are_those_of_the_layer(dim):
    """One function from points to logits, against the layer's: values, first and second derivatives."""
    n = randn(2, 3) if dim == -1 else randn(2, 3, 2, 2)
    weight, B, T = randn(4, 3, seed=1), randn(4, seed=2), randn(4, seed=3) ** 2 + 0.2
    inputs = [x.requires_grad_() for x in (n, weight, B, T, torch.tensor(1.3, dtype=float64))]

    def by_layer(n, weight, B, T, sqrt_c):
        y = torch.einsum("b...i,ki->b...k", n.movedim(dim, -1), weight).movedim(-1, dim)
        return fully_connected(y, squared_norm(n, dim), B, T, sqrt_c, None, dim)[1] / sqrt_c

    results = []
    for f in (lambda *x: signed_distances(*x, dim), by_layer):
        value = f(*inputs)
        results.append((value, *torch.autograd.grad((randn(*value.shape, seed=4) * value).sum(), inputs)))
    for x, y in zip(*results, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-12)

    def all_outputs(n, weight, B, T, sqrt_c):
        shape = (-1, *[1] * (-dim - 1))
        return _SignedDistances.apply(n, weight, B.view(shape), T.view(shape), sqrt_c, dim)

    assert gradcheck(all_outputs, inputs) and gradgradcheck(all_outputs, inputs, atol=1e-5)


@pytest.mark.parametrize("dtype", (torch.float32, float64))
def test_gradient_at_the_origin_is_finite_and_right(dtype):
    layer = hnn.HLinear(4, 3, NormalCoordinates(2.0)).to(dtype)
    n = torch.zeros(1, 4, dtype=dtype, requires_grad=True)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0], n)[:, 0]
    torch.testing.assert_close(jacobian, 2 * layer.weight.detach())  # r = 0: the flat twin has weight 2z


# --- one function in every chart -------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", (0.1, 1.0, 10.0))
@pytest.mark.parametrize("chart", CHARTS)
@every_layer
def test_all_charts_agree(make, shape, dim, out_dim, chart, c):
    curvature = Curvature(c)
    N, M = NormalCoordinates(curvature), chart(curvature)
    layer, other = seeded(lambda: make(N)), seeded(lambda: make(M))
    n = randn(*shape)
    # To sqrt(c) d = 12; but rounding moves a Klein point by eps cosh^2(sqrt(c) d), 1e-6 at 12 and 1e-10 at 8.
    size, limit = n.norm(dim=dim, keepdim=True), 8 if chart is Klein else 12
    n = n * (limit * randn(*size.shape, seed=1).sigmoid() ** 2 / size / c**0.5)
    if isinstance(layer, hnn.LorentzFullyConnected | hnn.LorentzConvolution2d):
        n = n / 3  # affine in sinh: far points amplify any rounding
    want, got = layer(n), other(M.from_normal(n, dim=dim))
    if out_dim is not None:
        got = M.to_normal(got, dim=out_dim)
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9 * max(1.0, c**-0.5))


# --- the formulas, written out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("radius", (1e-6, 1.0, 10.0, 40.0))
def test_linear_against_mpmath(c, radius):
    layer = seeded(lambda: hnn.HLinear(3, 2, NormalCoordinates(c), clip=None))
    n = randn(3)
    n = n * (radius / n.norm() / c**0.5)
    out, v = layer(n), layer.distances(n)
    with mpmath.workdps(60 + int(radius)):
        C, s = mpmath.sqrt(c), [mpmath.mpf(x) for x in n.tolist()]
        d = mpmath.sqrt(sum(x * x for x in s))
        w = []
        for z, r, vk in zip(layer.weight.tolist(), layer.bias.tolist(), v.tolist(), strict=True):
            size = mpmath.sqrt(sum(mpmath.mpf(x) ** 2 for x in z))
            cos = sum(x * mpmath.mpf(y) for x, y in zip(s, z, strict=True)) / (d * size)
            a = mpmath.sinh(C * d) * cos * mpmath.cosh(2 * C * r) - mpmath.cosh(C * d) * mpmath.sinh(2 * C * r)
            want = 2 * size / C * mpmath.asinh(a)
            assert vk == pytest.approx(float(want), rel=1e-11, abs=1e-15)
            w.append(mpmath.sinh(C * want))
        length = mpmath.sqrt(sum(x * x for x in w))
        want = [float(mpmath.asinh(length) / (C * length) * x) for x in w]
    assert out.tolist() == pytest.approx(want, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("c", CURVATURES)
def test_convolution_is_linear_on_concatenated_patches(c):
    M = NormalCoordinates(c)
    conv = seeded(lambda: hnn.HConvolution2d(3, 4, (3, 2), M, stride=(2, 1), padding=(1, 1), clip=None))
    linear = hnn.HLinear(18, 4, M, clip=None).double()
    linear.load_state_dict({**linear.state_dict(), "weight": conv.weight.flatten(1), "bias": conv.bias})
    n = randn(2, 3, 5, 4) / c**0.5
    patches = F.unfold(n, (3, 2), stride=(2, 1), padding=(1, 1)) * beta_ratio(6, 3)
    want = linear(patches.mT).mT.reshape(2, 4, 3, 5)
    torch.testing.assert_close(conv(n), want, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(conv(n[0]), want[0], rtol=1e-12, atol=1e-13)  # without a batch
    row = seeded(lambda: hnn.HConvolution1d(3, 4, 2, M, stride=2, padding=1))
    flat = hnn.HConvolution2d(3, 4, (1, 2), M, stride=(1, 2), padding=(0, 1)).double()
    flat.load_state_dict({**flat.state_dict(), "weight": row.weight[:, :, None], "bias": row.bias})
    torch.testing.assert_close(row(n[:, :, 0]), flat(n[:, :, :1])[:, :, 0], rtol=1e-12, atol=1e-13)


def test_beta_concatenation_is_that_of_beta_functions():
    for parts, size in ((1, 3), (25, 3), (7, 16)):
        want = mpmath.beta(parts * size / 2, 0.5) / mpmath.beta(size / 2, 0.5)
        assert beta_ratio(parts, size) == pytest.approx(float(want), rel=1e-13)


@pytest.mark.parametrize("c", CURVATURES)
def test_mobius_linear_is_ganeas(c):
    ball = PoincareBall(c)
    layer = seeded(lambda: hnn.MobiusLinear(4, 3, ball))
    x = ball.from_normal(randn(5, 4) / c**0.5)
    b = NormalCoordinates(c).from_normal(layer.bias)
    want = ball.mobius_add(ball.mobius_matvec(layer.weight, x), ball.from_normal(b).expand(5, 3))
    torch.testing.assert_close(layer(x), want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("c", CURVATURES)
def test_gyroplane_logits_are_ganeas(c):
    ball = PoincareBall(c)
    layer = seeded(lambda: hnn.GyroplaneMLR(4, 3, ball))
    x = ball.from_normal(randn(5, 4) / c**0.5)
    logits = []
    for p, a in zip(ball.from_normal(layer.points), layer.weight, strict=True):
        m = ball.mobius_add(-p.expand_as(x), x)
        lam = 2 / (1 - c * p.dot(p))
        a = a * 2 / lam  # the normal vector at p, parallel transported from the origin
        inner, size = m @ a, a.norm()
        logits.append(lam * size / c**0.5 * torch.asinh(2 * c**0.5 * inner / ((1 - c * (m * m).sum(-1)) * size)))
    torch.testing.assert_close(layer(x), torch.stack(logits, -1), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("c", CURVATURES)
def test_lorentz_layers_are_the_published_ones(c):
    H, k = Lorentz(c), c**0.5
    x = H.from_normal(randn(5, 4) / k)
    t, s = x[:, :1], x[:, 1:]
    mlr = seeded(lambda: hnn.LorentzMLR(4, 3, H))
    z, a = mlr.weight, mlr.bias
    size = z.norm(dim=1)
    alpha = (k * a).cosh() * (s @ z.T) - (k * a).sinh() * size * t
    want = alpha.sign() * size / k * torch.asinh(k * alpha / size).abs()
    torch.testing.assert_close(mlr(x), want, rtol=1e-10, atol=1e-12)
    full = seeded(lambda: hnn.LorentzFullyConnected(4, 3, H, clip=None))
    y = x @ torch.cat([full.time[:, None], full.weight], 1).T + full.bias
    want = torch.cat([(1 / c + (y * y).sum(-1, keepdim=True)).sqrt(), y], -1)
    torch.testing.assert_close(full(x), want, rtol=1e-10, atol=1e-10)
    chen = seeded(lambda: hnn.LorentzLinear(4, 3, H))
    h = chen.linear(x)
    time = chen.log_scale.exp() * h[:, :1].sigmoid() + 1.1 / k
    space = h[:, 1:] * ((time**2 - 1 / c) / (h[:, 1:] ** 2).sum(-1, keepdim=True)).sqrt()
    torch.testing.assert_close(chen(x), torch.cat([time, space], -1), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("c", CURVATURES)
def test_lorentz_convolution_is_fully_connected_on_the_lorentz_concatenation(c):
    H = Lorentz(c)
    conv = seeded(lambda: hnn.LorentzConvolution2d(2, 3, 2, H, clip=None))
    x = H.from_normal(randn(1, 2, 3, 3) / c**0.5, dim=1)
    patches = [x[0, :, i : i + 2, j : j + 2].flatten(1) for i in range(2) for j in range(2)]
    for patch, got in zip(patches, conv(x).flatten(2)[0].T, strict=True):
        t = (patch[0].square().sum() - (patch.shape[1] - 1) / c).sqrt()
        y = conv.weight.flatten(1) @ patch[1:].flatten() + t * conv.time + conv.bias
        torch.testing.assert_close(got[1:], y, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("c", CURVATURES)
def test_residual_is_the_mobius_sum(c):
    ball = PoincareBall(c)
    inner = seeded(lambda: hnn.HLinear(4, 4, ball))
    x = ball.from_normal(randn(5, 4) / c**0.5)
    torch.testing.assert_close(hnn.HResidual(inner)(x), ball.mobius_add(x, inner(x)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("c", CURVATURES)
def test_lorentz_relu_and_sum_act_on_space_parts(c):
    H = Lorentz(c)
    x, y = (H.from_normal(randn(6, 4, seed=seed) / c**0.5) for seed in (0, 1))
    constant = hnn.LorentzResidual(hnn.HReLU(H))
    for got, space in (
        (hnn.LorentzReLU(H)(x), x[:, 1:].relu()),
        (constant(y), y[:, 1:] + hnn.HReLU(H)(y)[:, 1:]),
    ):
        want = torch.cat([(1 / c + space.square().sum(1, keepdim=True)).sqrt(), space], 1)
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("radius", (1e-3, 1.0, 4.0, 8.0))
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 2e-6), (float64, 1e-12)])
def test_sums_and_normalised_batches_are_those_of_the_manifold(c, radius, dtype, tolerance):
    """Against the manifold's own maps, in float64: sums in both directions, and all of batch normalisation."""
    M = NormalCoordinates(c)
    n = randn(6, 4, 3, 3) + 1
    n = (n * (radius / c**0.5 * randn(6, 1, 3, 3, seed=1).sigmoid() / n.norm(dim=1, keepdim=True))).to(dtype)
    x, step = n.double(), n.double().roll(1, 0) * torch.tensor([1.0, -0.9, 0.5, 1, -1, 0]).view(6, 1, 1, 1)

    def check(got, want):
        assert ((got.double() - want).norm(dim=1) / want.norm(dim=1).max()).max() < tolerance

    got = mobius_sum(n, step.to(dtype), M.c.to(dtype), 1)
    check(got, M.expmap(x, M.transp0(x, step.to(dtype).double(), dim=1), dim=1))

    points = x.movedim(1, -1)
    mean = midpoint(M, points.flatten(0, -2)).expand_as(points)
    centred = M.transp(mean, torch.zeros_like(points), M.logmap(mean, points))
    variances = {False: M.dist(mean, points).square().mean(), True: centred.square().flatten(0, -2).mean(0)}
    for per_axis, var in variances.items():
        norm = hnn.HBatchNorm2d(4, M, per_axis=per_axis)
        norm.bias.data = 0.3 * randn(4, seed=2).float()
        norm.weight.data += 0.3 * randn(4, seed=3).float()[: norm.weight.numel()].view_as(norm.weight)
        bias, weight = norm.bias.detach().double().expand_as(points), norm.weight.detach().double()
        scaled = weight * centred / (var + norm.eps).sqrt()
        check(norm.to(dtype)(n), M.expmap(bias, M.transp0(bias, scaled)).movedim(-1, 1))
        moved = M.geodesic(0.1, torch.zeros(4, dtype=float64), mean[0, 0, 0])
        torch.testing.assert_close(norm.running_mean.double(), moved, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(norm.running_var.double(), 0.9 + 0.1 * var, rtol=1e-5, atol=1e-6)


def test_small_curvature_is_the_flat_layer_with_weight_2z():
    layer = seeded(lambda: hnn.HLinear(5, 4, NormalCoordinates(1e-10)))
    n = randn(3, 5)
    z, r = layer.weight, layer.bias
    torch.testing.assert_close(layer(n), 2 * n @ z.T - 4 * z.norm(dim=1) * r, rtol=1e-7, atol=1e-8)
    attention, N = hnn.HAttention(4, NormalCoordinates(1e-10)).double(), NormalCoordinates(1e-10)
    x = randn(2, 3, 4)
    q, k, v = (x @ (2 * layer.weight).mT for layer in (attention.query, attention.key, attention.value))
    want = torch.softmax(-torch.cdist(q, k), -1) @ v
    torch.testing.assert_close(attention(x), want, rtol=1e-6, atol=1e-7)
    assert N.c.item() == 1e-10


# --- pooling, normalisation, attention -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (float64, 1e-13)])
@pytest.mark.parametrize("radius", (0.0, 1e-3, 12.0, 40.0))
def test_average_pool_leaves_a_constant_image(radius, dtype, tolerance):
    M = NormalCoordinates(2.0)
    n = (radius / 2**0.5 * F.normalize(randn(1, 3, 1, 1), dim=1)).expand(1, 3, 5, 4).to(dtype)
    torch.testing.assert_close(hnn.HAvgPool2d(2, M)(n), n[:, :, :2, :2], rtol=tolerance, atol=0)


def test_average_pool_commutes_with_isometries():
    ball, n = PoincareBall(0.5), randn(2, 3, 4, 4)
    x, p = ball.from_normal(n, dim=1), ball.from_normal(randn(3, seed=1)).view(1, 3, 1, 1)
    pool = hnn.HAvgPool2d(2, ball)
    moved = ball.mobius_add(p.expand_as(x), x, dim=1)
    want = pool(x)
    torch.testing.assert_close(pool(moved), ball.mobius_add(p.expand_as(want), want, dim=1), rtol=1e-10, atol=1e-12)


def test_clip_keeps_direction_and_inside():
    c = 4.0
    clip = hnn.HClip(NormalCoordinates(c), 3.0)
    n = randn(4, 3)
    n = n * (torch.tensor([0.0, 1.0, 1.4, 9.0])[:, None] / n.norm(dim=1, keepdim=True))
    out = clip(n)
    assert torch.equal(out[:3], n[:3])
    torch.testing.assert_close(out[3], n[3] / 6)


@pytest.mark.parametrize("layer_clip", (1.0, 12.0))
def test_layers_clip_their_output(layer_clip):
    layer = hnn.HLinear(5, 7, NormalCoordinates(0.25), clip=layer_clip, gain=8.0).double()
    n = 20 * randn(9, 5)
    out, free = layer(n), hnn.HLinear(5, 7, NormalCoordinates(0.25), clip=None).double()
    free.load_state_dict(layer.state_dict())
    want = hnn.HClip(layer.manifold, layer_clip)(free(n))
    torch.testing.assert_close(out, want, rtol=1e-12, atol=1e-12)
    assert out.norm(dim=1).max() <= layer_clip / 0.5 * (1 + 1e-12)


def test_dropout_keeps_the_mean_of_tangent_vectors_and_rests_in_evaluation():
    M = PoincareBall(1.0)
    layer, n = hnn.HDropout(M, 0.25), torch.full((4000, 3), 0.3, dtype=float64)
    torch.manual_seed(0)
    out = M.to_normal(layer(M.from_normal(n)))
    assert {round(v, 9) for v in out.flatten().tolist()} == {0.0, 0.4}
    assert out.mean().item() == pytest.approx(0.3, abs=0.01)
    torch.testing.assert_close(layer.eval()(M.from_normal(n)), M.from_normal(n))


@pytest.mark.parametrize("c", (0.5, 2.0))
def test_batch_norm_centres_and_scales(c):
    M = NormalCoordinates(c)
    norm = hnn.HBatchNorm1d(3, M).double()
    n = M.expmap(torch.ones(500, 3, dtype=float64), 0.3 * randn(500, 3))
    out = norm(n)
    assert midpoint(M, out).norm() < 0.05  # scaling at the mean moves the centroid a little
    torch.testing.assert_close(M.dist0(out).square().mean(), torch.tensor(1.0, dtype=float64), rtol=1e-3, atol=0)
    with torch.no_grad():
        norm.bias.copy_(torch.tensor([0.5, -1.0, 0.2]))
        norm.weight.fill_(4.0)
    out = norm(n)
    torch.testing.assert_close(M.dist(norm.bias.expand_as(out), out).square().mean().item(), 16.0, rtol=1e-3, atol=0)


@pytest.mark.parametrize("c", CURVATURES)
def test_batch_norm_is_the_published_one_of_the_hyperboloid(c):
    """exp_beta(PT_0->beta(gamma PT_mu->0(log_mu(x)) / sqrt(var))), mu the centroid (Bdeir et al. 2024, section 4.2)."""
    H = Lorentz(c)
    norm = seeded(lambda: hnn.HBatchNorm1d(3, H, eps=0.0))
    x = H.from_normal((randn(20, 3) + 1) / c**0.5)
    total = x.sum(0)
    mean = total / (c * (total[0] ** 2 - (total[1:] ** 2).sum())).sqrt()
    origin = H.origin(4, dtype=float64)
    v = H.transp(mean.expand(20, 4), origin.expand(20, 4), H.logmap(mean.expand(20, 4), x))
    v = norm.weight * v / H.dist(mean, x).square().mean().sqrt()
    beta = H.from_normal(norm.bias).expand(20, 4)
    want = H.expmap(beta, H.transp(origin.expand(20, 4), beta, v))
    torch.testing.assert_close(norm(x), want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("per_axis", (False, True))
@pytest.mark.parametrize("training", (False, True))
def test_batch_norm_has_second_derivatives(per_axis, training):
    M = NormalCoordinates(Curvature(0.7, learnable=True))
    layer = seeded(lambda: hnn.HBatchNorm1d(2, M, momentum=0.0, per_axis=per_axis)).train(training)
    layer.running_mean.copy_(torch.tensor([0.5, -1.0]))
    names = [name for name, _ in layer.named_parameters()]

    def f(n, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (n,))

    n = randn(4, 2)
    n[0] = 0.0  # nothing special happens at the origin
    assert gradgradcheck(f, (n.requires_grad_(), *layer.parameters()), atol=1e-5)


def test_batch_norm_per_axis_becomes_the_flat_one():
    ours = hnn.HBatchNorm1d(4, NormalCoordinates(1e-10), per_axis=True).double()
    flat = nn.BatchNorm1d(4).double()
    with torch.no_grad():
        for layer in (ours, flat):
            layer.weight.copy_(randn(4))
            layer.bias.copy_(randn(4, seed=1))
    for seed in range(3):
        n = randn(50, 4, seed=seed) * torch.tensor([0.3, 1.0, 2.0, 5.0]) + 1
        torch.testing.assert_close(ours(n), flat(n), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.running_mean, flat.running_mean, rtol=1e-6, atol=1e-6)
    # The variance of the batch, where torch keeps the estimate of the population's.
    biased = 0.9**3 + (flat.running_var - 0.9**3) * 49 / 50
    torch.testing.assert_close(ours.running_var, biased, rtol=1e-6, atol=1e-6)
    flat.running_var.copy_(biased)
    torch.testing.assert_close(ours.eval()(n), flat.eval()(n), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("per_axis", (False, True))
@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("clip", (0.05, 1.0, 2.0))
def test_the_clip_of_batch_norm_is_that_of_its_own_layer(clip, c, per_axis):
    M, x = NormalCoordinates(c), randn(8, 3, 2, 2)
    within, alone = (hnn.HBatchNorm2d(3, M, per_axis=per_axis, clip=bound).double() for bound in (clip, None))
    after = hnn.HSequential(alone, hnn.HClip(M, clip, dim=1))
    outputs, gradients = [], []
    for layer, norm in ((within, within), (after, alone)):
        norm.bias.data, norm.weight.data = 0.3 * randn(3, seed=1), torch.full_like(norm.weight, 2 / c**0.5)
        outputs.append(layer(x))
        gradients.append(torch.autograd.grad((outputs[-1] * randn(8, 3, 2, 2, seed=2)).sum(), norm.parameters()))
    assert (outputs[0].norm(dim=1) * c**0.5 > clip * (1 - 1e-9)).any()
    torch.testing.assert_close(*outputs, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("per_axis", (False, True))
def test_batch_norm_evaluation_does_not_depend_on_the_batch(per_axis):
    """HypLL keeps no running statistics: the same four samples move by 0.187 when the rest of the batch changes."""
    M = PoincareBall(1.0)
    norm = hnn.HBatchNorm2d(3, M, per_axis=per_axis).double()
    x = M.from_normal(randn(16, 3, 2, 2) + 1, dim=1)
    for _ in range(60):
        norm(x)
    trained = norm(x).detach()
    norm.eval()
    torch.testing.assert_close(norm(x)[:4], norm(x[:4]), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(norm(x), trained, rtol=1e-2, atol=1e-2)  # the running values have converged
    other = torch.cat([x[:4], M.from_normal(5 * randn(12, 3, 2, 2, seed=1), dim=1)])
    torch.testing.assert_close(norm(other)[:4], norm(x[:4]), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 2e-6), (float64, 1e-12)])
@pytest.mark.parametrize("radius", (1e-3, 1.0, 12.0))
def test_attention_average_is_the_midpoint(radius, dtype, tolerance):
    H, n = Lorentz(1.0), randn(6, 3)
    x = H.from_normal(n / n.norm(dim=1, keepdim=True) * radius)
    weights = torch.softmax(4 * randn(5, 6), -1)
    weights[0] = torch.eye(6)[2]  # one point by itself, at the radius where T - |S| has no digit left
    want = H.to_normal(midpoint(H, x, weights))
    got = H.to_normal(torch.cat([torch.ones(5, 1), attend(x[:, 1:], weights)], 1).to(dtype))
    torch.testing.assert_close(got.double(), want, rtol=tolerance, atol=tolerance * radius)


def test_attention_commutes_with_permutations():
    layer = seeded(lambda: hnn.HAttention(6, PoincareBall(1.0), heads=3))
    x = layer.manifold.from_normal(randn(2, 5, 6))
    order = [3, 1, 4, 0, 2]
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("chart", (NormalCoordinates, *CHARTS))
def test_embedding_holds_points(chart):
    torch.manual_seed(0)
    table = hnn.HEmbedding(7, 3, chart(2.0), std=0.5)
    table.manifold.check_point(table.weight)
    out = table(torch.tensor([[1, 2], [6, 1]]))
    assert out.shape == (2, 2, 3 + table.manifold.extra_coords)
    assert torch.equal(out[0, 0], table.weight[1])


# --- precision, range, initialisation --------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", (1e-20, 1e-3, 1.0, 12.0, 40.0, 80.0))
def test_float32_reaches_radius_80(radius):
    torch.manual_seed(0)
    layer = hnn.HLinear(16, 16, NormalCoordinates(1.0), clip=None, gain=1.0)  # an isometry: the radius stays
    n = radius * F.normalize(randn(8, 16), dim=-1)
    n32 = n.float().requires_grad_()
    out = layer(n32)
    out.square().sum().backward()
    want = copy.deepcopy(layer).double()(n32.detach().double())
    error = (out.double() - want).norm(dim=-1).max().item()
    # Rounding t = R cos(angle) by eps R turns the direction by as much, which moves a point at R by eps R^2.
    assert error <= torch.finfo(torch.float32).eps * radius * max(4.0, radius)
    assert n32.grad.isfinite().all() and layer.weight.grad.isfinite().all()
    if radius < 66:  # beyond, the derivative of asinh(a) = 1/a is taken for 0
        # d|out|^2/dn = 2n for an isometry that keeps the origin.
        torch.testing.assert_close(n32.grad, 2 * n32.detach(), rtol=1e-3, atol=1e-3 * radius)


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16))
def test_nothing_is_nan_far_out(dtype):
    layer = hnn.HLinear(8, 8, NormalCoordinates(1.0), clip=None, gain=4.0).to(dtype)
    for radius in (0.0, 44.0, 90.0, 1e4):
        n = (radius * F.normalize(randn(4, 8), dim=-1)).to(dtype).requires_grad_()
        out = layer(n)
        out.float().sum().backward()
        assert out.isfinite().all() and n.grad.isfinite().all()


@pytest.mark.parametrize("relu, gain, low, high", [(True, 2**0.5, 0.2, 1.0), (False, 1.0, 0.999, 1.001)])
def test_orthogonal_initialisation_keeps_the_radius_through_20_layers(relu, gain, low, high):
    torch.manual_seed(0)
    M = NormalCoordinates(1.0)
    n = F.normalize(torch.randn(32, 256), dim=-1)
    for _ in range(20):
        n = hnn.HLinear(256, 256, M, gain=gain)(n)
        n = hnn.HReLU(M)(n) if relu else n
    assert low < n.norm(dim=-1).mean() < high


def test_the_initialisation_of_hnn_plus_plus_loses_the_radius():
    torch.manual_seed(0)
    n, M = F.normalize(torch.randn(32, 256), dim=-1), NormalCoordinates(1.0)
    for _ in range(20):
        n = hnn.HReLU(M)(hnn.HLinear(256, 256, M, init="hnn++")(n))
    n = n.double()  # float32 squares underflow
    assert 0 < n.norm(dim=-1).mean() < 1e-20


# --- torch's tools ---------------------------------------------------------------------------------------------------


@every_layer
def test_copies_dtypes_and_state(make, shape, dim, out_dim):
    layer = seeded(lambda: make(PoincareBall(Curvature(0.7)))).eval()
    x = layer.manifold.from_normal(randn(*shape), dim=dim)
    want = layer(x)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    fresh = make(PoincareBall(Curvature(3.0))).double().eval()
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    others = [copy.deepcopy(layer), fresh]
    if "lambda" not in repr(getattr(layer, "function", "")):
        others.append(pickle.loads(pickle.dumps(layer)))
    for other in others:
        assert torch.equal(other(x), want)
    assert layer.float()(x.float()).dtype == torch.float32
    half = layer.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16 and half.isfinite().all()
    assert layer.manifold.c.dtype == torch.float64 and layer.manifold.c.item() == 0.7


@pytest.mark.slow
@pytest.mark.parametrize("name", ("convolution 2d", "relu", "batch norm 2d", "attention"))
def test_compile_takes_the_whole_graph(name):
    torch._dynamo.reset()
    make, shape, _, _ = LAYERS[name]
    layer = seeded(lambda: make(NormalCoordinates(1.3))).eval()
    n = randn(*shape).requires_grad_()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    want, got = layer(n), compiled(n)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-13)
    (g,) = torch.autograd.grad(got.square().sum(), n)
    torch.testing.assert_close(g, torch.autograd.grad(want.square().sum(), n)[0], rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@every_layer
def test_every_layer_is_one_graph(make, shape, dim, out_dim):
    torch._dynamo.reset()
    layer = seeded(lambda: make(PoincareBall(1.3))).eval()
    x = layer.manifold.from_normal(randn(*shape), dim=dim)
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), layer(x), rtol=1e-12, atol=1e-13)


def test_func_transforms():
    layer = seeded(lambda: hnn.HConvolution2d(2, 3, 2, NormalCoordinates(1.3)))
    parameters = {k: v.detach() for k, v in layer.named_parameters()}
    n = randn(4, 2, 3, 3)

    def loss(parameters, n):
        return torch.func.functional_call(layer, parameters, (n,)).square().sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, n)
    for i in range(4):
        alone = torch.func.grad(loss)(parameters, n[i])
        for name in parameters:
            torch.testing.assert_close(per_sample[name][i], alone[name], rtol=1e-10, atol=1e-12)
    ensemble = {k: torch.stack([v, 1.5 * v]) for k, v in parameters.items()}
    both = torch.func.vmap(lambda p: torch.func.functional_call(layer, p, (n,)))(ensemble)
    torch.testing.assert_close(both[0], layer(n), rtol=1e-12, atol=1e-13)
    linear = seeded(lambda: hnn.HLinear(3, 2, NormalCoordinates(1.3)))
    x = randn(3)
    want = torch.autograd.functional.jacobian(linear, x)
    for transform in (torch.func.jacrev(linear)(x), torch.autograd.functional.jacobian(linear, x, vectorize=True)):
        torch.testing.assert_close(transform, want, rtol=1e-12, atol=1e-13)
    hessian = torch.autograd.functional.hessian(lambda x: linear(x).square().sum(), x)
    torch.testing.assert_close(
        torch.func.jacrev(torch.func.jacrev(lambda x: linear(x).square().sum()))(x), hessian, rtol=1e-10, atol=1e-10
    )


def test_autocast_keeps_the_functions_in_float32():
    torch.manual_seed(0)
    layer = hnn.HConvolution2d(8, 8, 3, NormalCoordinates(1.0))
    n = 2 * randn(2, 8, 6, 6, dtype=torch.float32)
    want = layer(n)
    with torch.autocast("cpu", torch.bfloat16):
        got = layer(n)
    assert got.dtype == torch.float32
    assert ((got - want).norm(dim=1) / want.norm(dim=1)).max() < 2e-2


# --- what users see --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, shape, words",
    [
        (lambda M: hnn.HLinear(5, 4, M), (3, 4), "HLinear expects points of dimension 5"),
        (lambda M: hnn.HConvolution2d(3, 4, 2, M), (2, 4, 5, 5), "HConvolution2d expects points of dimension 3"),
        (lambda M: hnn.HConvolution2d(3, 4, 2, M), (3, 5), "HConvolution2d expects points of dimension 3"),
        (lambda M: hnn.HBatchNorm1d(3, M), (4, 2), "HBatchNorm1d expects points of dimension 3"),
        (lambda M: hnn.HBatchNorm1d(3, M), (1, 3), "more than one point"),
        (lambda M: hnn.HMLR(3, 4, M, dim=1), (4, 2, 5, 5), "HMLR expects points of dimension 3"),
        (hnn.HReLU, (4, 3, 2), "dim=1 for"),
        (lambda M: hnn.HResidual(hnn.HLinear(3, 2, M)), (4, 3), "must keep the shape"),
        (
            lambda M: hnn.HConvolution2d(3, 4, 5, M),
            (2, 3, 4, 4),
            r"HConvolution2d: windows of size \(5, 5\)",
        ),
        (lambda M: hnn.LorentzConvolution2d(3, 4, 5, M), (2, 3, 4, 4), "LorentzConvolution2d: windows"),
        (lambda M: hnn.HMaxPool2d(2, M), (4, 3), "HMaxPool2d expects 2 dimensions after the coordinates"),
        (lambda M: hnn.HAvgPool2d(3, M), (4, 3, 2, 2), r"HAvgPool2d: windows of size \(3, 3\) do not fit"),
        (hnn.HFlatten, (3,), "HFlatten expects images"),
        (lambda M: hnn.HAttention(3, M), (3,), "HAttention expects sequences"),
        (lambda M: hnn.MobiusLinear(4, 3, M), (2, 3), "MobiusLinear expects points of dimension 4"),
        (lambda M: hnn.LorentzLinear(4, 3, M), (2, 3), "LorentzLinear expects points of dimension 4"),
    ],
)
def test_shape_errors_name_the_layer(make, shape, words):
    with pytest.raises(ValueError, match=words):
        make(NormalCoordinates(1.0))(torch.zeros(shape))


def test_constructor_errors():
    M = NormalCoordinates(1.0)
    with pytest.raises(TypeError, match="manifold must be"):
        hnn.HLinear(3, 4, 1.0)
    for make in (hnn.HLinear, hnn.LorentzFullyConnected, lambda *a, **o: hnn.HConvolution2d(*a[:2], 1, M, **o)):
        with pytest.raises(ValueError, match="clip must be > 0"):
            make(3, 4, M, clip=0.0)
    with pytest.raises(ValueError, match="radius must be > 0"):
        hnn.HClip(M, -1.0)
    with pytest.raises(ValueError, match="init must be"):
        hnn.HLinear(3, 4, M, init="xavier")
    with pytest.raises(ValueError, match="share one manifold"):
        hnn.HSequential(hnn.HLinear(3, 3, M), hnn.HReLU(NormalCoordinates(1.0)))
    with pytest.raises(ValueError, match="only the last"):
        hnn.HSequential(hnn.HMLR(3, 3, M), hnn.HReLU(M))
    with pytest.raises(ValueError, match="divisible"):
        hnn.HAttention(5, M, heads=2)
    with pytest.raises(ValueError, match="kernel_size"):
        hnn.HConvolution2d(3, 4, (1, 2, 3), M)


def test_sequential_may_end_in_a_classifier():
    ball = PoincareBall(1.0)
    layers = [hnn.HLinear(3, 4, ball), hnn.HReLU(ball), hnn.HMLR(4, 2, ball)]
    x = ball.from_normal(randn(5, 3, dtype=torch.float32))
    want = nn.Sequential(*layers)(x)
    torch.testing.assert_close(hnn.HSequential(*layers)(x), want)


def test_repr_tells_sizes():
    M = PoincareBall(Curvature(0.5))
    assert "HLinear(\n  3, 4, bias=True, clip=12.0" in repr(hnn.HLinear(3, 4, M))
    assert "kernel_size=(5, 5)" in repr(hnn.HConvolution2d(3, 4, 5, M))
