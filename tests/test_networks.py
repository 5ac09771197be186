"""Whole networks: the same function in every chart, and at home in torch."""

import copy
import io

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hyplearn.manifolds import Curvature, HalfSpace, Hemisphere, Lorentz, NormalCoordinates, PoincareBall
from hyplearn.networks import HNet, Net


@pytest.fixture
def images():
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def same(net, M, **options):
    other = HNet(M, **options).double()
    other.load_state_dict(net.state_dict())
    return other


@pytest.mark.parametrize("c", (0.1, 1.0, 10.0))
@pytest.mark.parametrize("chart", (PoincareBall, Lorentz, HalfSpace, Hemisphere))
def test_hnet_is_the_same_function_in_every_chart(images, chart, c):
    torch.manual_seed(0)
    curvature = Curvature(c)
    net, M = HNet(NormalCoordinates(curvature)).double(), chart(curvature)
    # Pixels from the origin to sqrt(c) d = 12.
    n = images * (12 / c**0.5 * torch.rand(4, 1, 32, 32, dtype=torch.float64) / images.norm(dim=1, keepdim=True))
    want = net(n)
    got = same(net, M)(M.from_normal(n, dim=1))
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9 * max(1, c**-0.5))
    assert want.std() > 1e-3


def test_gradients_agree_between_charts(images):
    torch.manual_seed(0)
    net, M = HNet(NormalCoordinates(1.0)).double(), PoincareBall(1.0)
    other, y = same(net, M), torch.tensor([1, 2, 3, 4])
    F.cross_entropy(net(2 * images), y).backward()
    F.cross_entropy(other(M.from_normal(2 * images, dim=1)), y).backward()
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-8, atol=1e-10)


def test_flat_twin_is_the_limit_of_small_curvature(images):
    """As c -> 0 each layer is flat with weight 2z, times the beta factor where it concatenates points."""
    net, flat = HNet(NormalCoordinates(1e-9)).double(), Net().double()
    flat.load_state_dict({name: torch.zeros_like(p) for name, p in flat.state_dict().items()})
    with torch.no_grad():
        for name in ("conv1", "conv2", "fc1", "fc2", "fc3"):
            layer = getattr(net, name)
            getattr(flat, name).weight.copy_(2 * layer.weight * getattr(layer, "beta", 1.0))
        from hyplearn.layers.convolution import beta_ratio

        flat.fc1.weight.mul_(beta_ratio(25, 16))
    torch.testing.assert_close(net(images), flat(images), rtol=1e-6, atol=1e-7)


def test_the_two_networks_have_the_same_parameters():
    shapes = [[tuple(p.shape) for p in net.parameters()] for net in (Net(), HNet(PoincareBall(1.0)))]
    assert sorted(shapes[0]) == sorted(shapes[1])


def test_float32_agrees_with_float64(images):
    torch.manual_seed(0)
    net = HNet(NormalCoordinates(1.0))
    want = copy.deepcopy(net).double()(images.float().double() * 2)
    error = (net(images.float() * 2).double() - want).norm(dim=1) / want.norm(dim=1)
    assert error.max() < 1e-5


def test_options_reach_the_layers():
    net = HNet(NormalCoordinates(1.0), classes=7, clip=None, init="hnn++")
    assert net.conv1.clip is None and net.fc3.init == "hnn++" and net.fc3.weight.shape == (7, 84)
    assert HNet(NormalCoordinates(1.0)).fc2.clip == 12.0


@pytest.mark.parametrize("learnable", (False, True))
def test_one_curvature_is_shared_trained_and_saved(images, learnable):
    torch.manual_seed(0)
    net = HNet(NormalCoordinates(Curvature(0.7, learnable)))
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    x, y = 2 * images.float(), torch.tensor([0, 1, 2, 3])
    losses = []
    for _ in range(12):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert (net.conv1.manifold.c == net.fc3.manifold.c).item() and (net.fc1.manifold.c.item() != 0.7) == learnable
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    buffer.seek(0)
    fresh = HNet(NormalCoordinates(Curvature(1.0, learnable)))
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(fresh(x), net(x)) and torch.equal(copy.deepcopy(net)(x), net(x))


def test_bfloat16(images):
    torch.manual_seed(0)
    net, x = HNet(NormalCoordinates(1.0)), 2 * images.float()
    want = net(x)
    with torch.autocast("cpu", torch.bfloat16):
        got = net(x)
    assert ((got - want).norm(dim=1) / want.norm(dim=1)).max() < 3e-2
    half = net.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16 and ((half - want).norm(dim=1) / want.norm(dim=1)).max() < 6e-2


@pytest.mark.slow
def test_compile_and_export(images):
    torch.manual_seed(0)
    torch._dynamo.reset()
    net = HNet(NormalCoordinates(1.0)).double()
    want = net(images)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(images), want, rtol=1e-12, atol=1e-13)
    exported = torch.export.export(net, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.testing.assert_close(exported.module()(images[:3]), want[:3], rtol=1e-12, atol=1e-13)


def _train_one_step(rank, path, images):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{path}/store", rank=rank, world_size=2)
    torch.manual_seed(0)
    net = HNet(NormalCoordinates(Curvature(1.0, learnable=True))).double()
    wrapped = nn.parallel.DistributedDataParallel(net)
    part = slice(2 * rank, 2 * rank + 2)
    F.cross_entropy(wrapped(images[part]), torch.tensor([1, 2, 3, 4])[part]).backward()
    if rank == 0:
        torch.save([p.grad for p in net.parameters()], f"{path}/grads")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_data_parallel_gradients_are_those_of_the_whole_batch(images, tmp_path):
    if not torch.distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    torch.multiprocessing.spawn(_train_one_step, (str(tmp_path), images), nprocs=2)
    torch.manual_seed(0)
    net = HNet(NormalCoordinates(Curvature(1.0, learnable=True))).double()
    F.cross_entropy(net(images), torch.tensor([1, 2, 3, 4])).backward()
    for p, grad in zip(net.parameters(), torch.load(tmp_path / "grads"), strict=True):
        torch.testing.assert_close(p.grad, grad, rtol=1e-10, atol=1e-12)
