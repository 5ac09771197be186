"""Exercises of lecture 14: segmentation. Curvature is -c; pixels are points of the ball, coordinates along dim 1."""

import math

import torch
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

CURVATURES = (1.0, 2.0, 0.1)
F64 = torch.float64
VOID = -1


def _picture(draw, batch: int, n: int, *size: int, c: float, near: float = 0.3, far: float = 2.0) -> Tensor:
    """Pictures whose pixels are points: (batch, n, H, W)."""
    return draw.ball_points(batch, *size, n, c=c, near=near, far=far).movedim(-1, 1).contiguous()


def _labels(draw, classes: int, *shape: int, void: float = 0.0) -> Tensor:
    """Random classes, a share of them void."""
    labels = (draw.uniform(0.0, classes, *shape)).long()
    return labels.masked_fill(draw.uniform(0.0, 1.0, *shape) < void, VOID)


# --- confidence: the warm-up ------------------------------------------------------------------------------------------


def confidence(x: Tensor, c: float) -> Tensor:
    return PoincareBall(c).dist0(x, dim=1)


def _confidence_cases(draw):
    yield Case((torch.tensor([0.6, 0.0], dtype=F64).view(1, 2, 1, 1), 1.0), "one pixel")
    for c in CURVATURES:
        yield Case((_picture(draw, 1, 3, 2, 4, c=c), c), "a picture of 2 x 4 pixels in three dimensions")
    yield Case((_picture(draw, 3, 2, 5, 5, c=0.5), 0.5), "three square pictures")
    yield Case((_picture(draw, 2, 2, 3, 3, c=2.0, near=4.0, far=6.0), 2.0), "pixels near the rim", edge=True)
    yield Case((torch.zeros(1, 2, 2, 3, dtype=F64), 0.5), "the origin", edge=True, gradient=False)


@mistake("That is the length in the picture. Hyperbolic distance grows without bound towards the rim: take atanh.")
def confidence_is_flat(x, c):
    return x.norm(dim=1)


@mistake("The 2 is missing: that is the length of log_0(x), half of the distance, since rulers are 2 at the origin.")
def confidence_halved(x, c):
    return torch.atanh(math.sqrt(c) * x.norm(dim=1)) / math.sqrt(c)


@mistake("A length is missing: atanh gives a number without a unit; divide by sqrt(c).")
def confidence_without_unit(x, c):
    return 2 * torch.atanh(math.sqrt(c) * x.norm(dim=1))


@mistake("The curvature is missing: that is the distance in the ball of radius 1.")
def confidence_without_curvature(x, c):
    return 2 * torch.atanh(x.norm(dim=1).clamp_max(1 - 1e-7))


@mistake("c and sqrt(c) are mixed up: the ball has the radius 1/sqrt(c).")
def confidence_with_c_for_its_root(x, c):
    return 2 * torch.atanh((c * x.norm(dim=1)).clamp_max(1 - 1e-7)) / c


@mistake("The norm runs along the wrong dimension: the coordinates of a pixel lie along dim 1, as channels do.")
def confidence_along_the_rows(x, c):
    return 2 * torch.atanh((math.sqrt(c) * x.norm(dim=-1)).clamp_max(1 - 1e-7)) / math.sqrt(c)


@mistake("That grows towards the origin: an uncertainty. Confidence is large far out.")
def confidence_upside_down(x, c):
    return -2 * torch.atanh(math.sqrt(c) * x.norm(dim=1)) / math.sqrt(c)


CONFIDENCE = Exercise(
    name="confidence",
    title="The confidence map",
    points=1,
    minutes=5,
    difficulty=1,
    rule="2 atanh(sqrt(c)|x|)/sqrt(c), for each pixel",
    reference=confidence,
    cases=_confidence_cases,
    properties=[
        Property(
            "in units of 1/sqrt(c) all balls are one: half the size in curvature -4c is half as far",
            lambda f, x, c: (2 * f(x / 2, 4 * c), f(x, c)),
        ),
    ],
    mistakes=[
        confidence_is_flat,
        confidence_halved,
        confidence_without_unit,
        confidence_without_curvature,
        confidence_with_c_for_its_root,
        confidence_along_the_rows,
        confidence_upside_down,
    ],
)

# --- label_boundaries -------------------------------------------------------------------------------------------------


def label_boundaries(labels: Tensor, reach: int) -> Tensor:
    def largest(values):
        return torch.nn.functional.max_pool2d(values[:, None], 2 * reach + 1, stride=1, padding=reach)[:, 0]

    void, values = labels == VOID, labels.double()
    above = largest(values.masked_fill(void, -math.inf)) > values
    below = largest((-values).masked_fill(void, -math.inf)) > -values
    return (above | below) & ~void


def _boundary_cases(draw):
    yield Case((torch.tensor([[[0, 0, 1, 1]]]), 1), "a row of four pixels, 0 0 1 1")
    for size, reach in (((6, 7), 1), ((12, 10), 2), ((14, 15), 3)):
        blocks = _labels(draw, 4, 2, *(s // 3 + 1 for s in size))
        labels = blocks.repeat_interleave(3 * reach, 1).repeat_interleave(3 * reach, 2)[:, : size[0], : size[1]]
        yield Case((labels.contiguous(), reach), f"2 pictures of {size[0]} x {size[1]} pixels, reach {reach}")
    dot = torch.zeros(1, 9, 9, dtype=torch.int64)
    dot[0, 4, 4] = 3
    yield Case((dot, 2), "one pixel of another class, reach 2")
    void = _labels(draw, 2, 2, 3, 3, void=0.4).repeat_interleave(3, 1).repeat_interleave(3, 2)
    yield Case((void, 1), "blocks of two classes and of void", edge=True)
    corner = torch.zeros(1, 5, 6, dtype=torch.int64)
    corner[0, 0, 0] = 1
    yield Case((corner, 1), "another class in the corner", edge=True)
    yield Case((torch.full((1, 4, 4), 2), 1), "one class, no boundary", edge=True)
    yield Case((torch.full((1, 3, 3), VOID), 1), "void only", edge=True)
    yield Case((_labels(draw, 9, 1, 4, 4), 5), "a reach beyond the picture", edge=True)


@mistake(
    "Only the side with the smaller label is marked. A boundary has two sides: a pixel belongs to it if the largest or "
    "the smallest label around is not its own."
)
def boundary_on_one_side(labels, reach):
    void, values = labels == -1, labels.double()
    padded = values.masked_fill(void, -math.inf)[:, None]
    around = torch.nn.functional.max_pool2d(padded, 2 * reach + 1, stride=1, padding=reach)[:, 0]
    return (around > values) & ~void


@mistake(
    "Void counts as a class in yours. Nobody knows what is there: void pixels are no boundary, and make none for their "
    "neighbours."
)
def boundary_of_the_void(labels, reach):
    values = labels.double()[:, None]
    above = torch.nn.functional.max_pool2d(values, 2 * reach + 1, stride=1, padding=reach)[:, 0]
    below = torch.nn.functional.max_pool2d(-values, 2 * reach + 1, stride=1, padding=reach)[:, 0]
    return (above > labels) | (-below < labels)


@mistake("Void pixels are boundary in yours; they make none for their neighbours, and are none themselves.")
def boundary_in_the_void(labels, reach):
    void, values = labels == -1, labels.double()
    above = torch.nn.functional.max_pool2d(
        values.masked_fill(void, -math.inf)[:, None], 2 * reach + 1, stride=1, padding=reach
    )[:, 0]
    below = torch.nn.functional.max_pool2d(
        (-values).masked_fill(void, -math.inf)[:, None], 2 * reach + 1, stride=1, padding=reach
    )[:, 0]
    return (above > values) | (-below < values)


@mistake(
    "The frame of the picture is boundary in yours: outside there is no class at all. Pad with something that never "
    "wins, or look only at neighbours that exist."
)
def boundary_at_the_frame(labels, reach):
    B, H, W = labels.shape
    padded = torch.full((B, H + 2 * reach, W + 2 * reach), -2, dtype=labels.dtype)
    padded[:, reach : reach + H, reach : reach + W] = labels
    found = torch.zeros_like(labels, dtype=torch.bool)
    for i in range(2 * reach + 1):
        for j in range(2 * reach + 1):
            other = padded[:, i : i + H, j : j + W]
            found |= (other != labels) & (other != -1)
    return found & (labels != -1)


@mistake("`torch.roll` wraps round: the left edge of the picture is no neighbour of the right one.")
def boundary_round_the_world(labels, reach):
    found = torch.zeros_like(labels, dtype=torch.bool)
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            other = labels.roll((i, j), (1, 2))
            found |= (other != labels) & (other != -1)
    return found & (labels != -1)


@mistake(
    "Diagonal neighbours are missing: a window of side 2 reach + 1 also has corners, not only the rows and columns."
)
def boundary_without_diagonals(labels, reach):
    found = torch.zeros_like(labels, dtype=torch.bool)
    H, W = labels.shape[1:]
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            if (i and j) or abs(i) >= H or abs(j) >= W:
                continue
            here = (slice(None), slice(max(0, -i), H - max(0, i)), slice(max(0, -j), W - max(0, j)))
            there = (slice(None), slice(max(0, i), H - max(0, -i)), slice(max(0, j), W - max(0, -j)))
            found[here] |= (labels[there] != labels[here]) & (labels[there] != -1)
    return found & (labels != -1)


@mistake("Only neighbours to the right and below are looked at: half of the boundary is missing.")
def boundary_to_the_right_and_below(labels, reach):
    found = torch.zeros_like(labels, dtype=torch.bool)
    H, W = labels.shape[1:]
    for i in range(min(reach, H - 1) + 1):
        for j in range(min(reach, W - 1) + 1):
            here, there = labels[:, : H - i, : W - j], labels[:, i:, j:]
            found[:, : H - i, : W - j] |= (there != here) & (there != -1)
    return found & (labels != -1)


@mistake("`reach` is the width of your window. It reaches that far to each side: its width is 2 reach + 1.")
def boundary_of_half_the_reach(labels, reach):
    half = reach // 2
    void, values = labels == -1, labels.double()
    above = torch.nn.functional.max_pool2d(
        values.masked_fill(void, -math.inf)[:, None], 2 * half + 1, stride=1, padding=half
    )[:, 0]
    below = torch.nn.functional.max_pool2d(
        (-values).masked_fill(void, -math.inf)[:, None], 2 * half + 1, stride=1, padding=half
    )[:, 0]
    return ((above > values) | (-below < values)) & ~void


@mistake("That is the interior: True belongs to the pixels that have another class near them.")
def boundary_inverted(labels, reach):
    void, values = labels == -1, labels.double()
    above = torch.nn.functional.max_pool2d(
        values.masked_fill(void, -math.inf)[:, None], 2 * reach + 1, stride=1, padding=reach
    )[:, 0]
    below = torch.nn.functional.max_pool2d(
        (-values).masked_fill(void, -math.inf)[:, None], 2 * reach + 1, stride=1, padding=reach
    )[:, 0]
    return ~((above > values) | (-below < values)) & ~void


BOUNDARY = Exercise(
    name="label_boundaries",
    title="The boundary map of the labels",
    points=2,
    minutes=15,
    difficulty=2,
    rule="another class (not void) lies in the window of side 2 reach + 1 around the pixel, within the picture",
    reference=label_boundaries,
    cases=_boundary_cases,
    properties=[
        Property(
            "classes are names, not numbers: called differently, they have the same boundaries",
            lambda f, labels, reach: (
                f(torch.where(labels < 0, labels, (5 * labels + 3) % 11), reach).double(),
                f(labels, reach).double(),
            ),
        ),
        Property(
            "the boundaries of the mirror image are the mirror image",
            lambda f, labels, reach: (f(labels.flip(2), reach).flip(2).double(), f(labels, reach).double()),
        ),
    ],
    differentiable=False,
    mistakes=[
        boundary_on_one_side,
        boundary_of_the_void,
        boundary_in_the_void,
        boundary_at_the_frame,
        boundary_round_the_world,
        boundary_without_diagonals,
        boundary_to_the_right_and_below,
        boundary_of_half_the_reach,
        boundary_inverted,
    ],
)

# --- gyroplane_logits -------------------------------------------------------------------------------------------------


def gyroplane_logits(x: Tensor, p: Tensor, a: Tensor, c: float) -> Tensor:
    """<(-p) (+) x, a> and 1 - c|(-p) (+) x|^2 have one denominator, which cancels: one product of matrices is left."""
    s, size, gp = math.sqrt(c), a.norm(dim=-1), 1 - c * (p * p).sum(-1)
    square = (x * x).sum(1, keepdim=True)
    pa = (p * a).sum(-1)
    z = gp[:, None] * a + 2 * c * pa[:, None] * p
    side = torch.einsum("kn,bnhw->bkhw", z, x) - pa[:, None, None] * (1 + c * square)
    inside = 2 * s * side / ((1 - c * square) * (gp * size)[:, None, None])
    return (2 * size / (gp * s))[:, None, None] * torch.asinh(inside)


def _gyroplane_by_moving(x: Tensor, p: Tensor, a: Tensor, c: float) -> Tensor:
    """The formula of the docstring with the tensor of size pixels x classes x dimensions; the oracle."""
    s, x, p, a = math.sqrt(c), x[:, None], p[:, :, None, None], a[:, :, None, None]
    D, gx, gp = x - p, 1 - c * (x * x).sum(2), 1 - c * (p * p).sum(1)
    side = gp * (D * a).sum(2) - c * (D * D).sum(2) * (p * a).sum(1)
    size = a.norm(dim=1)
    return 2 * size / (gp * s) * torch.asinh(2 * s * side / (gx * gp * size))


def _planes(draw, K: int, n: int, c: float):
    return draw.ball_points(K, n, c=c, near=0.3, far=1.2), draw.normal(K, n)


def _gyroplane_cases(draw):
    x = torch.tensor([[0.5, 0.0, -0.2], [0.2, 0.3, 0.1]], dtype=F64).view(1, 2, 1, 3)
    p, a = (torch.tensor(v, dtype=F64) for v in ([[0.0, 0.5], [0.4, 0.1]], [[1.0, 1.0], [0.0, 2.0]]))
    yield Case((x, p, a, 1.0), "a row of three pixels, two classes")
    for c in CURVATURES:
        yield Case((_picture(draw, 1, 3, 2, 2, c=c), *_planes(draw, 4, 3, c), c), "2 x 2 pixels, 4 classes")
    yield Case((_picture(draw, 3, 2, 4, 5, c=0.5), *_planes(draw, 6, 2, 0.5), 0.5), "3 pictures of 4 x 5, 6 classes")
    p, a = _planes(draw, 3, 2, 2.0)
    yield Case((torch.zeros(1, 2, 2, 2, dtype=F64), p, a, 2.0), "pixels at the origin", edge=True)
    yield Case((_picture(draw, 2, 2, 3, 3, c=2.0), torch.zeros_like(p), a, 2.0), "planes through the origin", edge=True)
    yield Case((p.T.view(1, 2, 1, 3).contiguous(), p, a, 2.0), "pixels at the points p: one logit is 0", edge=True)


@mistake("The curvature is missing: those are the logits in the ball of radius 1.")
def gyroplane_logits_without_curvature(x, p, a, c):
    x, p, a = x.movedim(1, -1)[..., None, :], p, a
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    w = ((1 - pp)[..., None] * x - (1 - 2 * xp + xx)[..., None] * p) / (1 - 2 * xp + pp * xx)[..., None]
    size = a.norm(dim=-1)
    inside = 2 * (w * a).sum(-1) / ((1 - (w * w).sum(-1)) * size)
    return (2 / (1 - pp) * size * torch.asinh(inside)).movedim(-1, 1)


@mistake("The factor lambda_p = 2/(1 - c|p|^2) in front is missing: a is a tangent vector at p, lambda_p |a| long.")
def gyroplane_logits_without_factor(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    w = (1 - c * pp)[..., None] * x - (1 - 2 * c * xp + c * xx)[..., None] * p
    w = w / (1 - 2 * c * xp + c * c * pp * xx)[..., None]
    size = a.norm(dim=-1)
    inside = 2 * s * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * size)
    return (size / s * torch.asinh(inside)).movedim(-1, 1)


@mistake("2|a| stands in front. That is the length of a vector at the origin; at p it is lambda_p |a|.")
def gyroplane_logits_with_two(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    w = (1 - c * pp)[..., None] * x - (1 - 2 * c * xp + c * xx)[..., None] * p
    w = w / (1 - 2 * c * xp + c * c * pp * xx)[..., None]
    size = a.norm(dim=-1)
    inside = 2 * s * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * size)
    return (2 * size / s * torch.asinh(inside)).movedim(-1, 1)


@mistake("A length is missing: the distance is asinh(...)/sqrt(c).")
def gyroplane_logits_without_unit(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    w = (1 - c * pp)[..., None] * x - (1 - 2 * c * xp + c * xx)[..., None] * p
    w = w / (1 - 2 * c * xp + c * c * pp * xx)[..., None]
    size = a.norm(dim=-1)
    inside = 2 * s * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * size)
    return (2 / (1 - c * pp) * size * torch.asinh(inside)).movedim(-1, 1)


@mistake("|a| is missing inside of asinh: there stands the unit normal a/|a|.")
def gyroplane_logits_without_unit_normal(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    w = (1 - c * pp)[..., None] * x - (1 - 2 * c * xp + c * xx)[..., None] * p
    w = w / (1 - 2 * c * xp + c * c * pp * xx)[..., None]
    inside = 2 * s * (w * a).sum(-1) / (1 - c * (w * w).sum(-1))
    return (2 / (1 - c * pp) * a.norm(dim=-1) / s * torch.asinh(inside)).movedim(-1, 1)


@mistake("That is p (+) x: p went outwards instead of home. Every inner product with p changes its sign.")
def gyroplane_logits_plus_p(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    w = (1 - c * pp)[..., None] * x + (1 + 2 * c * xp + c * xx)[..., None] * p
    w = w / (1 + 2 * c * xp + c * c * pp * xx)[..., None]
    size = a.norm(dim=-1)
    inside = 2 * s * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * size)
    return (2 / (1 - c * pp) * size / s * torch.asinh(inside)).movedim(-1, 1)


@mistake("That is x (+) (-p): the right length, the wrong direction. Move p to the origin: (-p) (+) x.")
def gyroplane_logits_in_the_other_order(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    w = (1 - 2 * c * xp + c * pp)[..., None] * x - (1 - c * xx)[..., None] * p
    w = w / (1 - 2 * c * xp + c * c * pp * xx)[..., None]
    size = a.norm(dim=-1)
    inside = 2 * s * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * size)
    return (2 / (1 - c * pp) * size / s * torch.asinh(inside)).movedim(-1, 1)


@mistake("In |w|^2 = (alpha^2 |p|^2 + 2 alpha beta <p, x> + beta^2 |x|^2)/N^2 the term in the middle is missing.")
def gyroplane_logits_without_the_mixed_term(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    alpha, beta, N = -(1 - 2 * c * xp + c * xx), 1 - c * pp, 1 - 2 * c * xp + c * c * pp * xx
    ww = (alpha**2 * pp + beta**2 * xx) / N**2
    size = a.norm(dim=-1)
    side = (alpha * (p * a).sum(-1) + beta * (x * a).sum(-1)) / N
    return (2 / (1 - c * pp) * size / s * torch.asinh(2 * s * side / ((1 - c * ww) * size))).movedim(-1, 1)


@mistake("In |w|^2 = (alpha^2 |p|^2 + 2 alpha beta <p, x> + beta^2 |x|^2)/N^2 the term in the middle has lost its 2.")
def gyroplane_logits_mixed_term_once(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    alpha, beta, N = -(1 - 2 * c * xp + c * xx), 1 - c * pp, 1 - 2 * c * xp + c * c * pp * xx
    ww = (alpha**2 * pp + alpha * beta * xp + beta**2 * xx) / N**2
    size = a.norm(dim=-1)
    side = (alpha * (p * a).sum(-1) + beta * (x * a).sum(-1)) / N
    return (2 / (1 - c * pp) * size / s * torch.asinh(2 * s * side / ((1 - c * ww) * size))).movedim(-1, 1)


@mistake("The conformal factor 1/(1 - c|w|^2) belongs to w = (-p) (+) x, not to x.")
def gyroplane_logits_factor_of_x(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    w = (1 - c * pp)[..., None] * x - (1 - 2 * c * xp + c * xx)[..., None] * p
    w = w / (1 - 2 * c * xp + c * c * pp * xx)[..., None]
    size = a.norm(dim=-1)
    inside = 2 * s * (w * a).sum(-1) / ((1 - c * xx) * size)
    return (2 / (1 - c * pp) * size / s * torch.asinh(inside)).movedim(-1, 1)


@mistake("The classes are in the last dimension of yours. Logits of pictures are (B, K, H, W), as a convolution's are.")
def gyroplane_logits_classes_last(x, p, a, c):
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    xp, xx, pp = (x * p).sum(-1), (x * x).sum(-1), (p * p).sum(-1)
    w = (1 - c * pp)[..., None] * x - (1 - 2 * c * xp + c * xx)[..., None] * p
    w = w / (1 - 2 * c * xp + c * c * pp * xx)[..., None]
    size = a.norm(dim=-1)
    return 2 / (1 - c * pp) * size / s * torch.asinh(2 * s * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * size))


GYROPLANE = Exercise(
    name="gyroplane_logits",
    title="Gyroplane logits without the big tensor",
    points=3,
    minutes=25,
    difficulty=3,
    rule="lambda_p |a|/sqrt(c) asinh(2 sqrt(c) <w, a>/((1 - c|w|^2)|a|)) with w = (-p) (+) x",
    reference=gyroplane_logits,
    oracle=_gyroplane_by_moving,
    cases=_gyroplane_cases,
    properties=[
        Property(
            "a normal vector three times as long makes the logit three times as large",
            lambda f, x, p, a, c: (f(x, p, 3 * a, c), 3 * f(x, p, a, c)),
        ),
        Property(
            "in units of 1/sqrt(c) all balls are one: half the size in curvature -4c halves all lengths",
            lambda f, x, p, a, c: (2 * f(x / 2, p / 2, a, 4 * c), f(x, p, a, c)),
        ),
    ],
    # On a plane the distance is 0 up to a few roundings of the terms that cancel.
    rounding=lambda value, e: value + e,
    mistakes=[
        gyroplane_logits_without_curvature,
        gyroplane_logits_without_factor,
        gyroplane_logits_with_two,
        gyroplane_logits_without_unit,
        gyroplane_logits_without_unit_normal,
        gyroplane_logits_plus_p,
        gyroplane_logits_in_the_other_order,
        gyroplane_logits_without_the_mixed_term,
        gyroplane_logits_mixed_term_once,
        gyroplane_logits_factor_of_x,
        gyroplane_logits_classes_last,
    ],
)

# --- hierarchical_loss ------------------------------------------------------------------------------------------------

TREE = [-1, -1, 1, 1, 3, 3, 1, -1]  # leaves 0, 2, 4, 5, 6, 7; families {0, 1, 7}, {2, 3, 6}, {4, 5}


def hierarchical_loss(logits: Tensor, parents: list[int], labels: Tensor) -> Tensor:
    among = torch.empty_like(logits)
    for parent in set(parents):
        family = [node for node, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].log_softmax(1)
    paths = torch.zeros(len(parents), len(parents), dtype=logits.dtype)
    for node in range(len(parents)):
        above = node
        while above != -1:
            paths[node, above] = 1
            above = parents[above]
    log_p = torch.einsum("nm,bmhw->bnhw", paths, among).contiguous()
    return torch.nn.functional.nll_loss(log_p, labels, ignore_index=VOID)


def _leaves(draw, leaves: list[int], *shape: int, void: float = 0.0) -> Tensor:
    labels = _labels(draw, len(leaves), *shape, void=void)
    return torch.where(labels == VOID, VOID, torch.tensor(leaves)[labels])


def _loss_cases(draw):
    def logits(*shape):
        return draw.uniform(-2.0, 2.0, *shape)

    pair, leaves = [-1, -1, 0, 0], [0, 2, 4, 5, 6, 7]
    yield Case((logits(1, 4, 1, 1), pair, torch.tensor([[[3]]])), "one pixel, labelled 3")
    yield Case((logits(1, 4, 2, 2), pair, torch.tensor([[[1, 2], [3, 1]]])), "2 x 2 pixels, a tree of two levels")
    yield Case((logits(2, 8, 3, 4), TREE, _leaves(draw, leaves, 2, 3, 4)), "2 pictures, leaves on three levels")
    labels = _leaves(draw, leaves, 2, 3, 5, void=0.4)
    labels[0, 0, 0], labels[0, 0, 1] = VOID, 4
    yield Case((logits(2, 8, 3, 5), TREE, labels), "2 pictures with void pixels")
    yield Case((logits(2, 5, 2, 2), [-1] * 5, _labels(draw, 5, 2, 2, 2)), "no levels: the plain softmax")
    large = draw.uniform(-1.0, 1.0, 1, 8, 2, 3) * 1000
    # Gradients of probabilities below 1e-45 are 0 in float32.
    yield Case((large, TREE, _leaves(draw, leaves, 1, 2, 3)), "logits up to 1,000", edge=True, gradient=False)
    deep = torch.tensor([[[4, 5], [5, 4]]])
    yield Case((logits(1, 8, 2, 2), TREE, deep), "leaves on the lowest level only", edge=True)


@mistake(
    "That is the plain softmax over all nodes, and the leaf's entry. Here only siblings compete, and each step down "
    "the tree costs: add log p of the ancestors."
)
def hierarchical_loss_plain(logits, parents, labels):
    return torch.nn.functional.nll_loss(logits.log_softmax(1), labels, ignore_index=-1)


@mistake("The last step alone counts, the leaf among its siblings. p(leaf) is a product over the whole path.")
def hierarchical_loss_of_the_last_step(logits, parents, labels):
    among = torch.zeros_like(logits)
    for parent in set(parents):
        family = [node for node, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].log_softmax(1)
    return torch.nn.functional.nll_loss(among, labels, ignore_index=-1)


@mistake("The leaf itself is missing: your path begins at its parent.")
def hierarchical_loss_without_the_leaf(logits, parents, labels):
    among = torch.zeros_like(logits)
    for parent in set(parents):
        family = [node for node, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].log_softmax(1)
    paths = torch.zeros(len(parents), len(parents), dtype=logits.dtype)
    for node in range(len(parents)):
        above = parents[node]
        while above != -1:
            paths[node, above] = 1
            above = parents[above]
    log_p = torch.einsum("nm,bmhw->bnhw", paths, among).contiguous()
    return torch.nn.functional.nll_loss(log_p, labels, ignore_index=-1)


@mistake("Your softmax runs over all nodes. Only siblings, the children of one parent, share a probability.")
def hierarchical_loss_all_compete(logits, parents, labels):
    among = logits.log_softmax(1)
    paths = torch.zeros(len(parents), len(parents), dtype=logits.dtype)
    for node in range(len(parents)):
        above = node
        while above != -1:
            paths[node, above] = 1
            above = parents[above]
    log_p = torch.einsum("nm,bmhw->bnhw", paths, among).contiguous()
    return torch.nn.functional.nll_loss(log_p, labels, ignore_index=-1)


@mistake("The mean over the path is taken. log p is the sum: a deep leaf really is less probable.")
def hierarchical_loss_mean_over_the_path(logits, parents, labels):
    among = torch.zeros_like(logits)
    for parent in set(parents):
        family = [node for node, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].log_softmax(1)
    paths = torch.zeros(len(parents), len(parents), dtype=logits.dtype)
    for node in range(len(parents)):
        above = node
        while above != -1:
            paths[node, above] = 1
            above = parents[above]
    log_p = torch.einsum("nm,bmhw->bnhw", paths / paths.sum(1, keepdim=True), among).contiguous()
    return torch.nn.functional.nll_loss(log_p, labels, ignore_index=-1)


@mistake("Void pixels are counted: the index -1 is the last node. They have no label, and no part in the mean.")
def hierarchical_loss_void_is_the_last_node(logits, parents, labels):
    among = torch.zeros_like(logits)
    for parent in set(parents):
        family = [node for node, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].log_softmax(1)
    paths = torch.zeros(len(parents), len(parents), dtype=logits.dtype)
    for node in range(len(parents)):
        above = node
        while above != -1:
            paths[node, above] = 1
            above = parents[above]
    log_p = torch.einsum("nm,bmhw->bnhw", paths, among).contiguous()
    return torch.nn.functional.nll_loss(log_p, labels % len(parents))


@mistake("Void pixels are left out of the sum, but not out of the count: divide by the number of labelled pixels.")
def hierarchical_loss_divided_by_all(logits, parents, labels):
    among = torch.zeros_like(logits)
    for parent in set(parents):
        family = [node for node, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].log_softmax(1)
    paths = torch.zeros(len(parents), len(parents), dtype=logits.dtype)
    for node in range(len(parents)):
        above = node
        while above != -1:
            paths[node, above] = 1
            above = parents[above]
    log_p = torch.einsum("nm,bmhw->bnhw", paths, among).contiguous()
    return torch.nn.functional.nll_loss(log_p, labels, ignore_index=-1, reduction="sum") / labels.numel()


@mistake("That is the sum over the pixels; the loss is their mean.")
def hierarchical_loss_summed(logits, parents, labels):
    among = torch.zeros_like(logits)
    for parent in set(parents):
        family = [node for node, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].log_softmax(1)
    paths = torch.zeros(len(parents), len(parents), dtype=logits.dtype)
    for node in range(len(parents)):
        above = node
        while above != -1:
            paths[node, above] = 1
            above = parents[above]
    log_p = torch.einsum("nm,bmhw->bnhw", paths, among).contiguous()
    return torch.nn.functional.nll_loss(log_p, labels, ignore_index=-1, reduction="sum")


@mistake("The minus sign is missing: a loss is small where the probability of the label is large.")
def hierarchical_loss_sign_flipped(logits, parents, labels):
    among = torch.zeros_like(logits)
    for parent in set(parents):
        family = [node for node, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].log_softmax(1)
    paths = torch.zeros(len(parents), len(parents), dtype=logits.dtype)
    for node in range(len(parents)):
        above = node
        while above != -1:
            paths[node, above] = 1
            above = parents[above]
    log_p = torch.einsum("nm,bmhw->bnhw", paths, among).contiguous()
    return -torch.nn.functional.nll_loss(log_p, labels, ignore_index=-1)


@mistake(
    "exp overflows for large logits, or the product of probabilities is 0 and its logarithm infinite. Stay with "
    "logarithms: log_softmax, and sums of it."
)
def hierarchical_loss_of_products(logits, parents, labels):
    among = torch.zeros_like(logits)
    for parent in set(parents):
        family = [node for node, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].softmax(1)
    p = torch.stack([among[:, node] for node in range(len(parents))], 1)
    for node in range(len(parents)):
        above = parents[node]
        while above != -1:
            p = torch.cat((p[:, :node], p[:, node : node + 1] * among[:, above : above + 1], p[:, node + 1 :]), 1)
            above = parents[above]
    return torch.nn.functional.nll_loss(p.log(), labels, ignore_index=-1)


LOSS = Exercise(
    name="hierarchical_loss",
    title="A softmax for each family",
    points=3,
    minutes=25,
    difficulty=3,
    rule="the mean over the labelled pixels of -sum of log softmax among siblings, over the path from root to label",
    reference=hierarchical_loss,
    cases=_loss_cases,
    properties=[
        Property(
            "a number added to all logits of a family changes nothing",
            lambda f, logits, parents, labels: (
                f(logits + 3 * torch.tensor(parents).view(-1, 1, 1), parents, labels),
                f(logits, parents, labels),
            ),
        ),
    ],
    # A small loss of a pixel that is sure is a difference of large numbers in some right forms.
    rounding=lambda value, e: value + e,
    mistakes=[
        hierarchical_loss_plain,
        hierarchical_loss_of_the_last_step,
        hierarchical_loss_without_the_leaf,
        hierarchical_loss_all_compete,
        hierarchical_loss_mean_over_the_path,
        hierarchical_loss_void_is_the_last_node,
        hierarchical_loss_divided_by_all,
        hierarchical_loss_summed,
        hierarchical_loss_sign_flipped,
        hierarchical_loss_of_products,
    ],
)

# --- zero_label_miou --------------------------------------------------------------------------------------------------


def zero_label_miou(log_p: Tensor, labels: Tensor, unseen: list[int], ancestors: Tensor) -> Tensor:
    groups, classes = int(ancestors.max()) + 1, torch.tensor(unseen)
    new = torch.isin(labels, classes)
    true, found = ancestors[labels[new]], ancestors[classes[log_p[:, classes].argmax(1)[new]]]
    count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
    union = count.sum(0) + count.sum(1) - count.diagonal()
    return (count.diagonal() / union)[union > 0].mean()


def _zero_case(draw, groups: list[int], unseen: list[int], *size: int, void: float = 0.1, help: float = 1.5):
    K = len(groups)
    labels = _labels(draw, K, *size, void=void)
    labels[0, 0, : len(unseen)] = torch.tensor(unseen)  # each occurs
    right = torch.tensor(groups)[labels.clamp_min(0)][:, None] == torch.tensor(groups)[:, None, None]
    logits = draw.normal(len(labels), K, *size[1:]) + help * right.double()
    return logits.log_softmax(1), labels, unseen, torch.tensor(groups)


def _zero_cases(draw):
    log_p = torch.tensor([0.2, 0.3, 0.1, 0.4], dtype=F64).log().view(1, 4, 1, 1).expand(1, 4, 1, 3)
    labels = torch.tensor([[[0, 1, 2]]])
    yield Case((log_p.contiguous(), labels, [1, 2], torch.tensor([0, 0, 1, 1])), "three pixels, two of unseen classes")
    tree = [0, 0, 0, 1, 1, 2, 2, 2]
    yield Case(_zero_case(draw, tree, [1, 4, 6], 2, 8, 9), "8 classes in 3 groups, 3 of them unseen")
    yield Case(_zero_case(draw, tree, [6, 0, 1, 4], 3, 7, 6), "8 classes in 3 groups, two unseen ones in one group")
    yield Case(_zero_case(draw, list(range(6)), [2, 3, 5], 2, 8, 8), "the leaves themselves")
    yield Case(_zero_case(draw, tree, [3, 7], 2, 9, 5, void=0.3, help=0.5), "the last class unseen; many void pixels")
    yield Case(_zero_case(draw, [0] * 5, [1, 2], 1, 4, 4), "the root: one group, 1", edge=True)
    log_p, labels, *rest = _zero_case(draw, tree, [1, 3], 1, 6, 6, void=0.0, help=0.0)
    yield Case((log_p, torch.where(labels == 3, 1, labels), *rest), "an unseen class that does not occur", edge=True)


@mistake("Seen classes are scored, too. Only the pixels whose true class is unseen count.")
def zero_label_on_all_pixels(log_p, labels, unseen, ancestors):
    groups, classes = int(ancestors.max()) + 1, torch.tensor(unseen)
    new = labels >= 0
    true, found = ancestors[labels[new]], ancestors[classes[log_p[:, classes].argmax(1)[new]]]
    count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
    union = count.sum(0) + count.sum(1) - count.diagonal()
    return (count.diagonal() / union)[union > 0].mean()


@mistake("All classes compete in yours. The answer is to be one of the unseen classes, the most probable among them.")
def zero_label_among_all(log_p, labels, unseen, ancestors):
    groups = int(ancestors.max()) + 1
    new = torch.isin(labels, torch.tensor(unseen))
    true, found = ancestors[labels[new]], ancestors[log_p.argmax(1)[new]]
    count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
    union = count.sum(0) + count.sum(1) - count.diagonal()
    return (count.diagonal() / union)[union > 0].mean()


@mistake(
    "argmax over log_p[:, unseen] is a place in the list `unseen`, not a class. Look the class up there before you ask "
    "for its group."
)
def zero_label_place_for_class(log_p, labels, unseen, ancestors):
    groups, classes = int(ancestors.max()) + 1, torch.tensor(unseen)
    new = torch.isin(labels, classes)
    true, found = ancestors[labels[new]], ancestors[log_p[:, classes].argmax(1)[new]]
    count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
    union = count.sum(0) + count.sum(1) - count.diagonal()
    return (count.diagonal() / union)[union > 0].mean()


@mistake("The mean runs over all groups. Those that neither occur nor were answered have no IoU: leave them out.")
def zero_label_mean_over_all_groups(log_p, labels, unseen, ancestors):
    groups, classes = int(ancestors.max()) + 1, torch.tensor(unseen)
    new = torch.isin(labels, classes)
    true, found = ancestors[labels[new]], ancestors[classes[log_p[:, classes].argmax(1)[new]]]
    count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
    union = count.sum(0) + count.sum(1) - count.diagonal()
    return (count.diagonal() / union.clamp_min(1)).mean()


@mistake("A group that was answered but does not occur is left out. It was answered wrongly: its IoU is 0, and counts.")
def zero_label_only_what_occurs(log_p, labels, unseen, ancestors):
    groups, classes = int(ancestors.max()) + 1, torch.tensor(unseen)
    new = torch.isin(labels, classes)
    true, found = ancestors[labels[new]], ancestors[classes[log_p[:, classes].argmax(1)[new]]]
    count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
    union = count.sum(0) + count.sum(1) - count.diagonal()
    return (count.diagonal() / union)[count.sum(1) > 0].mean()


@mistake("That is the accuracy of each group. The union also holds the pixels that were wrongly called by its name.")
def zero_label_accuracy(log_p, labels, unseen, ancestors):
    groups, classes = int(ancestors.max()) + 1, torch.tensor(unseen)
    new = torch.isin(labels, classes)
    true, found = ancestors[labels[new]], ancestors[classes[log_p[:, classes].argmax(1)[new]]]
    count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
    return (count.diagonal() / count.sum(1))[count.sum(1) > 0].mean()


@mistake("The intersection is counted twice in your union: subtract it once.")
def zero_label_union_too_large(log_p, labels, unseen, ancestors):
    groups, classes = int(ancestors.max()) + 1, torch.tensor(unseen)
    new = torch.isin(labels, classes)
    true, found = ancestors[labels[new]], ancestors[classes[log_p[:, classes].argmax(1)[new]]]
    count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
    union = count.sum(0) + count.sum(1)
    return (count.diagonal() / union)[union > 0].mean()


@mistake("The level is ignored: that scores the classes themselves.")
def zero_label_on_the_leaves(log_p, labels, unseen, ancestors):
    K, classes = log_p.shape[1], torch.tensor(unseen)
    new = torch.isin(labels, classes)
    true, found = labels[new], classes[log_p[:, classes].argmax(1)[new]]
    count = torch.bincount(true * K + found, minlength=K**2).view(K, K).to(log_p.dtype)
    union = count.sum(0) + count.sum(1) - count.diagonal()
    return (count.diagonal() / union)[union > 0].mean()


@mistake("Void pixels are scored as the last class: the index -1 is one from behind.")
def zero_label_void_is_the_last_class(log_p, labels, unseen, ancestors):
    groups, classes = int(ancestors.max()) + 1, torch.tensor(unseen)
    is_new = torch.zeros(log_p.shape[1], dtype=torch.bool)
    is_new[classes] = True
    new = is_new[labels]
    true, found = ancestors[labels[new]], ancestors[classes[log_p[:, classes].argmax(1)[new]]]
    count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
    union = count.sum(0) + count.sum(1) - count.diagonal()
    return (count.diagonal() / union)[union > 0].mean()


@mistake("You average picture by picture. Intersections and unions are counted over all pictures, then divided.")
def zero_label_picture_by_picture(log_p, labels, unseen, ancestors):
    groups, classes, scores = int(ancestors.max()) + 1, torch.tensor(unseen), []
    for one, lab in zip(log_p, labels, strict=True):
        new = torch.isin(lab, classes)
        if not new.any():
            continue
        true, found = ancestors[lab[new]], ancestors[classes[one[classes].argmax(0)[new]]]
        count = torch.bincount(true * groups + found, minlength=groups**2).view(groups, groups).to(log_p.dtype)
        union = count.sum(0) + count.sum(1) - count.diagonal()
        scores.append((count.diagonal() / union)[union > 0].mean())
    return torch.stack(scores).mean()


ZERO = Exercise(
    name="zero_label_miou",
    title="Scored on classes without a label",
    points=4,
    minutes=25,
    difficulty=4,
    rule="pixels of unseen classes only; the most probable unseen class, by its group; the mean IoU of the groups met",
    reference=zero_label_miou,
    cases=_zero_cases,
    properties=[
        Property(
            "groups are names, not numbers: counted from behind, they score the same",
            lambda f, log_p, labels, unseen, ancestors: (
                f(log_p, labels, unseen, ancestors.max() - ancestors),
                f(log_p, labels, unseen, ancestors),
            ),
        ),
    ],
    differentiable=False,
    mistakes=[
        zero_label_on_all_pixels,
        zero_label_among_all,
        zero_label_place_for_class,
        zero_label_mean_over_all_groups,
        zero_label_only_what_occurs,
        zero_label_accuracy,
        zero_label_union_too_large,
        zero_label_on_the_leaves,
        zero_label_void_is_the_last_class,
        zero_label_picture_by_picture,
    ],
)

# --- as_convolution: the challenge ------------------------------------------------------------------------------------


def as_convolution(p: Tensor, a: Tensor, c: float) -> tuple[Tensor, Tensor]:
    s, size, gp = math.sqrt(c), a.norm(dim=-1, keepdim=True), 1 - c * (p * p).sum(-1, keepdim=True)
    pa = (p * a).sum(-1, keepdim=True)
    weight = torch.cat((-2 * s * pa, gp * a + 2 * c * pa * p), -1) / (gp * size)
    return weight, (2 * size / (gp * s)).squeeze(-1)


def _convolution_cases(draw):
    yield Case((torch.tensor([[0.5, 0.0]], dtype=F64), torch.tensor([[1.0, 0.0]], dtype=F64), 1.0), "one class")
    for c in CURVATURES:
        yield Case((*_planes(draw, 3, 2, c), c), "3 classes in two dimensions")
    yield Case((*_planes(draw, 5, 4, 0.5), 0.5), "5 classes in four dimensions")
    p, a = _planes(draw, 3, 2, 2.0)
    yield Case((torch.zeros_like(p), a, 2.0), "planes through the origin", edge=True)


@mistake("The curvature is missing: those are the weights for c = 1.")
def as_convolution_without_curvature(p, a, c):
    size, gp = a.norm(dim=-1, keepdim=True), 1 - (p * p).sum(-1, keepdim=True)
    pa = (p * a).sum(-1, keepdim=True)
    weight = torch.cat((-2 * pa, gp * a + 2 * pa * p), -1) / (gp * size)
    return weight, (2 * size / gp).squeeze(-1)


@mistake("The time channel has the other sign: as p moves along a, the plane moves away from the origin.")
def as_convolution_time_sign_flipped(p, a, c):
    s, size, gp = math.sqrt(c), a.norm(dim=-1, keepdim=True), 1 - c * (p * p).sum(-1, keepdim=True)
    pa = (p * a).sum(-1, keepdim=True)
    weight = torch.cat((2 * s * pa, gp * a + 2 * c * pa * p), -1) / (gp * size)
    return weight, (2 * size / (gp * s)).squeeze(-1)


@mistake("The term 2c<p, a>p of the space part is missing: a is drawn at p, and the channels look from the origin.")
def as_convolution_normal_not_carried(p, a, c):
    s, size, gp = math.sqrt(c), a.norm(dim=-1, keepdim=True), 1 - c * (p * p).sum(-1, keepdim=True)
    pa = (p * a).sum(-1, keepdim=True)
    return torch.cat((-2 * s * pa / gp, a), -1) / size, (2 * size / (gp * s)).squeeze(-1)


@mistake("The length of a belongs to `scale` alone: divide it out of the weight.")
def as_convolution_not_a_unit(p, a, c):
    s, size, gp = math.sqrt(c), a.norm(dim=-1, keepdim=True), 1 - c * (p * p).sum(-1, keepdim=True)
    pa = (p * a).sum(-1, keepdim=True)
    weight = torch.cat((-2 * s * pa, gp * a + 2 * c * pa * p), -1) / gp
    return weight, (2 * size / (gp * s)).squeeze(-1)


@mistake("The time channel comes first.")
def as_convolution_time_last(p, a, c):
    s, size, gp = math.sqrt(c), a.norm(dim=-1, keepdim=True), 1 - c * (p * p).sum(-1, keepdim=True)
    pa = (p * a).sum(-1, keepdim=True)
    weight = torch.cat((gp * a + 2 * c * pa * p, -2 * s * pa), -1) / (gp * size)
    return weight, (2 * size / (gp * s)).squeeze(-1)


CONVOLUTION = Exercise(
    name="as_convolution",
    title="Challenge: the whole head in one convolution",
    points=0,
    minutes=30,
    difficulty=5,
    optional=True,
    rule="logit = scale asinh(weight . (T, S)), (T, S) = (1 + c|x|^2, 2 sqrt(c) x)/(1 - c|x|^2)",
    reference=as_convolution,
    cases=_convolution_cases,
    properties=[
        Property(
            "each row of the weight has the Lorentz length 1: |space|^2 - time^2 = 1",
            lambda f, p, a, c: (
                (f(p, a, c)[0][:, 1:] ** 2).sum(-1) - f(p, a, c)[0][:, 0] ** 2,
                torch.ones(len(p), dtype=p.dtype),
            ),
        ),
    ],
    rounding=lambda value, e: value + e,
    outputs=["weight", "scale"],
    vectors=["p", "a"],
    mistakes=[
        as_convolution_without_curvature,
        as_convolution_time_sign_flipped,
        as_convolution_normal_not_carried,
        as_convolution_not_a_unit,
        as_convolution_time_last,
    ],
)

TABLE = Written(
    name="two_averages",
    title="A table to read twice",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: for one class IoU = n_ii/(true + called - n_ii) <= n_ii/true = accuracy, since pixels wrongly called "
        "by its name only enlarge the union. So over the same classes mIOU <= class accuracy.",
        "1 point: in the table mIOU is larger, so the two means run over different sets of classes (or different "
        "pixels). For instance: class accuracies are summed over the new classes and divided by the number of all "
        "classes, while mIOU is divided by the number of the new ones. Any explanation that obeys the inequality.",
        "1 point: what follows: such columns compare rows (the order of the three methods), not columns, and not with "
        "another paper; say which classes and pixels a mean runs over, and check IoU <= accuracy in one's own table.",
    ],
)

SET = ExerciseSet(
    "14_segmentation",
    [CONFIDENCE, BOUNDARY, GYROPLANE, LOSS, ZERO, CONVOLUTION],
    [TABLE],
    masked=[
        "hyplearn.layers.functional",
        "hyplearn.layers.sums",
        "hyplearn.layers.classifier",
        "hyplearn.layers.linear",
        "hyplearn.losses",
        "hyplearn.metrics",
        "hyplearn.uncertainty",
        "hyplearn.experiments.segmentation",
        "hyplearn.networks.segmentation",
        "hyplearn.manifolds.PoincareBall.dist0",
    ],
)
