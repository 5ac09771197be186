"""What a GPU must not change: scenes, maps, networks and their gradients, training, and the commands."""

import copy
import json

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import TensorDataset

import hyplearn.layers as hnn
from hyplearn.cli import main
from hyplearn.data.scenes import draw_scenes
from hyplearn.manifolds import HalfSpace, Hemisphere, Klein, Lorentz, NormalCoordinates, PoincareBall
from hyplearn.networks import HNet, LorentzResNet, PoincareResNet, ResNet, SegmentationNet
from hyplearn.training import fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
CHARTS = (NormalCoordinates, PoincareBall, Lorentz, Klein, HalfSpace, Hemisphere)


def randn(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_scenes_are_the_same_but_for_edges():
    scenes = draw_scenes(64, (2, 5), seed=3)
    (pixels, front), (other, other_front) = scenes.render(64), scenes.render(64, device="cuda")
    assert (pixels - other.cpu()).abs().max() < 1 / 255
    assert (front != other_front.cpu()).double().mean() < 1e-3


@pytest.mark.parametrize("c", (0.1, 1.0, 10.0))
@pytest.mark.parametrize("chart", CHARTS)
def test_maps_agree(chart, c):
    M = chart(c)
    n, m = (3 / c**0.5 * randn(100, 4, seed=seed) / 2 for seed in (0, 1))
    x, y = M.from_normal(n), M.from_normal(m)
    on_gpu = chart(c).cuda()
    for got, want in (
        (on_gpu.dist(x.cuda(), y.cuda()), M.dist(x, y)),
        (on_gpu.logmap(x.cuda(), y.cuda()), M.logmap(x, y)),
        (on_gpu.expmap(x.cuda(), on_gpu.logmap(x.cuda(), y.cuda())), y),
    ):
        torch.testing.assert_close(got.cpu(), want, rtol=1e-7, atol=1e-9)


NETWORKS = {
    "HNet": lambda: HNet(NormalCoordinates(1.0)),
    "Poincare ResNet": lambda: PoincareResNet(NormalCoordinates(0.1), 8, 4),
    "Poincare ResNet, one scale": lambda: PoincareResNet(NormalCoordinates(0.1), 8, 4, per_axis=False),
    "Lorentz ResNet": lambda: LorentzResNet(Lorentz(0.1), 8, 4),
    "ResNet": lambda: ResNet(8, 4),
    "segmentation": lambda: SegmentationNet(8, 7, NormalCoordinates(1.0), 8, 0.0, fully=True),
    "attention": lambda: hnn.HAttention(8, NormalCoordinates(1.0)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_and_their_gradients_agree(name):
    torch.manual_seed(0)
    network = NETWORKS[name]().double()
    twin = copy.deepcopy(network).cuda()
    x = randn(4, 5, 8) if name == "attention" else 0.3 * randn(4, 3, 32, 32)
    for model, batch in ((network, x), (twin, x.cuda())):
        model(batch).square().mean().backward()
    torch.testing.assert_close(twin(x.cuda()).cpu(), network(x), rtol=1e-8, atol=1e-9)
    for (what, p), q in zip(network.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(q.grad.cpu(), p.grad, rtol=1e-7, atol=1e-9, msg=lambda text, what=what: what + text)


@pytest.mark.slow
@pytest.mark.parametrize("options", ({}, {"compile": True}, {"precision": "bfloat16"}))
def test_training_learns(options):
    torch.manual_seed(0)
    M = NormalCoordinates(1.0)
    model = torch.nn.Sequential(hnn.HLinear(4, 16, M), hnn.HReLU(M), hnn.HMLR(16, 2, M))
    x = torch.randn(500, 4)
    data, optimizer = TensorDataset(x, (x[:, 0] * x[:, 1] > 0).long()), torch.optim.Adam(model.parameters(), 1e-2)
    options |= {"epochs": 20, "device": "cuda", "progress": False}
    history = fit(model, data, F.cross_entropy, optimizer, **options)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert next(model.parameters()).is_cuda


SMALL = {
    "hnet": ["--epochs", 1],
    "fewshot": ["--episodes", 5],
    "zeroshot": ["--images", 200],
    "actions": ["--clips", 100],
    "cnn": ["--width", 4],
    "segmentation": ["--images", 100],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_commands_run(name, tmp_path, capsys):
    arguments = ["--epochs", 1, *SMALL[name], "--device", "cuda", "--out", tmp_path / "run", "--json"]
    assert main(["train", name, *map(str, arguments)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert all(0 <= value <= 1 for key, value in report["validation"].items() if "accuracy" in key)
    assert (tmp_path / "run" / "model.pt").exists() and report["device"] == "cuda"
