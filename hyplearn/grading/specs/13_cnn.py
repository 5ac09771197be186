"""Exercises of lecture 13: a residual network. Curvature is -c; points are those of the ball, or n = d u.

Mistakes may use the helpers of the notebook's set-up cell, which are defined here under the same names.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

F64 = torch.float64


def _tensor(*numbers) -> Tensor:
    return torch.tensor(numbers, dtype=F64)


# --- the helpers of the notebook --------------------------------------------------------------------------------------


def over(f, x: Tensor) -> Tensor:
    """f(x)/x for x >= 0, and 1 at 0, for f = sinh, asinh, tanh or atanh."""
    safe = torch.where(x > 0, x, 1.0)
    return torch.where(x > 0, f(safe) / safe, 1.0)


def exp0(v: Tensor, c: float) -> Tensor:
    return over(torch.tanh, math.sqrt(c) * v.norm(dim=-1, keepdim=True)) * v


def log0(x: Tensor, c: float) -> Tensor:
    return over(torch.atanh, math.sqrt(c) * x.norm(dim=-1, keepdim=True)) * x


def mobius_add(x: Tensor, y: Tensor, c: float) -> Tensor:
    xy, xx, yy = ((a * b).sum(-1, keepdim=True) for a, b in ((x, y), (x, x), (y, y)))
    return ((1 + 2 * c * xy + c * yy) * x + (1 - c * xx) * y) / (1 + 2 * c * xy + c * c * xx * yy)


def midpoint(x: Tensor, c: float) -> Tensor:
    factor = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    y = (factor * x).sum(-2) / (factor - 1).sum(-2)
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


# --- energy: the warm-up ----------------------------------------------------------------------------------------------


def energy(logits: Tensor, temperature: float) -> Tensor:
    return -temperature * torch.logsumexp(logits / temperature, -1)


def _energy_cases(draw):
    yield Case((_tensor(1.0, 2.0, 0.0), 1.0), "one image, three classes")
    yield Case((_tensor(1.0, 2.0, 0.0), 2.0), "one image, temperature 2")
    yield Case((2 * draw.normal(5, 4), 0.5), "a batch of 5")
    yield Case((2 * draw.normal(2, 3, 4), 2.0), "a batch of 2 x 3")
    yield Case((draw.normal(4, 1), 2.0), "a single class", edge=True)
    yield Case((500 + draw.normal(3, 4), 1.0), "logits about 500", edge=True)
    yield Case((-2000 + draw.normal(3, 4), 1.0), "logits about -2000", edge=True)


@mistake("The sign is flipped: known images have large logits and a low energy.")
def energy_upside_down(logits, temperature):
    return temperature * torch.logsumexp(logits / temperature, -1)


@mistake("The temperature stands twice in the formula: it divides the logits, and it multiplies the logarithm.")
def energy_without_outer_temperature(logits, temperature):
    return -torch.logsumexp(logits / temperature, -1)


@mistake("The temperature is ignored.")
def energy_without_temperature(logits, temperature):
    return -torch.logsumexp(logits, -1)


@mistake("exp overflows for large logits, or is 0 for all of them: `torch.logsumexp` takes the largest one out first.")
def energy_overflows(logits, temperature):
    return -temperature * torch.log(torch.exp(logits / temperature).sum(-1))


@mistake("That is minus the largest probability, another score. The energy keeps the size of the logits.")
def energy_is_the_largest_probability(logits, temperature):
    return -(logits / temperature).softmax(-1).amax(-1)


@mistake("That is the limit of temperature 0, minus the largest logit; the energy counts the other classes too.")
def energy_is_the_largest_logit(logits, temperature):
    return -logits.amax(-1)


@mistake("The sum of the exponentials became their mean: every energy is off by T log(number of classes).")
def energy_of_the_mean(logits, temperature):
    classes = logits.shape[-1]
    return -temperature * (torch.logsumexp(logits / temperature, -1) - math.log(classes))


ENERGY = Exercise(
    name="energy",
    title="A score for what was never seen",
    points=1,
    minutes=5,
    difficulty=1,
    rule="-T log sum_k exp(logit_k / T)",
    reference=energy,
    cases=_energy_cases,
    properties=[
        Property(
            "add 1 to all logits, and the energy falls by 1",
            lambda f, logits, T: (f(logits + 1, T), f(logits, T) - 1),
        ),
    ],
    # A sum of exponentials near 1 has a logarithm near 0, with the rounding of the sum.
    rounding=lambda value, e: value + e,
    mistakes=[
        energy_upside_down,
        energy_without_outer_temperature,
        energy_without_temperature,
        energy_overflows,
        energy_is_the_largest_probability,
        energy_is_the_largest_logit,
        energy_of_the_mean,
    ],
)

# --- false_positive_rate ----------------------------------------------------------------------------------------------


def false_positive_rate(known: Tensor, unknown: Tensor, percent: int) -> Tensor:
    accepted = math.ceil(percent * len(known) / 100)
    threshold = known.sort().values[accepted - 1]
    return (unknown <= threshold).to(known.dtype).mean()


def _rate_cases(draw):
    yield Case((_tensor(1.0, 2.0, 3.0, 4.0), _tensor(2.5, 3.5, 4.5, 5.5), 50), "four and four, half of them")
    yield Case((_tensor(1.0, 2.0, 3.0, 4.0), _tensor(2.5, 3.5, 4.5, 5.5), 75), "four and four, three of them")
    yield Case((draw.normal(40), 1 + draw.normal(30), 93), "40 known, 30 unknown")
    yield Case((draw.normal(23), 0.5 + draw.normal(37), 90), "23 known, 37 unknown")
    yield Case((draw.normal(37), draw.normal(50), 60), "the same distribution")
    yield Case((draw.normal(20), 10 + draw.normal(15), 93), "well apart", edge=True)
    yield Case((draw.normal(20), 0.5 + draw.normal(15), 100), "all known images accepted", edge=True)
    known = draw.normal(10)
    known[:6] = known[0]
    yield Case((known, draw.normal(20), 55), "equal scores", edge=True)


@mistake("The two sets changed places: the threshold is set on known images, and the unknown ones are counted.")
def rate_swapped(known, unknown, percent):
    threshold = unknown.sort().values[math.ceil(percent * len(unknown) / 100) - 1]
    return (known <= threshold).to(known.dtype).mean()


@mistake("Those are the unknown images that are found. The false positives are the others, taken for known.")
def rate_of_the_found(known, unknown, percent):
    threshold = known.sort().values[math.ceil(percent * len(known) / 100) - 1]
    return (unknown > threshold).to(known.dtype).mean()


@mistake("The threshold accepts the other part of the known images. A large score means unknown: accept from below.")
def rate_from_the_other_end(known, unknown, percent):
    ordered = known.sort(descending=True).values
    threshold = ordered[math.ceil(percent * len(known) / 100) - 1]
    return (unknown <= threshold).to(known.dtype).mean()


@mistake("Those are counts; a rate is their share of all unknown images.")
def rate_as_a_count(known, unknown, percent):
    threshold = known.sort().values[math.ceil(percent * len(known) / 100) - 1]
    return (unknown <= threshold).to(known.dtype).sum()


@mistake("One known image too many is accepted: the K-th smallest score has the index K - 1.")
def rate_one_further(known, unknown, percent):
    place = min(math.ceil(percent * len(known) / 100), len(known) - 1)
    return (unknown <= known.sort().values[place]).to(known.dtype).mean()


@mistake("The number of accepted images is rounded down: then fewer than `percent` of 100 are accepted.")
def rate_rounded_down(known, unknown, percent):
    threshold = known.sort().values[max(percent * len(known) // 100 - 1, 0)]
    return (unknown <= threshold).to(known.dtype).mean()


@mistake("`torch.quantile` interpolates between two scores. The threshold is one of the known scores, none in between.")
def rate_interpolated(known, unknown, percent):
    return (unknown <= torch.quantile(known, percent / 100)).to(known.dtype).mean()


RATE = Exercise(
    name="false_positive_rate",
    title="How many strangers pass",
    points=2,
    minutes=12,
    difficulty=2,
    rule="the threshold is the smallest known score that accepts at least `percent` of 100 known images",
    reference=false_positive_rate,
    cases=_rate_cases,
    properties=[
        Property(
            "only the order of the scores matters",
            lambda f, known, unknown, percent: (f(2 * known, 2 * unknown, percent), f(known, unknown, percent)),
        ),
    ],
    differentiable=False,
    mistakes=[
        rate_swapped,
        rate_of_the_found,
        rate_from_the_other_end,
        rate_as_a_count,
        rate_one_further,
        rate_rounded_down,
        rate_interpolated,
    ],
)

# --- init_planes ------------------------------------------------------------------------------------------------------


def init_planes(noise: Tensor, gain: float) -> Tensor:
    U, _, V = torch.linalg.svd(noise.flatten(1), full_matrices=False)
    return gain / 2 * (U @ V).view(noise.shape)


def _init_cases(draw):
    yield Case((_tensor((3.0, 0.0), (0.0, 0.2)), 1.0), "two planes in the plane")
    yield Case((draw.normal(3, 5), 1.0), "3 planes in 5 dimensions")
    yield Case((draw.normal(3, 5), math.sqrt(2)), "3 planes in 5 dimensions, before a ReLU")
    yield Case((draw.normal(6, 4), math.sqrt(2)), "6 planes in 4 dimensions")
    yield Case((draw.normal(4, 2, 3, 3), math.sqrt(2)), "a convolution, 2 to 4 channels")
    yield Case((draw.normal(1, 4), 1.0), "a single plane", edge=True)
    yield Case((1e-3 * draw.normal(3, 4), 1.0), "tiny noise", edge=True)


@mistake(
    "That is a flat initialisation. The flat twin of z is 2z, so z has to be half as large: as it stands, every layer "
    "doubles the radius."
)
def init_not_halved(noise, gain):
    U, _, V = torch.linalg.svd(noise.flatten(1), full_matrices=False)
    return gain * (U @ V).view(noise.shape)


@mistake("The gain is ignored: before a ReLU, which takes half of the square of a vector, it is sqrt(2).")
def init_without_gain(noise, gain):
    U, _, V = torch.linalg.svd(noise.flatten(1), full_matrices=False)
    return (U @ V).view(noise.shape) / 2


@mistake(
    "Every row has the right length, but rows are not orthogonal to each other: some directions shrink, some grow."
)
def init_rows_normalised(noise, gain):
    rows = noise.flatten(1)
    return gain / 2 * (rows / rows.norm(dim=1, keepdim=True)).view(noise.shape)


@mistake("That is the initialisation of HNN++, with the standard deviation (2 in out)^(-1/2): the radius collapses.")
def init_of_hnnpp(noise, gain):
    return noise / math.sqrt(2 * noise.numel())


@mistake("That is He's initialisation for flat layers, halved. It keeps the radius on average only.")
def init_of_he(noise, gain):
    return noise * (gain / 2) / math.sqrt(noise[0].numel())


@mistake(
    "That is Gram and Schmidt's basis (QR). Its rows are orthonormal too, but it is not the *nearest* such matrix, and "
    "another order of the planes would give other planes. Take U V^T of the singular value decomposition."
)
def init_by_gram_schmidt(noise, gain):
    rows = noise.flatten(1)
    wide = rows.shape[0] <= rows.shape[1]
    Q, R = torch.linalg.qr(rows.mT if wide else rows)
    Q = Q * R.diagonal().sign()
    return gain / 2 * (Q.mT if wide else Q).reshape(noise.shape)


@mistake("The k x k places of the window were orthogonalised one by one: a plane has all C k k numbers of its row.")
def init_place_by_place(noise, gain):
    kernels = noise.flatten(2).movedim(-1, 0) if noise.ndim > 2 else noise[None]
    U, _, V = torch.linalg.svd(kernels, full_matrices=False)
    return gain / 2 * (U @ V).movedim(0, -1).reshape(noise.shape)


@mistake("The singular values are still there: U S V^T is the noise itself. Leave S out.")
def init_is_the_noise(noise, gain):
    return gain / 2 * noise


INIT = Exercise(
    name="init_planes",
    title="An initialisation that keeps the radius",
    points=2,
    minutes=12,
    difficulty=2,
    rule="gain/2 times the nearest matrix with orthonormal rows (or columns, where it is tall)",
    reference=init_planes,
    cases=_init_cases,
    properties=[
        Property("the size of the noise does not matter", lambda f, noise, g: (f(3 * noise, g), f(noise, g))),
        Property(
            "turned planes: exchange two, and the result has the same two exchanged",
            lambda f, noise, g: (f(noise.flip(0), g), f(noise, g).flip(0)),
        ),
    ],
    differentiable=False,
    vectors=["noise"],
    sets=["noise"],
    mistakes=[
        init_not_halved,
        init_without_gain,
        init_rows_normalised,
        init_of_hnnpp,
        init_of_he,
        init_by_gram_schmidt,
        init_place_by_place,
        init_is_the_noise,
    ],
)

# --- residual ---------------------------------------------------------------------------------------------------------


def residual(n: Tensor, step: Tensor, c: float) -> Tensor:
    stride, extra = n.shape[-1] // step.shape[-1], step.shape[1] - n.shape[1]
    n = F.pad(n[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, extra))
    x, y = (exp0(image.movedim(1, -1) / 2, c) for image in (n, step))
    return 2 * log0(mobius_add(x, y, c), c).movedim(-1, 1)


def _image(draw, B: int, C: int, H: int, W: int, c: float, near: float = 0.3, far: float = 1.5) -> Tensor:
    """An image of points with near <= sqrt(c) d <= far, in normal coordinates, channels in dimension 1."""
    return PoincareBall(c).to_normal(draw.ball_points(B, H, W, C, c=c, near=near, far=far)).movedim(-1, 1)


def _residual_cases(draw):
    n, step = _tensor(1.0, 0.0).view(1, 2, 1, 1), _tensor(0.0, 0.5).view(1, 2, 1, 1)
    yield Case((n, step, 1.0), "one pixel")
    for c in (1.0, 2.0, 0.1):
        yield Case((_image(draw, 1, 3, 2, 2, c), _image(draw, 1, 3, 2, 2, c), c), "one image of 2 x 2 pixels")
    yield Case((_image(draw, 2, 2, 2, 3, 0.5), _image(draw, 2, 4, 2, 3, 0.5), 0.5), "2 to 4 channels")
    yield Case((_image(draw, 2, 3, 4, 2, 2.0), _image(draw, 2, 3, 2, 1, 2.0), 2.0), "stride 2")
    yield Case((_image(draw, 2, 2, 6, 6, 0.5), _image(draw, 2, 4, 2, 2, 0.5), 0.5), "stride 3, 2 to 4 channels")
    n = _image(draw, 1, 3, 2, 2, 2.0)
    yield Case((n, 0 * n, 2.0), "a step of length 0: the input", edge=True)
    yield Case((0 * n, n, 2.0), "at the origin: the step", edge=True)
    yield Case((0 * n, 0 * n, 2.0), "both at the origin", edge=True)


@mistake("n + step is the flat sum. It is right for a step along n, or at the origin, and nowhere else.")
def residual_flat(n, step, c):
    stride = n.shape[-1] // step.shape[-1]
    n = n[:, :, ::stride, ::stride]
    return torch.cat((n, torch.zeros_like(step)[:, n.shape[1] :]), 1) + step


@mistake("The order is exchanged: the step starts at the input, x (+) step, and the sum is not commutative.")
def residual_in_the_other_order(n, step, c):
    stride = n.shape[-1] // step.shape[-1]
    n = n[:, :, ::stride, ::stride]
    n = torch.cat((n, torch.zeros_like(step)[:, n.shape[1] :]), 1)
    x, y = exp0(n.movedim(1, -1) / 2, c), exp0(step.movedim(1, -1) / 2, c)
    return 2 * log0(mobius_add(y, x, c), c).movedim(-1, 1)


@mistake("A 2 is missing on the way there: the point with normal coordinates n is exp_0(n/2) in the ball.")
def residual_without_half(n, step, c):
    stride = n.shape[-1] // step.shape[-1]
    n = n[:, :, ::stride, ::stride]
    n = torch.cat((n, torch.zeros_like(step)[:, n.shape[1] :]), 1)
    return log0(mobius_add(exp0(n.movedim(1, -1), c), exp0(step.movedim(1, -1), c), c), c).movedim(-1, 1)


@mistake("The 2 on the way back is missing: normal coordinates are 2 log_0.")
def residual_without_two(n, step, c):
    stride = n.shape[-1] // step.shape[-1]
    n = n[:, :, ::stride, ::stride]
    n = torch.cat((n, torch.zeros_like(step)[:, n.shape[1] :]), 1)
    x, y = exp0(n.movedim(1, -1) / 2, c), exp0(step.movedim(1, -1) / 2, c)
    return log0(mobius_add(x, y, c), c).movedim(-1, 1)


@mistake("The curvature is missing: that is the sum for c = 1.")
def residual_without_curvature(n, step, c):
    stride = n.shape[-1] // step.shape[-1]
    n = n[:, :, ::stride, ::stride]
    n = torch.cat((n, torch.zeros_like(step)[:, n.shape[1] :]), 1)
    x, y = exp0(n.movedim(1, -1) / 2, 1.0), exp0(step.movedim(1, -1) / 2, 1.0)
    return 2 * log0(mobius_add(x, y, 1.0), 1.0).movedim(-1, 1)


@mistake("The helpers take the coordinates of a point from the last dimension; in an image they lie along dimension 1.")
def residual_along_the_rows(n, step, c):
    stride = n.shape[-1] // step.shape[-1]
    n = n[:, :, ::stride, ::stride]
    n = torch.cat((n, torch.zeros_like(step)[:, n.shape[1] :]), 1)
    return 2 * log0(mobius_add(exp0(n / 2, c), exp0(step / 2, c), c), c)


@mistake("The shortcut averages the pixels under the stride. It keeps every stride-th one, from the first on.")
def residual_with_average_pooling(n, step, c):
    stride = n.shape[-1] // step.shape[-1]
    n = torch.nn.functional.avg_pool2d(n, stride)
    n = torch.cat((n, torch.zeros_like(step)[:, n.shape[1] :]), 1)
    x, y = exp0(n.movedim(1, -1) / 2, c), exp0(step.movedim(1, -1) / 2, c)
    return 2 * log0(mobius_add(x, y, c), c).movedim(-1, 1)


@mistake("The zeros stand before the old channels. The new ones come after them.")
def residual_zeros_in_front(n, step, c):
    stride = n.shape[-1] // step.shape[-1]
    n = n[:, :, ::stride, ::stride]
    n = torch.cat((torch.zeros_like(step)[:, n.shape[1] :], n), 1)
    x, y = exp0(n.movedim(1, -1) / 2, c), exp0(step.movedim(1, -1) / 2, c)
    return 2 * log0(mobius_add(x, y, c), c).movedim(-1, 1)


RESIDUAL = Exercise(
    name="residual",
    title="A residual with its shortcut",
    points=2,
    minutes=15,
    difficulty=3,
    rule="shortcut (+) step in every pixel: every stride-th pixel of n, with zeros for the new channels",
    reference=residual,
    cases=_residual_cases,
    properties=[
        Property(
            "in units of 1/sqrt(c) all spaces are one: half the size in curvature -4c gives half the result",
            lambda f, n, step, c: (2 * f(n / 2, step / 2, 4 * c), f(n, step, c)),
        ),
    ],
    # The ball's coordinates are near the rim there, where a rounding of them moves the point more.
    rounding=lambda value, e: value + 8 * e,
    mistakes=[
        residual_flat,
        residual_in_the_other_order,
        residual_without_half,
        residual_without_two,
        residual_without_curvature,
        residual_along_the_rows,
        residual_with_average_pooling,
        residual_zeros_in_front,
    ],
)

# --- batch_norm -------------------------------------------------------------------------------------------------------


def batch_norm(
    x: Tensor, mean: Tensor, var: Tensor, weight: float, bias: Tensor, training: bool, c: float
) -> tuple[Tensor, Tensor, Tensor]:
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        with torch.no_grad():
            way = log0(mobius_add(-mean, centre, c), c)
            mean = mobius_add(mean, exp0(0.1 * way, c), c)
            var = 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


def _norm_cases(draw):
    def points(*shape, c, far=1.5):
        return draw.ball_points(*shape, c=c, near=0.3, far=far)

    def state(n, c):
        return points(n, c=c, far=1.0), draw.uniform(0.5, 1.5) / c

    zero = torch.zeros(2, dtype=F64)
    x = _tensor((0.5, 0.0), (-0.1, 0.2), (0.3, 0.3))
    yield Case((x, zero, _tensor(1.0)[0], 1.0, zero, True, 1.0), "training, three points")
    yield Case((x, zero, _tensor(1.0)[0], 1.0, zero, False, 1.0), "evaluation, three points")
    for c in (1.0, 2.0, 0.1):
        for training in (True, False):
            args = points(6, 3, c=c), *state(3, c), 0.7 / math.sqrt(c), points(3, c=c, far=0.8), training, c
            yield Case(args, "training, six points" if training else "evaluation, six points")
    x, (mean, var) = points(4, 2, c=0.5), state(2, 0.5)
    yield Case((x[:1], mean, var, 0.5, zero, False, 0.5), "evaluation, a single point", edge=True)
    yield Case((x[:1].expand(4, 2), mean, var, 0.01, zero, True, 0.5), "training, equal points", edge=True)
    yield Case((mean.expand(2, 2), mean, var, 0.5, x[0], False, 0.5), "evaluation, at the running mean", edge=True)
    yield Case((x[:1], mean, var, 0.5, zero, True, 0.5), "training, a single point", raises=ValueError)


@mistake(
    "In evaluation the values of the batch are used, as a published library did. What becomes of a sample then depends "
    "on the samples beside it: use `mean` and `var`."
)
def norm_by_the_batch_in_evaluation(x, mean, var, weight, bias, training, c):
    if training and len(x) < 2:
        raise ValueError("training needs at least two points")
    centre = midpoint(x, c)
    spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
    if training:
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake("In training the batch is normalised by its own mean and variance; the running values only listen.")
def norm_by_running_values_in_training(x, mean, var, weight, bias, training, c):
    if training and len(x) < 2:
        raise ValueError("training needs at least two points")
    scaled = weight / (var + 1e-5).sqrt() * log0(mobius_add(-mean, x, c), c)
    y = mobius_add(bias, exp0(scaled, c), c)
    if training:
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    return y, mean.detach(), var.detach()


@mistake("The running mean moves along a geodesic. A weighted average of coordinates is another point.")
def norm_mean_by_coordinates(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        mean, var = 0.9 * mean + 0.1 * centre, 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake("The momentum belongs to the other side: the new batch counts 0.1, what was there before 0.9.")
def norm_momentum_exchanged(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.9 * way, c), c), 0.1 * var + 0.9 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake("That is x (+) (-mean), the other order. To bring the mean to the origin, add -mean from the left.")
def norm_centred_from_the_right(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(x, -centre, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake("The last sum is in the other order: from the bias on goes the scaled vector, bias (+) ...")
def norm_bias_from_the_right(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(exp0(scaled, c), bias, c), mean.detach(), var.detach()


@mistake("The coordinates of the ball were scaled. Distances scale in the tangent space: log_0, multiply, exp_0.")
def norm_scales_the_ball(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * mobius_add(-centre, x, c)
    return mobius_add(bias, scaled, c), mean.detach(), var.detach()


@mistake("Divide by the standard deviation, the root of var + 1e-5, not by the variance.")
def norm_by_the_variance(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5) * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake("The variance is four times that: in the ball the distance from the origin is 2 |log_0|, twice as long.")
def norm_variance_of_half_distances(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = log0(mobius_add(-centre, x, c), c).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake(
    "The squares were averaged over the coordinates, too. A squared distance is their sum; average over the points."
)
def norm_variance_per_coordinate(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake("That is a variance for each axis, as in the library's networks. Here one number holds for all axes.")
def norm_a_scale_for_each_axis(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().mean(0)
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake(
    "The mean of the batch is its midpoint. The average of the coordinates is another point, nearer to the origin."
)
def norm_average_of_coordinates(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = x.mean(0)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake("The running values learn in evaluation, too: there they must come back as they were.")
def norm_learns_in_evaluation(x, mean, var, weight, bias, training, c):
    if training and len(x) < 2:
        raise ValueError("training needs at least two points")
    batch = midpoint(x, c)
    spread = (2 * log0(mobius_add(-batch, x, c), c)).square().sum(-1).mean()
    centre, scale = (batch, spread) if training else (mean, var)
    scaled = weight / (scale + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    way = log0(mobius_add(-mean, batch, c), c)
    mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


@mistake(
    "The running values still hang on the graph. In a training loop every batch would keep all earlier ones in memory: "
    "detach them, in evaluation as well."
)
def norm_keeps_the_graph(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean, var


@mistake("One point has no variance: in training the docstring promises a ValueError for a batch of one.")
def norm_accepts_one_point(x, mean, var, weight, bias, training, c):
    centre, spread = mean, var
    if training:
        centre = midpoint(x, c)
        spread = (2 * log0(mobius_add(-centre, x, c), c)).square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean, var = mobius_add(mean, exp0(0.1 * way, c), c), 0.9 * var + 0.1 * spread
    scaled = weight / (spread + 1e-5).sqrt() * log0(mobius_add(-centre, x, c), c)
    return mobius_add(bias, exp0(scaled, c), c), mean.detach(), var.detach()


NORM = Exercise(
    name="batch_norm",
    title="Batch normalisation with a memory",
    points=3,
    minutes=25,
    difficulty=4,
    rule="bias (+) exp_0( weight / sqrt(var + 1e-5) log_0((-mean) (+) x) ): the batch's values in training, else the "
    "running ones",
    reference=batch_norm,
    cases=_norm_cases,
    outputs=["y", "the running mean", "the running variance"],
    # Equal points, and the running mean itself, differ from the centre by roundings.
    rounding=lambda value, e: value + e,
    vectors=["x", "mean", "bias"],
    sets=["x"],
    mistakes=[
        norm_by_the_batch_in_evaluation,
        norm_by_running_values_in_training,
        norm_mean_by_coordinates,
        norm_momentum_exchanged,
        norm_centred_from_the_right,
        norm_bias_from_the_right,
        norm_scales_the_ball,
        norm_by_the_variance,
        norm_variance_of_half_distances,
        norm_variance_per_coordinate,
        norm_a_scale_for_each_axis,
        norm_average_of_coordinates,
        norm_learns_in_evaluation,
        norm_keeps_the_graph,
        norm_accepts_one_point,
    ],
)

# --- certified_radius -------------------------------------------------------------------------------------------------


def certified_radius(v: Tensor, z: Tensor) -> Tensor:
    steepness, top = 2 * z.norm(dim=-1), v.argmax(-1, keepdim=True)
    safe = (v.gather(-1, top) - v) / (steepness[top] + steepness)
    return safe.masked_fill(torch.arange(len(z)) == top, torch.inf).amin(-1)


def _radius_cases(draw):
    z = _tensor((1.0, 0.0), (0.0, 0.5), (-0.3, 0.4))
    yield Case(
        (
            _tensor(2.0, 1.0, -1.0),
            z,
        ),
        "one point, three classes",
    )
    yield Case((3 * draw.normal(4), draw.normal(4, 3)), "one point, four classes")
    yield Case((3 * draw.normal(6, 3), draw.normal(3, 5)), "a batch of 6")
    yield Case((3 * draw.normal(2, 3, 5), draw.normal(5, 4)), "a batch of 2 x 3")
    # The second largest logit belongs to a flat class, the third to a steep one, which is reached first.
    yield Case((_tensor(1.0, 0.9, 0.6), _tensor((0.1, 0.0), (0.0, 0.1), (3.0, 4.0))), "a steep class behind")
    yield Case((3 * draw.normal(5, 2), draw.normal(2, 3)), "two classes", edge=True)
    yield Case((_tensor(1.0, 1.0, 0.0), z), "a tie: no way is safe", edge=True, gradient=False)


@mistake("A 2 is missing: the logit v_k is 2 |z_k| times a distance, so 2 |z_k| is what it changes per unit of way.")
def radius_without_two(v, z):
    s, top = z.norm(dim=-1), v.argmax(-1, keepdim=True)
    safe = (v.gather(-1, top) - v) / (s[top] + s)
    return safe.masked_fill(torch.arange(len(z)) == top, math.inf).amin(-1)


@mistake("Only the runner-up was looked at. A steeper class with a smaller logit may get there first: try all of them.")
def radius_of_the_runner_up(v, z):
    s, best = 2 * z.norm(dim=-1), v.topk(2, dim=-1)
    first, second = best.indices.unbind(-1)
    return (best.values[..., 0] - best.values[..., 1]) / (s[first] + s[second])


@mistake("That is the margin alone. How far is it in space? Divide by how fast the two logits can approach each other.")
def radius_is_the_margin(v, z):
    best = v.topk(2, dim=-1).values
    return best[..., 0] - best[..., 1]


@mistake(
    "|z_top - z_k| is right for flat hyperplanes, whose normals are the same everywhere. In curved space the two "
    "gradients may point against each other somewhere on the way: add their lengths."
)
def radius_of_flat_space(v, z):
    top = v.argmax(-1, keepdim=True)
    slope = 2 * (z[top] - z).norm(dim=-1)
    own = torch.arange(len(z)) == top
    safe = (v.gather(-1, top) - v) / torch.where(own, 1.0, slope)
    return safe.masked_fill(own, math.inf).amin(-1)


@mistake("Two things move: the largest logit may fall while the other one rises. Both steepnesses count, their sum.")
def radius_of_one_logit(v, z):
    s, top = 2 * z.norm(dim=-1), v.argmax(-1, keepdim=True)
    safe = (v.gather(-1, top) - v) / s[top]
    return safe.masked_fill(torch.arange(len(z)) == top, math.inf).amin(-1)


@mistake("The class itself is among the rivals: its margin to itself is 0, and so is your minimum.")
def radius_against_itself(v, z):
    s, top = 2 * z.norm(dim=-1), v.argmax(-1, keepdim=True)
    return ((v.gather(-1, top) - v) / (s[top] + s)).amin(-1)


RADIUS = Exercise(
    name="certified_radius",
    title="A radius in which nothing can go wrong",
    points=3,
    minutes=20,
    difficulty=4,
    rule="min over k of (v_top - v_k) / (2|z_top| + 2|z_k|), k not the class itself",
    reference=certified_radius,
    cases=_radius_cases,
    properties=[
        Property(
            "twice as steep planes with twice the logits are as safe",
            lambda f, v, z: (f(2 * v, 2 * z), f(v, z)),
        ),
    ],
    # A small margin is a difference of two logits, which were rounded.
    rounding=lambda value, e: value + e,
    mistakes=[
        radius_without_two,
        radius_of_the_runner_up,
        radius_is_the_margin,
        radius_of_flat_space,
        radius_of_one_logit,
        radius_against_itself,
    ],
)

# --- boundary_distance: the challenge ---------------------------------------------------------------------------------


def boundary_distance(n: Tensor, z: Tensor, r: Tensor, c: float) -> Tensor:
    root, unit = math.sqrt(c), z / z.norm(dim=-1, keepdim=True)
    offset, s = 2 * root * r, root * n.norm(dim=-1, keepdim=True)
    normals = torch.cat((offset.sinh()[:, None], offset.cosh()[:, None] * unit), -1)
    difference = normals[0] - normals[1]
    height = root * over(torch.sinh, s) * n @ difference[1:] - s[..., 0].cosh() * difference[0]
    square = (difference[1:] ** 2).sum() - difference[0] ** 2
    length = torch.where(square > 0, square, 1.0).sqrt()
    return torch.where(square > 0, torch.asinh(height / length) / root, torch.inf * height.sign())


def _boundary_cases(draw):
    def planes(c, m):
        z = draw.normal(2, m)
        return 0.5 * z / z.norm(dim=-1, keepdim=True), draw.uniform(-0.1, 0.1, 2) / math.sqrt(c)

    z = _tensor((0.5, 0.0), (0.0, 0.5))
    yield Case((_tensor(1.0, 0.0), z, _tensor(0.0, 0.0), 1.0), "two planes through the origin")
    for c in (1.0, 2.0, 0.1):
        n = PoincareBall(c).to_normal(draw.ball_points(4, 3, c=c, near=0.3, far=2.0))
        yield Case((n, *planes(c, 3), c), "a batch of 4, three dimensions")
    n = PoincareBall(0.5).to_normal(draw.ball_points(2, 3, 2, c=0.5, near=0.3, far=2.0))
    yield Case((n, 3 * z, _tensor(0.2, -0.1), 0.5), "a batch of 2 x 3")
    yield Case((torch.zeros(2, dtype=F64), z, _tensor(0.3, 0.1), 2.0), "the origin", edge=True)
    one = _tensor((0.5, 0.0), (0.5, 0.0))
    yield Case((n, one, _tensor(0.2, 0.7), 0.5), "the first class wins everywhere", edge=True)
    yield Case((n, one, _tensor(0.7, 0.2), 0.5), "the second class wins everywhere", edge=True)


@mistake(
    "That is the certified radius, (v_1 - v_2)/(4|z|): a lower bound, mostly a poor one. The exact distance exists."
)
def boundary_is_the_bound(n, z, r, c):
    q, d = math.sqrt(c), n.norm(dim=-1, keepdim=True)
    stretch = torch.where(d > 0, torch.sinh(q * d) / torch.where(d > 0, q * d, 1.0), 1.0)
    inner = q * stretch * (n @ (z / z.norm(dim=-1, keepdim=True)).T)
    v = torch.asinh(inner * torch.cosh(2 * q * r) - torch.cosh(q * d) * torch.sinh(2 * q * r)) / q
    return (v[..., 0] - v[..., 1]) / 2


@mistake("That is the distance from the flat plane half-way between the two.")
def boundary_flat(n, z, r, c):
    unit = z / z.norm(dim=-1, keepdim=True)
    side = n @ (unit[0] - unit[1]) - 2 * (r[0] - r[1])
    return side / (unit[0] - unit[1]).norm().clamp_min(1e-30)


@mistake("The planes stand at the distance 2r from the origin, not r.")
def boundary_offset_r(n, z, r, c):
    q, d = math.sqrt(c), n.norm(dim=-1)
    N = torch.cat((torch.sinh(q * r)[:, None], torch.cosh(q * r)[:, None] * z / z.norm(dim=-1, keepdim=True)), -1)
    D = N[0] - N[1]
    stretch = torch.where(d > 0, torch.sinh(q * d) / torch.where(d > 0, q * d, 1.0), 1.0)
    side, square = q * stretch * (n @ D[1:]) - torch.cosh(q * d) * D[0], D[1:] @ D[1:] - D[0] ** 2
    there = torch.asinh(side / torch.where(square > 0, square, 1.0).sqrt()) / q
    return torch.where(square > 0, there, math.inf * side.sign())


@mistake("The difference of the two unit normals is not of length 1: divide by its Minkowski length.")
def boundary_not_normalised(n, z, r, c):
    q, d = math.sqrt(c), n.norm(dim=-1)
    rho = 2 * q * r
    N = torch.cat((torch.sinh(rho)[:, None], torch.cosh(rho)[:, None] * z / z.norm(dim=-1, keepdim=True)), -1)
    D = N[0] - N[1]
    stretch = torch.where(d > 0, torch.sinh(q * d) / torch.where(d > 0, q * d, 1.0), 1.0)
    side, square = q * stretch * (n @ D[1:]) - torch.cosh(q * d) * D[0], D[1:] @ D[1:] - D[0] ** 2
    return torch.where(square > 0, torch.asinh(side) / q, math.inf * side.sign())


@mistake("The length of the difference is Minkowski's: minus the square of its time, plus that of its space part.")
def boundary_euclidean_length(n, z, r, c):
    q, d = math.sqrt(c), n.norm(dim=-1)
    rho = 2 * q * r
    N = torch.cat((torch.sinh(rho)[:, None], torch.cosh(rho)[:, None] * z / z.norm(dim=-1, keepdim=True)), -1)
    D = N[0] - N[1]
    stretch = torch.where(d > 0, torch.sinh(q * d) / torch.where(d > 0, q * d, 1.0), 1.0)
    side, square = q * stretch * (n @ D[1:]) - torch.cosh(q * d) * D[0], D[1:] @ D[1:] - D[0] ** 2
    return torch.where(square > 0, torch.asinh(side / D.norm()) / q, math.inf * side.sign())


@mistake("Where the difference is timelike there is no boundary, and the root is NaN: one class wins everywhere, inf.")
def boundary_nan(n, z, r, c):
    q, d = math.sqrt(c), n.norm(dim=-1)
    rho = 2 * q * r
    N = torch.cat((torch.sinh(rho)[:, None], torch.cosh(rho)[:, None] * z / z.norm(dim=-1, keepdim=True)), -1)
    D = N[0] - N[1]
    stretch = torch.where(d > 0, torch.sinh(q * d) / torch.where(d > 0, q * d, 1.0), 1.0)
    side = q * stretch * (n @ D[1:]) - torch.cosh(q * d) * D[0]
    return torch.asinh(side / (D[1:] @ D[1:] - D[0] ** 2).sqrt()) / q


BOUNDARY = Exercise(
    name="boundary_distance",
    title="Challenge: the exact distance to the boundary",
    points=0,
    minutes=30,
    difficulty=5,
    optional=True,
    rule="the points with v_1 = v_2 are a hyperplane with the normal N_1 - N_2, if that is spacelike",
    reference=boundary_distance,
    cases=_boundary_cases,
    properties=[
        Property(
            "seen from the other class, the sign changes",
            lambda f, n, z, r, c: (f(n, z.flip(0), r.flip(0), c), -f(n, z, r, c)),
        ),
    ],
    differentiable=False,  # whether z is divided by its own length or by the other's, which is equal, shows in it
    rounding=lambda value, e: value + e,
    vectors=["n", "z"],
    mistakes=[
        boundary_is_the_bound,
        boundary_flat,
        boundary_offset_r,
        boundary_not_normalised,
        boundary_euclidean_length,
        boundary_nan,
    ],
)

WHAT_IS_CLAIMED = Written(
    name="claim",
    title="What may be claimed?",
    points=3,
    minutes=20,
    difficulty=3,
    rubric=[
        "1 point: intervals of the differences, about 0.00 +- 0.15, 0.35 +- 0.23 and 0.52 +- 0.18 (Welch or pooled; "
        "+- 0.13 to 0.24 is fine): no gain on CIFAR-10, a gain beyond the spread of the runs on the other two.",
        "1 point: a sentence that claims just that, with its size: about half a point, for one network and one recipe.",
        "1 point: two things that the interval does not cover, each with runs that would tell: were learning rate, "
        "weight decay and clipping searched for both with equal effort; equal parameters, and equal time (how much "
        "slower?); is it the curvature (the same network with c close to 0), or a layer that came with it (a flat "
        "network with that layer, say with one scale in its batch normalisation); other networks, other data.",
    ],
)

SET = ExerciseSet(
    "13_cnn",
    [ENERGY, RATE, INIT, RESIDUAL, NORM, RADIUS, BOUNDARY],
    [WHAT_IS_CLAIMED],
    masked=[
        "hyplearn.layers.base.HResidual",
        "hyplearn.layers.normalisation",
        "hyplearn.layers.sums",
        "hyplearn.layers.linear.init_hyperplanes",
        "hyplearn.uncertainty.energy",
    ],
)
