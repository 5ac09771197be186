"""Residual networks and `hyplearn train cnn`: charts, flat limits, parameters, radii through depth, scores."""

import copy
import itertools
import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import TensorDataset

import hyplearn.layers as hnn
from hyplearn.cli import main
from hyplearn.experiments import cnn
from hyplearn.experiments.cnn import CNNExperiment, attack, prepared, seen
from hyplearn.manifolds import HalfSpace, Hemisphere, Klein, Lorentz, NormalCoordinates, PoincareBall
from hyplearn.networks import LorentzResNet, PoincareResNet, ResNet

float64 = torch.float64
hyperbolic = pytest.mark.parametrize("network", (PoincareResNet, LorentzResNet))
scales = pytest.mark.parametrize("per_axis", (True, False))


def randn(*size, seed=0, dtype=float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def shaken(network):
    """The network in float64 with every parameter and running value moved a little, so that none is 0 or 1."""
    network = network.double()
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn_like(p))
        for module in network.modules():
            if isinstance(module, hnn.HBatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return network


# --- the plan ---------------------------------------------------------------------------------------------------------


@scales
@pytest.mark.parametrize("depth, width, dim", [(8, 4, None), (14, 8, 2), (20, 16, 100)])
def test_hyperbolic_convolutions_have_one_number_more_for_each_channel(depth, width, dim, per_axis):
    """An offset of the plane, or a weight of the time. The published normalisation has one gain for all channels."""
    options = {"depth": depth, "width": width, "classes": 7, "dim": dim}
    flat = ResNet(**options)
    convolutions = [m for m in flat.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == depth - 1 + 2  # the classifier is none, and two shortcuts have one
    more = sum(m.out_channels for m in convolutions)
    gains_lost = 0 if per_axis else sum(m.out_channels - 1 for m in convolutions)
    for network in (PoincareResNet, LorentzResNet):
        net = network(PoincareBall(), **options, per_axis=per_axis)
        counted = sum(p.numel() for p in net.parameters()) - sum(p.numel() for p in flat.parameters())
        assert counted == more - gains_lost
        norms = [m for m in net.modules() if isinstance(m, hnn.HBatchNorm2d)]
        shapes = [(m.out_channels,) if per_axis else () for m in convolutions]
        assert sorted(m.weight.shape for m in norms) == sorted(shapes)
        assert net.head.weight.shape == (7, dim or 4 * width)


def test_resnet_20_has_the_published_size():
    """0.27 million (He et al. 2016, table 6), which with projections in the two wider shortcuts is 272,474."""
    assert sum(p.numel() for p in ResNet(20).parameters()) == 272_474


@pytest.mark.parametrize("depth", (2, 18, 21))
def test_other_depths_are_refused(depth):
    with pytest.raises(ValueError, match=f"depth must be 6n \\+ 2 .* got {depth}"):
        ResNet(depth)


# --- one function in every chart --------------------------------------------------------------------------------------


@hyperbolic
@pytest.mark.parametrize("c, per_axis", [(0.1, True), (1.0, False), (10.0, True)])
@pytest.mark.parametrize("chart", (PoincareBall, Lorentz, Klein, HalfSpace, Hemisphere))
def test_every_chart_is_the_same_function(network, chart, c, per_axis):
    torch.manual_seed(0)
    images = randn(3, 3, 8, 8) / c**0.5
    net = shaken(network(NormalCoordinates(c), 8, 2, 5, 3, per_axis))
    other = network(chart(c), 8, 2, 5, 3, per_axis).double()
    other.load_state_dict(net.state_dict())
    for training in (False, True):  # training moves the running values
        net.train(training), other.train(training)
        want = net(images)
        x = other.points(images)
        for layer in other.features.layers:  # each by itself, points of the chart in between
            x = layer(x)
        torch.testing.assert_close(other.head(x), want, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(other(images), want, rtol=1e-9, atol=1e-9)


def limit(layer, x):
    """What a layer tends to as c -> 0, in plain torch."""
    if isinstance(layer, hnn.HSequential):
        body = x
        for inner in layer.layers:
            body = limit(inner, body)
        if not isinstance(layer, hnn.HResidual):
            return body
        return body + (x if layer.shortcut is None else limit(layer.shortcut, x))
    if isinstance(layer, hnn.HConvolution2d):
        offset = -4 * layer.weight.flatten(1).norm(dim=1) * layer.bias
        return F.conv2d(x, 2 * layer.beta * layer.weight, offset, layer.stride, layer.padding)
    if isinstance(layer, hnn.LorentzConvolution2d):
        return F.conv2d(x, layer.weight, None, layer.stride, layer.padding)
    if isinstance(layer, hnn.HBatchNorm2d):
        if layer.per_axis:
            return F.batch_norm(x, None, None, layer.weight, layer.bias, training=True, eps=layer.eps)
        centred = x - x.mean((0, 2, 3), keepdim=True)
        var = centred.square().sum(1).mean()
        return centred * layer.weight / (var + layer.eps).sqrt() + layer.bias.view(-1, 1, 1)
    if isinstance(layer, hnn.LorentzMLR):
        return x @ layer.weight.T - layer.weight.norm(dim=1) * layer.bias
    if isinstance(layer, hnn.HMLR):
        return 2 * x @ layer.weight.T - 4 * layer.weight.norm(dim=1) * layer.bias
    return {hnn.HAvgPool2d: lambda x: x.mean((2, 3)), hnn.HFlatten: lambda x: x}.get(type(layer), torch.relu)(x)


@hyperbolic
@scales
def test_small_curvature_is_a_flat_network(network, per_axis):
    torch.manual_seed(0)
    c = 1e-9
    net, images = shaken(network(NormalCoordinates(c), 8, 2, 5, per_axis=per_axis)), randn(3, 3, 8, 8)
    if network is LorentzResNet:
        images *= 1e-4  # c leaves the lengths of pixels in units of 1/sqrt(c) as they are
        for layer in net.modules():
            if isinstance(layer, hnn.LorentzConvolution2d):
                torch.nn.init.zeros_(layer.time)  # t = 1/sqrt(c)
    pixels = 2 * images if network is PoincareResNet else images / c**0.5
    want = limit(net.head, limit(net.features, pixels))
    torch.testing.assert_close(net(images), want, rtol=1e-5, atol=1e-6)


# --- radius, steps, numbers -------------------------------------------------------------------------------------------


def radii(net, size=16):
    """sqrt(c) times the mean distance from the origin, behind each layer."""
    x, path = net.points(randn(8, 3, size, size, dtype=torch.float32)), []
    with torch.no_grad():
        for layer in net.features.layers:
            x = layer(x)
            path.append(net.manifold.c.item() ** 0.5 * x.norm(dim=1).mean().item())
    return path[1:]  # the first layer takes the pixels as they are


@hyperbolic
@pytest.mark.parametrize("c", (0.1, 1.0, 10.0))
@pytest.mark.parametrize("depth, width", [(20, 8), (8, 64), pytest.param(56, 8, marks=pytest.mark.slow)])
def test_the_radius_starts_at_one_over_root_c(network, c, depth, width):
    torch.manual_seed(0)
    found = radii(network(NormalCoordinates(c), depth, width, 10))
    assert 0.4 < min(found) and max(found) < 2, found


@hyperbolic
@pytest.mark.parametrize("c", (0.1, 1.0, 10.0))
def test_with_one_scale_it_starts_at_one(network, c):
    torch.manual_seed(0)
    found = radii(network(NormalCoordinates(c), 20, 8, 10, per_axis=False))
    assert 0.5 * min(c**0.5, 1) < min(found) and max(found) < 2 * max(c**0.5, 1), found


@hyperbolic
@scales
@pytest.mark.parametrize("lr", (0.1, 1.0))
def test_no_step_is_too_long_for_finite_numbers(network, lr, per_axis):
    """Adam at rates at which nothing is learned any more."""
    torch.manual_seed(0)
    net = network(NormalCoordinates(0.1), 8, 4, 5, per_axis=per_axis)
    optimizer = torch.optim.Adam(net.parameters(), lr)
    images, labels = randn(8, 3, 8, 8, dtype=torch.float32), torch.arange(8) % 5
    for _ in range(8):
        loss = F.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert loss.isfinite() and all(p.isfinite().all() for p in net.parameters())
    assert net.eval()(images).isfinite().all()


@hyperbolic
def test_float32_agrees_with_float64_and_copies_are_equal(network):
    torch.manual_seed(0)
    net, images = network(NormalCoordinates(1.0), 14, 4, 5, 3), randn(4, 3, 8, 8, dtype=torch.float32)
    want = copy.deepcopy(net).double()(images.double())
    assert ((net(images) - want).norm(dim=1) / want.norm(dim=1)).max() < 1e-4
    fresh = network(NormalCoordinates(2.0), 14, 4, 5, 3)
    fresh.load_state_dict(net.state_dict())
    assert torch.equal(fresh.eval()(images), net.eval()(images))
    assert net.embed(images).shape == (4, 3)


# --- the experiment ---------------------------------------------------------------------------------------------------


def tiny():
    """Data of 40, 10, 20 and 15 pictures of shapes, 8 x 8."""
    pictures = [cnn.shapes(cnn.KNOWN, n, seed, 8) for seed, n in enumerate((50, 20))]
    train, test = (TensorDataset(2 * x - 1, y) for x, y in pictures)
    return prepared(train, test, cnn.shapes(cnn.STRANGE, 15, 2, 8)[0], cnn.KNOWN)


def test_parts_share_nothing_and_have_the_same_units():
    data = tiny()
    assert [len(part) for part in data[:3]] == [45, 5, 20]
    everything = torch.cat([part[:][0] for part in data[:3]])
    assert torch.equal(data.about.high.flatten(), everything.amax((0, 2, 3)))
    assert torch.equal(data.about.low.flatten(), everything.amin((0, 2, 3)))
    span = data.about.high - data.about.low
    pixels = cnn.shapes(cnn.STRANGE, 15, 2, 8)[0]
    torch.testing.assert_close((data.about.strange - data.about.low) / span, pixels)
    assert not set(cnn.KNOWN) & set(cnn.STRANGE)


@pytest.mark.parametrize("name", ("fgsm", "pgd"))
def test_noise_has_its_size_in_255ths_of_the_brightness(name):
    data, net = tiny(), ResNet(8, 2, 6)
    images, labels = data.test[:]
    noisy = attack(name, net, images, labels, data.about, 2.0)
    share = (noisy - images).abs() / (data.about.high - data.about.low)
    assert share.max().item() == pytest.approx(2 / 255, rel=1e-3)
    assert torch.equal(noisy, attack(name, net, images, labels, data.about, 2.0))


def test_scores_are_what_the_network_says():
    data = tiny()
    experiment = CNNExperiment(width=2, dim=2)
    torch.manual_seed(0)
    net = experiment.network(data)
    scores = experiment.scores(net, data.test, data)
    assert next(iter(scores)) == "accuracy" and {"auroc_distance", "auroc_energy", "auroc_probability"} < set(scores)
    images, labels = data.test[:]
    assert scores["accuracy"] == pytest.approx((net(images).argmax(1) == labels).double().mean().item())
    far = [seen(net, x).points.norm(dim=1) for x in (images, data.about.strange)]
    pairs = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(*(d.tolist() for d in far))]
    assert scores["auroc_distance"] == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize(
    "options", (["--dim", "2"], ["--lorentz", "--chart", "ball", "--one-scale"], ["--flat", "--dim", "2"])
)
def test_the_command_trains_and_draws(tmp_path, monkeypatch, capsys, options):
    monkeypatch.setattr(CNNExperiment, "load", lambda self: tiny())
    monkeypatch.setattr(cnn, "ATTACKED", 6)
    assert main(["train", "cnn", "--width", "2", "--epochs", "2", "--out", str(tmp_path), "--json", *options]) == 0
    report = json.loads(capsys.readouterr().out)
    assert 0 <= report["accuracy"] <= 1 and 0 <= report["validation"]["pgd"] <= 1
    pictures = {path.stem for path in tmp_path.glob("*.svg")}
    assert pictures == {"curve", "confidence", "noise"} | ({"embedding"} if "--dim" in options else set())


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="flat and lorentz exclude each other"):
        replace(CNNExperiment(), flat=True, lorentz=True)
    with pytest.raises(ValueError, match="flat and one_scale exclude each other"):
        replace(CNNExperiment(), flat=True, one_scale=True)
    with pytest.raises(ValueError, match="epsilon must be > 0, got 0"):
        CNNExperiment(epsilon=0)
    with pytest.raises(ValueError, match="share the manifold object"):
        hnn.HResidual(hnn.HReLU(PoincareBall()), shortcut=hnn.HReLU(PoincareBall()))
