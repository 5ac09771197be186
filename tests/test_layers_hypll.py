"""The layers against HypLL's in float64, where HypLL is right, and its bugs, which ours must not have.

HypLL's Curvature(v)() is softplus(v), so c is handed over with the identity in place of softplus; it projects points to
sqrt(c) d <= 12.2, so inputs stay within.
"""

import copy
import io

import pytest
import torch
from torch import nn

import hyplearn.layers as hnn
from hyplearn.manifolds import Curvature, NormalCoordinates, PoincareBall
from hyplearn.networks import HNet

hypll = pytest.importorskip("hypll", reason="HypLL is not installed (the extra [bench])")
import hypll.nn as hl  # noqa: E402
from hypll.manifolds.poincare_ball import Curvature as HypllCurvature  # noqa: E402
from hypll.manifolds.poincare_ball import PoincareBall as HypllBall  # noqa: E402
from hypll.tensors import ManifoldTensor  # noqa: E402

CURVATURES = (0.1, 0.5, 1.0, 2.0, 10.0)
float64 = torch.float64


@pytest.fixture(autouse=True)
def in_float64():
    torch.set_default_dtype(float64)  # HypLL's parameters know no .double()
    yield
    torch.set_default_dtype(torch.float32)


def pair(c):
    curvature = HypllCurvature(c, constraining_strategy=lambda value: value)
    curvature.value = nn.Parameter(torch.tensor(c), requires_grad=False)  # it stores float32
    return PoincareBall(c), HypllBall(curvature)


def points(ball, *size, dim=-1, seed=0, scale=1.0):
    n = torch.randn(*size, generator=torch.Generator().manual_seed(seed))
    return ball.from_normal(scale * n / ball.c.sqrt(), dim=dim)


def copy_weights(ours, theirs):
    """Random weights for HypLL's layer, and the same for ours."""
    z = theirs.z if hasattr(theirs, "z") else theirs.weights
    with torch.no_grad():
        z.tensor.normal_(0, 0.4 / z.tensor.shape[0] ** 0.5)
        theirs.bias.normal_(0, 0.1)
        ours.weight.copy_(z.tensor.T.reshape(ours.weight.shape))
        ours.bias.copy_(theirs.bias)


def run(theirs, x, dim=-1):
    return theirs(ManifoldTensor(x, manifold=theirs.manifold, man_dim=dim)).tensor


@pytest.mark.parametrize("c", CURVATURES)
def test_linear(c):
    ball, other = pair(c)
    ours, theirs = hnn.HLinear(7, 5, ball), hl.HLinear(7, 5, other)
    copy_weights(ours, theirs)
    x = points(ball, 9, 7)
    torch.testing.assert_close(ours(x), run(theirs, x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("stride, padding", [(1, 0), (2, 1)])
def test_convolution(c, stride, padding):
    ball, other = pair(c)
    ours = hnn.HConvolution2d(3, 4, (3, 2), ball, stride=stride, padding=padding)
    theirs = hl.HConvolution2d(3, 4, (3, 2), other, stride=stride, padding=padding)
    copy_weights(ours, theirs)
    x = points(ball, 2, 3, 8, 7, dim=1)
    torch.testing.assert_close(ours(x), run(theirs, x, 1), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("c", CURVATURES)
def test_pooling_activation_and_flattening(c):
    ball, other = pair(c)
    x = points(ball, 2, 3, 6, 6, dim=1)
    y = ManifoldTensor(x, manifold=other, man_dim=1)
    for ours, theirs in (
        (hnn.HMaxPool2d(2, ball, 2), hl.HMaxPool2d(2, other, 2)),
        (hnn.HMaxPool2d(3, ball, 2, 1), hl.HMaxPool2d(3, other, 2, 1)),
        (hnn.HReLU(ball), hl.HReLU(other)),
        (hnn.HFlatten(ball), hl.HFlatten()),
    ):
        torch.testing.assert_close(ours(x), theirs(y).tensor, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("c", CURVATURES)
def test_batch_norm_in_training(c):
    ball, other = pair(c)
    ours, theirs = hnn.HBatchNorm1d(4, ball, eps=1e-6), hl.HBatchNorm(4, other, use_midpoint=True)
    x = points(ball, 20, 4, scale=0.5)
    torch.testing.assert_close(ours(x), run(theirs, x), rtol=1e-10, atol=1e-11)


class HypllHNet(nn.Module):
    """The lecture's program."""

    def __init__(self, ball):
        super().__init__()
        self.conv1, self.conv2 = hl.HConvolution2d(3, 6, 5, ball), hl.HConvolution2d(6, 16, 5, ball)
        self.fc1, self.fc2 = hl.HLinear(400, 120, ball), hl.HLinear(120, 84, ball)
        self.fc3 = hl.HLinear(84, 10, ball)
        self.pool, self.relu = hl.HMaxPool2d(2, ball, 2), hl.HReLU(ball)

    def forward(self, x):
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = self.relu(self.fc1(x.flatten(start_dim=1)))
        return self.fc3(self.relu(self.fc2(x)))


@pytest.mark.parametrize("chart", (PoincareBall, NormalCoordinates))
@pytest.mark.parametrize("c", (0.5, 2.0))
def test_the_whole_network(c, chart):
    ball, other = pair(c)
    M = chart(c)
    ours, theirs = HNet(M), HypllHNet(other)
    for name in ("conv1", "conv2", "fc1", "fc2", "fc3"):
        copy_weights(getattr(ours, name), getattr(theirs, name))
    x = points(ball, 4, 3, 32, 32, dim=1)
    n = M.from_normal(ball.to_normal(x, dim=1), dim=1)
    out = theirs(ManifoldTensor(x, manifold=other, man_dim=1)).tensor
    # Their logits are ball coordinates; ours are signed distances, from which the ball coordinates follow.
    w = torch.sinh(c**0.5 * ours(n)) / c**0.5
    want = w / (1 + (1 + c * w.square().sum(-1, keepdim=True)).sqrt())
    torch.testing.assert_close(want, out, rtol=1e-10, atol=1e-12)
    assert out.norm(dim=-1).min() > 1e-3


# --- its bugs ---------------------------------------------------------------------------------------------------------


def test_hypll_curvature_is_softplus_of_the_value_and_ours_is_the_value():
    assert HypllCurvature(1.0)().item() == pytest.approx(1.3133, abs=1e-4)
    assert hnn.HLinear(2, 2, PoincareBall(Curvature(1.0))).manifold.c.item() == 1.0


def test_hypll_batch_norm_has_no_running_statistics_and_ours_has():
    ball, other = pair(1.0)
    ours, theirs = hnn.HBatchNorm1d(4, ball), hl.HBatchNorm(4, other, use_midpoint=True)
    x, rest = points(ball, 4, 4), points(ball, 12, 4, seed=1, scale=3.0)
    ours(x)
    ours.eval(), theirs.eval()
    batch = torch.cat([x, rest])
    assert (run(theirs, batch)[:4] - run(theirs, x)).abs().max() > 0.1
    torch.testing.assert_close(ours(batch)[:4], ours(x), rtol=1e-12, atol=1e-13)


def test_hypll_average_pool_moves_a_constant_image_and_ours_does_not():
    """It rescales each point as if it were to be concatenated with the others of its window."""
    ball, other = pair(1.0)
    x = points(ball, 1, 3, 1, 1, dim=1).expand(1, 3, 4, 4)
    theirs = hl.HAvgPool2d(2, other, stride=(2, 2), use_midpoint=True)
    assert (run(theirs, x, 1) - x[..., :2, :2]).abs().max() > 0.05
    torch.testing.assert_close(hnn.HAvgPool2d(2, ball)(x), x[..., :2, :2], rtol=1e-12, atol=1e-13)


def test_hypll_projects_float32_points_to_radius_6_and_ours_keeps_them_apart():
    M = NormalCoordinates(1.0)
    layer = hnn.HLinear(2, 2, M, gain=1.0).float()
    n = torch.tensor([[7.0, 0.0], [11.0, 0.0]], dtype=torch.float32)
    torch.testing.assert_close(layer(n).norm(dim=1), torch.tensor([7.0, 11.0], dtype=torch.float32), rtol=1e-5, atol=0)
    torch.set_default_dtype(torch.float32)
    theirs = hl.HLinear(2, 2, HypllBall(HypllCurvature(1.0, constraining_strategy=lambda value: value)))
    out = run(theirs, PoincareBall(1.0).from_normal(n))
    assert PoincareBall(1.0).dist0(out).max() < 6.3


def _weights_only(layer):
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    layer.load_state_dict(torch.load(buffer, weights_only=True))
    return layer


def _adam(layer, x):
    optimizer = torch.optim.Adam(layer.parameters())
    out = layer(x)
    (out if isinstance(out, torch.Tensor) else out.tensor).sum().backward()
    optimizer.step()


@pytest.mark.parametrize(
    "use",
    [
        lambda layer, x: copy.deepcopy(layer),
        lambda layer, x: _weights_only(layer),
        lambda layer, x: layer.double(),
        _adam,
        lambda layer, x: torch.compile(layer, fullgraph=True, backend="eager")(x),
    ],
    ids=["deepcopy", "weights_only", "double", "torch.optim.Adam", "compile"],
)
def test_hypll_tensors_break_torchs_tools_and_ours_are_tensors(use):
    torch._dynamo.reset()
    ball, other = pair(1.0)
    x = points(ball, 4, 3)
    use(hnn.HLinear(3, 2, ball), x)
    with pytest.raises(Exception, match=r"Manifold(Parameter|Tensor)|Weights only|torch function"):
        use(hl.HLinear(3, 2, other), ManifoldTensor(x, manifold=other))
