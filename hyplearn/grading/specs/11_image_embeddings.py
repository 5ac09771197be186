"""Exercises of lecture 11: few-shot learning in the ball, how tree-like features are, and how sure they are."""

import math

import torch
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake
from hyplearn.means import frechet_mean, midpoint

CURVATURES = (1.0, 2.0, 0.1)
F64 = torch.float64


def _tensor(*numbers) -> Tensor:
    return torch.tensor(numbers, dtype=F64)


# --- lift: the warm-up ------------------------------------------------------------------------------------------------


def lift(v: Tensor, radius: float, c: float) -> Tensor:
    size = v.norm(dim=-1, keepdim=True)
    short = torch.where(size > radius, radius / torch.where(size > 0, size, 1.0), 1.0)
    return PoincareBall(c).expmap0(short * v)


def _vectors(draw, *shape: int, near: float, far: float) -> Tensor:
    """Vectors with near <= |v| <= far."""
    direction = draw.normal(*shape)
    return draw.uniform(near, far, *shape[:-1], 1) * direction / direction.norm(dim=-1, keepdim=True)


def _lift_cases(draw):
    yield Case((_tensor(3.0, 4.0), 1.5, 1.0), "a vector that is too long")
    yield Case((_tensor(0.3, 0.4), 1.5, 1.0), "a vector that is short enough")
    for c in CURVATURES:
        yield Case((_vectors(draw, 3, near=2.0, far=3.0), 0.9, c), "too long")
        yield Case((_vectors(draw, 3, near=0.2, far=0.8), 0.9, c), "short enough")
    mixed = torch.cat((_vectors(draw, 3, 4, near=0.1, far=0.5), _vectors(draw, 2, 4, near=1.0, far=9.0)))
    yield Case((mixed, 0.6, 2.0), "a batch of 5, three of them short enough")
    yield Case((_vectors(draw, 2, 3, 8, near=1.5, far=9.0), 1.2, 0.5), "a batch of 2 x 3, all too long")
    yield Case((_vectors(draw, 3, 2, near=1e3, far=1e4), 2.3, 0.5), "very long", edge=True)
    yield Case((torch.zeros(3, dtype=F64), 1.0, 0.5), "no feature at all: the origin", edge=True, gradient=False)


@mistake("The clip is missing: a vector longer than `radius` is to be shortened to that length before exp_0.")
def lift_without_clip(v, radius, c):
    size = math.sqrt(c) * v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.tanh(size) / size * v


@mistake(
    "The clip comes after exp_0 and measures |x|, which is below 1/sqrt(c) anyhow. Shorten the *vector*, then map it."
)
def lift_clipped_too_late(v, radius, c):
    size = math.sqrt(c) * v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    x = torch.tanh(size) / size * v
    return x * (radius / x.norm(dim=-1, keepdim=True).clamp_min(1e-30)).clamp_max(1.0)


@mistake("Every coordinate is clipped by itself, which turns the vector. Multiply all of it by one factor.")
def lift_by_coordinates(v, radius, c):
    v = v.clamp(-radius, radius)
    size = math.sqrt(c) * v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.tanh(size) / size * v


@mistake("All vectors get the length `radius`. Only those that are longer do: how long a short one is, says something.")
def lift_to_one_radius(v, radius, c):
    v = radius * v / v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    size = math.sqrt(c) * v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.tanh(size) / size * v


@mistake("The curvature is missing in exp_0: that is the map into the ball of radius 1.")
def lift_without_curvature(v, radius, c):
    size = v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    v = v * (radius / size).clamp_max(1.0)
    size = v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.tanh(size) / size * v


@mistake("The length is taken over the whole batch: each vector, along the last dimension, has its own.")
def lift_with_one_length(v, radius, c):
    v = v * (radius / v.norm().clamp_min(1e-30)).clamp_max(1.0)
    size = math.sqrt(c) * v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.tanh(size) / size * v


@mistake("A vector of length 0 is divided by its length. After a ReLU there are such features: they go to the origin.")
def lift_nan_at_zero(v, radius, c):
    size = v.norm(dim=-1, keepdim=True)
    return torch.tanh(math.sqrt(c) * size.clamp_max(radius)) / math.sqrt(c) * v / size


LIFT = Exercise(
    name="lift",
    title="From a feature to a point",
    points=1,
    minutes=5,
    difficulty=1,
    rule="exp_0 of v, which is first shortened to the length `radius` where it is longer",
    reference=lift,
    cases=_lift_cases,
    properties=[
        Property(
            "what was clipped once is not clipped again",
            lambda f, v, radius, c: (
                f(v * (radius / v.norm(dim=-1, keepdim=True)).clamp_max(1.0), 2 * radius, c),
                f(v, radius, c),
            ),
        ),
    ],
    vectors=["v"],
    mistakes=[
        lift_without_clip,
        lift_clipped_too_late,
        lift_by_coordinates,
        lift_to_one_radius,
        lift_without_curvature,
        lift_with_one_length,
        lift_nan_at_zero,
    ],
)

# --- prototypes: the midpoint of each class ---------------------------------------------------------------------------


def prototypes(x: Tensor, labels: Tensor, classes: int, c: float) -> Tensor:
    member = (labels == torch.arange(classes)[:, None]).to(x.dtype)  # (classes, N)
    return midpoint(PoincareBall(c), x.expand(classes, -1, -1), member)


def _labelled(draw, counts, n: int, c: float, far: float = 2.5) -> tuple[Tensor, Tensor, int, float]:
    """Shots of len(counts) classes in a random order."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[draw.uniform(0, 1, len(labels)).argsort()]
    return draw.ball_points(len(labels), n, c=c, near=0.3, far=far), labels, len(counts), c


def _prototype_cases(draw):
    x = _tensor([0.5, 0.1], [0.2, 0.3], [-0.4, 0.0], [-0.2, -0.7])
    yield Case((x, torch.tensor([1, 1, 0, 0]), 2, 1.0), "two classes of two shots")
    for c in CURVATURES:
        yield Case(_labelled(draw, [3, 3, 3], 3, c), "three classes of three shots")
    yield Case(_labelled(draw, [1, 4, 2, 5], 5, 0.5), "four classes of 1, 4, 2 and 5 shots")
    yield Case(_labelled(draw, [2, 6], 2, 10.0), "two classes of 2 and 6 shots")
    yield Case(_labelled(draw, [1, 1, 1, 1], 4, 2.0), "one shot of each class: its prototype", edge=True)
    x, labels, classes, c = _labelled(draw, [2, 3], 3, 0.5)
    yield Case((x * (labels == 0)[:, None], labels, classes, c), "one class in the origin", edge=True)
    opposite = torch.cat((x[:2], -x[:2]))
    yield Case((opposite, torch.tensor([0, 1, 0, 1]), 2, c), "opposite shots: the origin", edge=True)


@mistake(
    "That is the average of the coordinates. The rim is crowded in this chart: points near it count for more, l_i."
)
def prototypes_flat(x, labels, classes, c):
    return torch.stack([x[labels == k].mean(0) for k in range(classes)])


@mistake(
    "That is the average of the tangent vectors at the origin, mapped back. It is a fair guess, and it moves when the "
    "origin does; the midpoint does not."
)
def prototypes_in_tangent_space(x, labels, classes, c):
    size = math.sqrt(c) * x.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    v = torch.atanh(size) / size * x
    v = torch.stack([v[labels == k].mean(0) for k in range(classes)])
    size = math.sqrt(c) * v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.tanh(size) / size * v


@mistake("The half is missing: the fraction y lies twice as far out as the midpoint y/(1 + sqrt(1 - c|y|^2)).")
def prototypes_without_half(x, labels, classes, c):
    f = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    parts = [labels == k for k in range(classes)]
    return torch.stack([(f[p] * x[p]).sum(0) / (f[p] - 1).sum(0) for p in parts])


@mistake("Half the distance is not half the coordinates: y/(1 + sqrt(1 - c|y|^2)), not y/2.")
def prototypes_half_of_the_coordinates(x, labels, classes, c):
    f = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    parts = [labels == k for k in range(classes)]
    return torch.stack([(f[p] * x[p]).sum(0) / (f[p] - 1).sum(0) for p in parts]) / 2


@mistake("The denominator is the sum of l_i - 1; yours is that of l_i.")
def prototypes_without_minus_one(x, labels, classes, c):
    f = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    parts = [labels == k for k in range(classes)]
    y = torch.stack([(f[p] * x[p]).sum(0) / f[p].sum(0) for p in parts])
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


@mistake("The curvature is missing: in l_i = 2/(1 - c|x_i|^2), and in the half of y.")
def prototypes_without_curvature(x, labels, classes, c):
    f = 2 / (1 - (x * x).sum(-1, keepdim=True))
    parts = [labels == k for k in range(classes)]
    y = torch.stack([(f[p] * x[p]).sum(0) / (f[p] - 1).sum(0) for p in parts])
    return y / (1 + (1 - (y * y).sum(-1, keepdim=True)).sqrt())


@mistake("Row k belongs to the label k. Yours are in the order in which the classes first appear.")
def prototypes_in_order_of_appearance(x, labels, classes, c):
    f = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    parts = [labels == k for k in dict.fromkeys(labels.tolist())]
    y = torch.stack([(f[p] * x[p]).sum(0) / (f[p] - 1).sum(0) for p in parts])
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


PROTOTYPES = Exercise(
    name="prototypes",
    title="A prototype for each class",
    points=2,
    minutes=15,
    difficulty=2,
    rule="1/2 (*) sum_i l_i x_i / sum_i (l_i - 1) over the shots of a class, l_i = 2/(1 - c|x_i|^2)",
    reference=prototypes,
    cases=_prototype_cases,
    properties=[
        Property(
            "the order of the shots does not matter",
            lambda f, x, labels, classes, c: (f(x.flip(0), labels.flip(0), classes, c), f(x, labels, classes, c)),
        ),
    ],
    # Shots on opposite sides cancel up to a few roundings of their coordinates.
    rounding=lambda value, e: value + e,
    vectors=["x"],
    mistakes=[
        prototypes_flat,
        prototypes_in_tangent_space,
        prototypes_without_half,
        prototypes_half_of_the_coordinates,
        prototypes_without_minus_one,
        prototypes_without_curvature,
        prototypes_in_order_of_appearance,
    ],
)

# --- frechet_prototype ------------------------------------------------------------------------------------------------


def frechet_prototype(x: Tensor, c: float) -> Tensor:
    return frechet_mean(PoincareBall(c), x)


def _frechet_cases(draw):
    yield Case((_tensor([0.5, 0.0], [0.1, 0.1], [0.0, -0.4]), 1.0), "three shots")
    for c in CURVATURES:
        yield Case((draw.ball_points(5, 3, c=c, near=0.3, far=1.5), c), "five shots")
    yield Case((draw.ball_points(4, 5, 2, c=2.0, near=0.3, far=1.5), 2.0), "a batch of 4 classes of 5 shots")
    yield Case((draw.ball_points(2, 3, 4, 5, c=0.5, near=0.3, far=1.5), 0.5), "a batch of 2 x 3 classes of 4 shots")
    yield Case((draw.ball_points(3, 1, 4, c=2.0, near=0.5, far=1.5), 2.0), "one shot each: the shot itself", edge=True)
    same = draw.ball_points(3, 1, 4, c=0.5, near=0.5, far=1.5).expand(3, 5, 4)
    yield Case((same, 0.5), "five times the same shot", edge=True, gradient=False)
    pair = draw.ball_points(3, 1, 2, c=0.5, near=0.5, far=1.5)
    yield Case((torch.cat((pair, -pair), 1), 0.5), "opposite shots: the origin", edge=True)


# The mistakes that iterate do it on the hyperboloid: x = (1 + q, 2 sqrt(c) x)/(1 - q) there, q = c|x|^2.


@mistake(
    "That is the midpoint of exercise 2, which minimises another sum: that of cosh(sqrt(c) d_i). Use it as a first "
    "guess if you like, and go on."
)
def frechet_is_the_midpoint(x, c):
    f = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    y = (f * x).sum(-2) / (f - 1).sum(-2)
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


@mistake("That is the mean of the tangent vectors at the *origin*, mapped back: the first step of the iteration only.")
def frechet_in_tangent_space(x, c):
    size = math.sqrt(c) * x.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    v = (torch.atanh(size) / size * x).mean(-2)
    size = math.sqrt(c) * v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.tanh(size) / size * v


@mistake("That is the average of the coordinates. It minimises the sum of squared *flat* distances.")
def frechet_flat(x, c):
    return x.mean(-2)


@mistake("The iteration has not arrived: after a few steps most of the way is left. Take about sixty.")
def frechet_of_three_steps(x, c):
    q = c * (x * x).sum(-1, keepdim=True)
    t, s = (1 + q) / (1 - q), 2 * math.sqrt(c) * x / (1 - q)
    mt, ms = torch.ones_like(t[..., :1, :]), torch.zeros_like(s[..., :1, :])
    for _ in range(3):
        a = (mt * t - (ms * s).sum(-1, keepdim=True)).clamp_min(1 + 1e-12)
        w = torch.acosh(a) / (a * a - 1).sqrt() / 2
        vt, vs = (w * (t - a * mt)).mean(-2, keepdim=True), (w * (s - a * ms)).mean(-2, keepdim=True)
        r = ((vs * vs).sum(-1, keepdim=True) - vt * vt).clamp_min(1e-24).sqrt()
        mt, ms = r.cosh() * mt + r.sinh() / r * vt, r.cosh() * ms + r.sinh() / r * vs
    return (ms / (1 + mt)).squeeze(-2) / math.sqrt(c)


@mistake("That is the geometric median: it minimises the sum of the distances, not of their squares.")
def frechet_is_the_median(x, c):
    q = c * (x * x).sum(-1, keepdim=True)
    t, s = (1 + q) / (1 - q), 2 * math.sqrt(c) * x / (1 - q)
    f = 2 / (1 - q)
    mt, ms = (f - 1).sum(-2, keepdim=True), (math.sqrt(c) * f * x).sum(-2, keepdim=True)
    length = (mt * mt - (ms * ms).sum(-1, keepdim=True)).sqrt()
    mt, ms = mt / length, ms / length
    for _ in range(40):
        a = (mt * t - (ms * s).sum(-1, keepdim=True)).clamp_min(1 + 1e-12)
        w = 1 / (a * a - 1).sqrt()
        total = (1 / torch.acosh(a)).sum(-2, keepdim=True)
        vt = (w * (t - a * mt)).sum(-2, keepdim=True) / total
        vs = (w * (s - a * ms)).sum(-2, keepdim=True) / total
        r = ((vs * vs).sum(-1, keepdim=True) - vt * vt).clamp_min(1e-24).sqrt()
        mt, ms = r.cosh() * mt + r.sinh() / r * vt, r.cosh() * ms + r.sinh() / r * vs
    return (ms / (1 + mt)).squeeze(-2) / math.sqrt(c)


@mistake("The curvature is missing: those are exp and log of the ball with c = 1.")
def frechet_without_curvature(x, c):
    q = (x * x).sum(-1, keepdim=True)
    t, s = (1 + q) / (1 - q), 2 * x / (1 - q)
    mt, ms = torch.ones_like(t[..., :1, :]), torch.zeros_like(s[..., :1, :])
    for _ in range(40):
        a = (mt * t - (ms * s).sum(-1, keepdim=True)).clamp_min(1 + 1e-12)
        w = torch.acosh(a) / (a * a - 1).sqrt() / 2
        vt, vs = (w * (t - a * mt)).mean(-2, keepdim=True), (w * (s - a * ms)).mean(-2, keepdim=True)
        r = ((vs * vs).sum(-1, keepdim=True) - vt * vt).clamp_min(1e-24).sqrt()
        mt, ms = r.cosh() * mt + r.sinh() / r * vt, r.cosh() * ms + r.sinh() / r * vs
    return (ms / (1 + mt)).squeeze(-2)


FRECHET = Exercise(
    name="frechet_prototype",
    title="Another mean",
    points=3,
    minutes=25,
    difficulty=4,
    rule="the point m with the least sum of squared distances d(m, x_i)^2",
    reference=frechet_prototype,
    cases=_frechet_cases,
    # An iteration ends where its step is a rounding error of the coordinates.
    rounding=lambda value, e: value + e,
    vectors=["x"],
    sets=["x"],
    mistakes=[
        frechet_is_the_midpoint,
        frechet_in_tangent_space,
        frechet_flat,
        frechet_of_three_steps,
        frechet_is_the_median,
        frechet_without_curvature,
    ],
)

# --- episode ----------------------------------------------------------------------------------------------------------


def episode(
    labels: Tensor, class_noise: Tensor, image_noise: Tensor, ways: int, shots: int, queries: int
) -> tuple[Tensor, Tensor]:
    if ways > len(class_noise):
        raise ValueError(f"ways must be at most the number of classes, {len(class_noise)}, got {ways}")
    order = image_noise.argsort()
    chosen = []
    for k in class_noise.argsort()[:ways].tolist():
        images = order[labels[order] == k]
        if len(images) < shots + queries:
            raise ValueError(f"class {k} has {len(images)} images, shots + queries are {shots + queries}")
        chosen.append(images[: shots + queries])
    support, query = torch.stack(chosen).split((shots, queries), dim=1)
    return support, query


def _images(draw, counts) -> tuple[Tensor, Tensor, Tensor]:
    """Labels of images in a random order, and noise for classes and images."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[draw.uniform(0, 1, len(labels)).argsort()]
    return labels, draw.uniform(0, 1, len(counts)), draw.uniform(0, 1, len(labels))


def _episode_cases(draw):
    noise = _tensor(0.4, 0.9, 0.1), _tensor(0.3, 0.8, 0.1, 0.6, 0.2, 0.7)
    yield Case((torch.tensor([0, 0, 1, 1, 2, 2]), *noise, 2, 1, 1), "three classes of two images")
    for counts, ways, shots, queries in (
        ([5, 5, 5, 5], 2, 1, 3),
        ([6, 7, 8, 9, 6], 4, 2, 3),
        ([9] * 8, 5, 5, 4),
    ):
        label = f"{len(counts)} classes, {ways}-way {shots}-shot with {queries} queries"
        yield Case((*_images(draw, counts), ways, shots, queries), label)
    yield Case((*_images(draw, [4, 4, 4]), 3, 1, 3), "all classes and all images", edge=True)
    labels, class_noise, image_noise = _images(draw, [9, 9, 3])
    class_noise[2] = -1.0
    yield Case((labels, class_noise, image_noise, 2, 2, 2), "too few images of one class", edge=True, raises=ValueError)
    yield Case((*_images(draw, [5, 5, 5]), 4, 1, 1), "too few classes", edge=True, raises=ValueError)


@mistake(
    "The queries are images of the support: the network is examined on what it was shown. They come after the first "
    "`shots` images."
)
def episode_that_leaks(labels, class_noise, image_noise, ways, shots, queries):
    if ways > len(class_noise):
        raise ValueError("ways")
    order = image_noise.argsort()
    chosen = [order[labels[order] == k] for k in class_noise.argsort()[:ways]]
    if min(map(len, chosen)) < shots + queries:
        raise ValueError("images")
    return torch.stack([i[:shots] for i in chosen]), torch.stack([i[:queries] for i in chosen])


@mistake("`image_noise` is not used: every episode with these classes would show the same images.")
def episode_of_the_first_images(labels, class_noise, image_noise, ways, shots, queries):
    if ways > len(class_noise):
        raise ValueError("ways")
    chosen = [(labels == k).nonzero().squeeze(1) for k in class_noise.argsort()[:ways]]
    if min(map(len, chosen)) < shots + queries:
        raise ValueError("images")
    chosen = torch.stack([i[: shots + queries] for i in chosen])
    return chosen[:, :shots], chosen[:, shots:]


@mistake("`class_noise` is not used: those are always the classes 0, 1, 2, ...")
def episode_of_the_first_classes(labels, class_noise, image_noise, ways, shots, queries):
    if ways > len(class_noise):
        raise ValueError("ways")
    order = image_noise.argsort()
    chosen = [order[labels[order] == k] for k in range(ways)]
    if min(map(len, chosen)) < shots + queries:
        raise ValueError("images")
    chosen = torch.stack([i[: shots + queries] for i in chosen])
    return chosen[:, :shots], chosen[:, shots:]


@mistake("Those are places within each class. Asked for is where the images stand in the data set.")
def episode_of_places(labels, class_noise, image_noise, ways, shots, queries):
    if ways > len(class_noise):
        raise ValueError("ways")
    chosen = [image_noise[labels == k].argsort() for k in class_noise.argsort()[:ways]]
    if min(map(len, chosen)) < shots + queries:
        raise ValueError("images")
    chosen = torch.stack([i[: shots + queries] for i in chosen])
    return chosen[:, :shots], chosen[:, shots:]


@mistake("The classes are right, but in ascending order. Row i belongs to the class with the i-th smallest noise.")
def episode_in_ascending_order(labels, class_noise, image_noise, ways, shots, queries):
    if ways > len(class_noise):
        raise ValueError("ways")
    order = image_noise.argsort()
    chosen = [order[labels[order] == k] for k in class_noise.argsort()[:ways].sort().values]
    if min(map(len, chosen)) < shots + queries:
        raise ValueError("images")
    chosen = torch.stack([i[: shots + queries] for i in chosen])
    return chosen[:, :shots], chosen[:, shots:]


@mistake("Too few images: yours takes some of them twice, so that a query may be a shot. Raise a ValueError.")
def episode_that_starts_over(labels, class_noise, image_noise, ways, shots, queries):
    if ways > len(class_noise):
        raise ValueError("ways")
    order, many = image_noise.argsort(), torch.arange(shots + queries)
    chosen = [order[labels[order] == k] for k in class_noise.argsort()[:ways]]
    chosen = torch.stack([i[many % len(i)] for i in chosen])
    return chosen[:, :shots], chosen[:, shots:]


EPISODE = Exercise(
    name="episode",
    title="An exam in five classes",
    points=3,
    minutes=20,
    difficulty=3,
    rule="the `ways` classes of least noise; of each, by the noise of its images, first the support, then the queries",
    reference=episode,
    cases=_episode_cases,
    outputs=["support", "query"],
    differentiable=False,
    mistakes=[
        episode_that_leaks,
        episode_of_the_first_images,
        episode_of_the_first_classes,
        episode_of_places,
        episode_in_ascending_order,
        episode_that_starts_over,
    ],
)

# --- sampled_delta ----------------------------------------------------------------------------------------------------


def sampled_delta(distances: Tensor, subsets: Tensor) -> tuple[Tensor, Tensor]:
    D = distances[subsets[:, :, None], subsets[:, None, :]]  # (S, m, m)
    A = (D[:, :, :1] + D[:, :1, :] - D) / 2
    best = torch.minimum(A[:, :, :, None], A[:, None, :, :]).amax(2)
    values = 2 * (best - A).amax((1, 2)) / D.amax((1, 2))
    return values.mean(), values.std() / math.sqrt(len(values))


def _tree(draw, n: int) -> Tensor:
    """The distances of a random tree with edges of lengths between 0.5 and 2."""
    D = torch.zeros(n, n, dtype=F64)
    for i in range(1, n):
        parent = int(draw.number(0, i))
        D[i, :i] = D[:i, i] = D[parent, :i] + draw.number(0.5, 2.0)
    return D


def _flat(draw, n: int, dim: int) -> Tensor:
    x = draw.normal(n, dim)
    return torch.cdist(x, x)


def _subsets(draw, count: int, size: int, of: int) -> Tensor:
    return draw.uniform(0, 1, count, of).argsort(1)[:, :size]


def _sampled_cases(draw):
    square = torch.tensor([[0.0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]], dtype=F64)
    subsets = torch.tensor([[0, 1, 2, 3], [3, 1, 2, 0], [1, 2, 0, 3]])
    yield Case((square, subsets[:, :3]), "three points of a cycle of 4, three times")
    yield Case((_flat(draw, 12, 2), _subsets(draw, 2, 8, 12)), "2 subsets of 8 of 12 points of the plane")
    yield Case((_flat(draw, 20, 5), _subsets(draw, 6, 7, 20)), "6 subsets of 7 of 20 points in 5 dimensions")
    x = draw.ball_points(15, 2, c=1.0)
    D = PoincareBall(1.0).dist(x[:, None], x)
    yield Case((D, _subsets(draw, 4, 9, 15)), "4 subsets of 9 of 15 points of the hyperbolic plane")
    yield Case((square, subsets), "a whole cycle of 4 nodes, three times: no spread", edge=True)
    yield Case((_tree(draw, 10), _subsets(draw, 3, 6, 10)), "3 subsets of 6 of the 10 nodes of a tree", edge=True)


@mistake("The 2 is missing: relative delta is 2 delta / diameter, which lies between 0 and 1.")
def sampled_without_two(distances, subsets):
    D = distances[subsets[:, :, None], subsets[:, None, :]]
    A = (D[:, :, :1] + D[:, :1, :] - D) / 2
    values = (torch.minimum(A[:, :, :, None], A[:, None]).amax(2) - A).amax((1, 2)) / D.amax((1, 2))
    return values.mean(), values.std() / len(values) ** 0.5


@mistake("Each subset has a diameter of its own; yours is that of the whole space, for all of them.")
def sampled_with_one_diameter(distances, subsets):
    D = distances[subsets[:, :, None], subsets[:, None, :]]
    A = (D[:, :, :1] + D[:, :1, :] - D) / 2
    values = 2 * (torch.minimum(A[:, :, :, None], A[:, None]).amax(2) - A).amax((1, 2)) / distances.max()
    return values.mean(), values.std() / len(values) ** 0.5


@mistake("The base is point 0 of the space, which may not be in the subset. It is the first point of each subset.")
def sampled_with_one_base(distances, subsets):
    D = distances[subsets[:, :, None], subsets[:, None, :]]
    far = distances[0][subsets]
    A = (far[:, :, None] + far[:, None] - D) / 2
    values = 2 * (torch.minimum(A[:, :, :, None], A[:, None]).amax(2) - A).amax((1, 2)) / D.amax((1, 2))
    return values.mean(), values.std() / len(values) ** 0.5


@mistake("That is the standard deviation of one subset. The error of the mean of S subsets is smaller, by sqrt(S).")
def sampled_standard_deviation(distances, subsets):
    D = distances[subsets[:, :, None], subsets[:, None, :]]
    A = (D[:, :, :1] + D[:, :1, :] - D) / 2
    values = 2 * (torch.minimum(A[:, :, :, None], A[:, None]).amax(2) - A).amax((1, 2)) / D.amax((1, 2))
    return values.mean(), values.std()


@mistake("The standard deviation divides by S, not by S - 1: of a few subsets that is too small.")
def sampled_biased_error(distances, subsets):
    D = distances[subsets[:, :, None], subsets[:, None, :]]
    A = (D[:, :, :1] + D[:, :1, :] - D) / 2
    values = 2 * (torch.minimum(A[:, :, :, None], A[:, None]).amax(2) - A).amax((1, 2)) / D.amax((1, 2))
    return values.mean(), values.std(correction=0) / len(values) ** 0.5


@mistake("That is the largest value among the subsets; asked for is their mean.")
def sampled_largest(distances, subsets):
    D = distances[subsets[:, :, None], subsets[:, None, :]]
    A = (D[:, :, :1] + D[:, :1, :] - D) / 2
    values = 2 * (torch.minimum(A[:, :, :, None], A[:, None]).amax(2) - A).amax((1, 2)) / D.amax((1, 2))
    return values.max(), values.std() / len(values) ** 0.5


@mistake("Divide by the diameter, the *largest* distance of the subset; yours is the mean one.")
def sampled_over_the_mean(distances, subsets):
    D = distances[subsets[:, :, None], subsets[:, None, :]]
    A = (D[:, :, :1] + D[:, :1, :] - D) / 2
    values = 2 * (torch.minimum(A[:, :, :, None], A[:, None]).amax(2) - A).amax((1, 2)) / D.mean((1, 2))
    return values.mean(), values.std() / len(values) ** 0.5


SAMPLED = Exercise(
    name="sampled_delta",
    title="How tree-like, and how sure is that?",
    points=3,
    minutes=20,
    difficulty=3,
    rule="the mean of 2 delta / diameter over the subsets, and its standard error: standard deviation / sqrt(S)",
    reference=sampled_delta,
    cases=_sampled_cases,
    properties=[
        Property(
            "twice as large a space is as tree-like",
            lambda f, D, subsets: (torch.stack(f(2 * D, subsets)), torch.stack(f(D, subsets))),
        ),
    ],
    outputs=["mean", "error"],
    # A delta of 0, and a spread of 0, are 0 up to a few roundings of distances.
    rounding=lambda value, e: value + e,
    differentiable=False,
    mistakes=[
        sampled_without_two,
        sampled_with_one_diameter,
        sampled_with_one_base,
        sampled_standard_deviation,
        sampled_biased_error,
        sampled_largest,
        sampled_over_the_mean,
    ],
)

# --- uncertainty ------------------------------------------------------------------------------------------------------


def uncertainty(distances: Tensor, corrupted: Tensor) -> tuple[Tensor, Tensor]:
    bad, good = distances[corrupted][:, None], distances[~corrupted]
    nearer = (bad < good).to(distances.dtype) + (bad == good).to(distances.dtype) / 2
    return distances.argsort(stable=True), nearer.mean()


def _uncertainty_oracle(distances: Tensor, corrupted: Tensor) -> tuple[Tensor, Tensor]:
    """A tie stays one where the oracle is asked what a rounding error would change."""
    return uncertainty(distances.mul(1e3).round(), corrupted)


def _marked(draw, count: int, bad: int) -> Tensor:
    return draw.uniform(0, 1, count).argsort() < bad


def _apart(draw, count: int, corrupted: Tensor) -> Tensor:
    """Distances that differ by 0.02 or more, with a tendency of the corrupted to be small."""
    order = (draw.uniform(0, 1, count) - 0.4 * corrupted).argsort().argsort()
    return 0.3 + 0.1 * order + draw.uniform(0, 0.08, count)


def _uncertainty_cases(draw):
    marks = torch.tensor([False, True, False, True])
    yield Case((_tensor(2.0, 1.0, 0.5, 0.3), marks), "four images, two of them corrupted")
    for count, bad in ((9, 4), (12, 3), (30, 11)):
        corrupted = _marked(draw, count, bad)
        yield Case((_apart(draw, count, corrupted), corrupted), f"{count} images, {bad} corrupted")
    ties = (draw.uniform(1, 5, 20)).floor() / 2
    yield Case((ties, _marked(draw, 20, 8)), "many equal distances", edge=True)
    yield Case((torch.ones(6, dtype=F64), _marked(draw, 6, 2)), "all equally far: no information", edge=True)
    corrupted = _marked(draw, 7, 3)
    yield Case((_apart(draw, 7, 9 * corrupted), corrupted), "perfectly separated", edge=True)


@mistake("The order and the scores are the wrong way round: an image *near* the origin is the uncertain one.")
def uncertainty_far_out(distances, corrupted):
    bad, good = distances[corrupted][:, None], distances[~corrupted]
    farther = (bad > good).to(distances.dtype) + (bad == good).to(distances.dtype) / 2
    return (-distances).argsort(stable=True), farther.mean()


@mistake("A pair of equal distances counts one half; yours counts it as lost.")
def uncertainty_ties_lost(distances, corrupted):
    bad, good = distances[corrupted][:, None], distances[~corrupted]
    return distances.argsort(stable=True), (bad < good).to(distances.dtype).mean()


@mistake("A pair of equal distances counts one half; yours counts it as won.")
def uncertainty_ties_won(distances, corrupted):
    bad, good = distances[corrupted][:, None], distances[~corrupted]
    return distances.argsort(stable=True), (bad <= good).to(distances.dtype).mean()


@mistake("The first result has the rank of each image. Asked for are the images, in the order of their ranks.")
def uncertainty_ranks(distances, corrupted):
    bad, good = distances[corrupted][:, None], distances[~corrupted]
    nearer = (bad < good).to(distances.dtype) + (bad == good).to(distances.dtype) / 2
    return distances.argsort(stable=True).argsort(), nearer.mean()


@mistake(
    "That is the share of corrupted images among as many nearest ones. It says nothing of how the others are ordered: "
    "AUROC looks at all pairs."
)
def uncertainty_precision(distances, corrupted):
    order = distances.argsort(stable=True)
    return order, corrupted[order[: int(corrupted.sum())]].to(distances.dtype).mean()


@mistake("The pairs are counted, not averaged: divide by (corrupted images) x (clean images).")
def uncertainty_counted(distances, corrupted):
    bad, good = distances[corrupted][:, None], distances[~corrupted]
    nearer = (bad < good).to(distances.dtype) + (bad == good).to(distances.dtype) / 2
    return distances.argsort(stable=True), nearer.sum()


UNCERTAINTY = Exercise(
    name="uncertainty",
    title="Which images is it unsure of?",
    points=3,
    minutes=15,
    difficulty=2,
    rule="nearest to the origin first; how often a corrupted image is nearer than a clean one, equal ones count 1/2",
    reference=uncertainty,
    oracle=_uncertainty_oracle,
    cases=_uncertainty_cases,
    properties=[
        Property(
            "if clean and corrupted change places, AUROC becomes 1 - AUROC",
            lambda f, distances, corrupted: (f(distances, ~corrupted)[1], 1 - f(distances, corrupted)[1]),
        ),
    ],
    outputs=["order", "auroc"],
    differentiable=False,
    mistakes=[
        uncertainty_far_out,
        uncertainty_ties_lost,
        uncertainty_ties_won,
        uncertainty_ranks,
        uncertainty_precision,
        uncertainty_counted,
    ],
)

# --- refine: the challenge --------------------------------------------------------------------------------------------


def refine(support: Tensor, query: Tensor, c: float) -> Tensor:
    ball, ways = PoincareBall(c), len(support)
    guess = midpoint(ball, support)
    weights = torch.softmax(-ball.dist(query[:, None], guess), dim=1)  # (Q, ways)
    points = torch.cat((support, query.expand(ways, -1, -1)), 1)
    return midpoint(ball, points, torch.cat((torch.ones_like(support[..., 0]), weights.mT), 1))


def _refine_cases(draw):
    support = _tensor([[0.5, 0.0]], [[-0.3, 0.2]])
    yield Case((support, _tensor([0.4, 0.3], [0.0, 0.1], [-0.6, 0.1]), 1.0), "two classes, one shot, three queries")
    for c, ways, shots, queries, n in ((2.0, 3, 2, 4, 3), (0.1, 2, 5, 6, 2), (0.5, 5, 1, 8, 4)):
        label = f"{ways}-way {shots}-shot with {queries} queries"
        shape = {"c": c, "near": 0.3, "far": 2.0}
        yield Case((draw.ball_points(ways, shots, n, **shape), draw.ball_points(queries, n, **shape), c), label)
    yield Case(
        (draw.ball_points(1, 3, 2, c=2.0, near=0.3), draw.ball_points(4, 2, c=2.0, near=0.3), 2.0),
        "one class: every query is its own",
        edge=True,
    )
    support = draw.ball_points(2, 1, 3, c=0.5, near=0.5, far=1.5)
    yield Case((support, support[:, 0], 0.5), "the queries are the shots", edge=True, gradient=False)


@mistake("Each query counts for its nearest prototype only. It counts for all of them, by the softmax of -d.")
def refine_hard(support, query, c):
    f = 2 / (1 - c * (support * support).sum(-1, keepdim=True))
    y = (f * support).sum(-2) / (f - 1).sum(-2)
    p = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    gaps = (1 - c * (query * query).sum(-1))[:, None] * (1 - c * (p * p).sum(-1))
    d = 2 * torch.asinh(((c / gaps) * (query[:, None] - p).square().sum(-1)).sqrt()) / math.sqrt(c)
    w = torch.nn.functional.one_hot(d.argmin(1), len(p)).to(d.dtype)
    x = torch.cat((support, query.expand(len(p), -1, -1)), 1)
    w = torch.cat((torch.ones_like(support[..., 0]), w.mT), 1)[..., None]
    f = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


@mistake("The softmax runs over the queries. The weights of one query over the classes sum to 1.")
def refine_softmax_over_queries(support, query, c):
    f = 2 / (1 - c * (support * support).sum(-1, keepdim=True))
    y = (f * support).sum(-2) / (f - 1).sum(-2)
    p = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    gaps = (1 - c * (query * query).sum(-1))[:, None] * (1 - c * (p * p).sum(-1))
    d = 2 * torch.asinh(((c / gaps) * (query[:, None] - p).square().sum(-1)).sqrt()) / math.sqrt(c)
    w = torch.softmax(-d, 0)
    x = torch.cat((support, query.expand(len(p), -1, -1)), 1)
    w = torch.cat((torch.ones_like(support[..., 0]), w.mT), 1)[..., None]
    f = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


@mistake("The sign is flipped: the farther a query is from a prototype, the less it counts.")
def refine_sign_flipped(support, query, c):
    f = 2 / (1 - c * (support * support).sum(-1, keepdim=True))
    y = (f * support).sum(-2) / (f - 1).sum(-2)
    p = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    gaps = (1 - c * (query * query).sum(-1))[:, None] * (1 - c * (p * p).sum(-1))
    d = 2 * torch.asinh(((c / gaps) * (query[:, None] - p).square().sum(-1)).sqrt()) / math.sqrt(c)
    w = torch.softmax(d, 1)
    x = torch.cat((support, query.expand(len(p), -1, -1)), 1)
    w = torch.cat((torch.ones_like(support[..., 0]), w.mT), 1)[..., None]
    f = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


@mistake("The shots have been forgotten in the second mean: each of them counts with weight 1.")
def refine_without_shots(support, query, c):
    f = 2 / (1 - c * (support * support).sum(-1, keepdim=True))
    y = (f * support).sum(-2) / (f - 1).sum(-2)
    p = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    gaps = (1 - c * (query * query).sum(-1))[:, None] * (1 - c * (p * p).sum(-1))
    d = 2 * torch.asinh(((c / gaps) * (query[:, None] - p).square().sum(-1)).sqrt()) / math.sqrt(c)
    w = torch.softmax(-d, 1).mT[..., None]
    f = 2 / (1 - c * (query * query).sum(-1, keepdim=True))
    y = (w * f * query).sum(-2) / (w * (f - 1)).sum(-2)
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


@mistake("The prototype itself counts as one point in the second mean. All its shots do, each with weight 1.")
def refine_with_the_prototype(support, query, c):
    f = 2 / (1 - c * (support * support).sum(-1, keepdim=True))
    y = (f * support).sum(-2) / (f - 1).sum(-2)
    p = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    gaps = (1 - c * (query * query).sum(-1))[:, None] * (1 - c * (p * p).sum(-1))
    d = 2 * torch.asinh(((c / gaps) * (query[:, None] - p).square().sum(-1)).sqrt()) / math.sqrt(c)
    x = torch.cat((p[:, None], query.expand(len(p), -1, -1)), 1)
    w = torch.cat((torch.ones_like(p[:, :1]), torch.softmax(-d, 1).mT), 1)[..., None]
    f = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


REFINE = Exercise(
    name="refine",
    title="Challenge: the queries help",
    points=0,
    minutes=30,
    difficulty=4,
    optional=True,
    rule="the midpoint of a class's shots, weight 1, and of all queries, weight softmax over the classes of -d(q, p_k)",
    reference=refine,
    cases=_refine_cases,
    rounding=lambda value, e: value + e,
    vectors=["support", "query"],
    mistakes=[
        refine_hard,
        refine_softmax_over_queries,
        refine_sign_flipped,
        refine_without_shots,
        refine_with_the_prototype,
    ],
)

CONTROL = Written(
    name="control",
    title="What would noise have shown?",
    points=3,
    minutes=20,
    difficulty=3,
    rubric=[
        "1 point: reads the numbers: points without any structure have a relative delta that falls with the dimension, "
        "and in 512 dimensions it is as small as the features of the colleague.",
        "1 point: says why: in high dimensions random points are about equally far from each other, and equal "
        "distances are those of a star, which is a tree. (Or: delta is bounded by the spread of the distances.)",
        "1 point: names a control that would convince: points with the same dimension and covariance but without "
        "classes; features of an untrained network; the same images with permuted labels; or a comparison of the "
        "distances with those in the class tree. A larger sample or more subsets is none.",
    ],
)

SET = ExerciseSet(
    "11_image_embeddings",
    [LIFT, PROTOTYPES, FRECHET, EPISODE, SAMPLED, UNCERTAINTY, REFINE],
    [CONTROL],
    masked=["hyplearn.means", "hyplearn.metrics"],
)
