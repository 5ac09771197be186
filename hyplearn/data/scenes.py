"""A procedural world of labelled pictures: shapes with a class tree, alone, in front of each other, or moving.

Each class is a signed distance function, negative inside, so that a picture of any size is exact, with soft edges, on a
CPU or a GPU. `SHAPES` is the class tree and the definition of its leaves in one. Colour, texture, place, size and turn
are drawn independently of the class: only the outline tells it, and classes that are near in the tree look alike.

    scenes = draw_scenes(100, objects=(2, 5), seed=0)      # parameters, always drawn on the CPU
    images, front = scenes.render(64, device="cuda")       # pictures; which object is seen at each pixel
    labels = scenes.labels(front)                          # (100, 64, 64), leaves of scene_tree(), 0 is background

The same seed gives the same scenes everywhere: pixels differ by less than 1/255 between devices, labels only on edges.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from hyplearn.data.hierarchy import Hierarchy, deal_leaves, nested_tree

Shape = Callable[[Tensor, Tensor], Tensor]

# --- signed distance functions, in coordinates (x to the right, y up) in which a shape fits the unit disc -------------


def star(points: int, inner: float) -> Shape:
    """A star with its tips at radius 1, the first one up, and its notches at radius `inner`."""
    half = math.pi / points
    normal = inner * math.sin(half), 1 - inner * math.cos(half)  # of the edge from a tip to a notch
    length = math.hypot(*normal)
    nx, ny = normal[0] / length, normal[1] / length

    def distance(x, y):
        angle = (torch.remainder(torch.atan2(x, y) + half, 2 * half) - half).abs()  # folded into one half-sector
        return torch.hypot(x, y) * (nx * angle.cos() + ny * angle.sin()) - nx

    return distance


def regular(corners: int) -> Shape:
    """A regular polygon: the star whose notches lie on the sides."""
    return star(corners, math.cos(math.pi / corners))


def convex(*corners: tuple[float, float]) -> Shape:
    """A convex polygon, its corners in anticlockwise order."""
    sides = []
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        length = math.hypot(bx - ax, by - ay)
        nx, ny = (by - ay) / length, (ax - bx) / length
        sides.append((nx, ny, nx * ax + ny * ay))

    def distance(x, y):
        return torch.stack([nx * x + ny * y - offset for nx, ny, offset in sides]).amax(0)

    return distance


def disc(radius: float = 1.0) -> Shape:
    return lambda x, y: torch.hypot(x, y) - radius


def ellipse(height: float) -> Shape:
    return lambda x, y: (torch.hypot(x, y / height) - 1) * height  # short of the distance along the long axis


def egg(x: Tensor, y: Tensor) -> Tensor:
    return (torch.hypot(x / (0.68 - 0.22 * y), y) - 1) * 0.7


def flower(petals: int) -> Shape:
    return lambda x, y: (torch.hypot(x, y) - 0.72 - 0.28 * torch.cos(petals * torch.atan2(x, y))) * 0.7


def shifted(shape: Shape, right: float, up: float) -> Shape:
    return lambda x, y: shape(x - right, y - up)


def common(*shapes: Shape) -> Shape:
    """What lies in all of them."""
    return lambda x, y: torch.stack([shape(x, y) for shape in shapes]).amax(0)


def without(shape: Shape, hole: Shape) -> Shape:
    return lambda x, y: torch.maximum(shape(x, y), -hole(x, y))


def outline(shape: Shape, width: float = 0.15) -> Shape:
    """The points within `width` of the border, inside it."""
    return lambda x, y: (shape(x, y) + width).abs() - width


def strokes(*lines: Sequence[tuple[float, float]], width: float = 0.15) -> Shape:
    """Open polygons drawn with a round pen of radius `width`."""
    segments = [pair for line in lines for pair in itertools.pairwise(line)]

    def distance(x, y):
        squares = []
        for (ax, ay), (bx, by) in segments:
            ux, uy = bx - ax, by - ay
            along = (((x - ax) * ux + (y - ay) * uy) / (ux * ux + uy * uy)).clamp(0, 1)
            squares.append((x - ax - along * ux).square() + (y - ay - along * uy).square())
        return torch.stack(squares).amin(0).sqrt() - width

    return distance


def wave(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum((y - 0.3 * torch.sin(5 * x)).abs() * 0.65 - 0.12, x.abs() - 0.85)


def above(height: float) -> Shape:
    return lambda x, y: height - y


def right_of(place: float) -> Shape:
    return lambda x, y: place - x


SQUARE = convex((-0.7, -0.7), (0.7, -0.7), (0.7, 0.7), (-0.7, 0.7))
SHAPES: dict = {
    "polygon": {
        "triangle": {
            "equilateral triangle": regular(3),
            "right triangle": convex((-0.7, -0.7), (0.7, -0.7), (-0.7, 0.7)),
            "thin triangle": convex((-0.35, -0.9), (0.35, -0.9), (0.0, 0.95)),
        },
        "quadrilateral": {
            "square": SQUARE,
            "rectangle": convex((-0.9, -0.42), (0.9, -0.42), (0.9, 0.42), (-0.9, 0.42)),
            "rhombus": convex((0.0, -1.0), (0.55, 0.0), (0.0, 1.0), (-0.55, 0.0)),
            "trapezoid": convex((-0.85, -0.5), (0.85, -0.5), (0.4, 0.55), (-0.4, 0.55)),
            "kite": convex((0.0, -1.0), (0.62, 0.4), (0.0, 0.9), (-0.62, 0.4)),
        },
        "many-sided": {"pentagon": regular(5), "hexagon": regular(6), "octagon": regular(8)},
        "star": {
            "four-pointed star": star(4, 0.4),
            "five-pointed star": star(5, 0.42),
            "six-pointed star": star(6, 0.55),
            "eight-pointed star": star(8, 0.6),
        },
    },
    "round": {
        "full": {
            "disc": disc(),
            "ellipse": ellipse(0.6),
            "egg": egg,
            "stadium": strokes([(-0.5, 0), (0.5, 0)], width=0.45),
        },
        "cut": {
            "half disc": shifted(common(disc(0.92), above(0.0)), 0.0, -0.38),
            "quarter disc": shifted(common(disc(1.2), above(0.0), right_of(0.0)), -0.55, -0.55),
            "crescent": without(disc(), shifted(disc(), 0.5, 0.0)),
            "lens": common(shifted(disc(), 0.5, 0.0), shifted(disc(), -0.5, 0.0)),
        },
        "hollow": {
            "ring": outline(disc()),
            "oval ring": outline(ellipse(0.6), 0.12),
            "open ring": without(outline(disc()), common(right_of(0.0), lambda x, y: y.abs() - 0.4)),
        },
        "flower": {"trefoil": flower(3), "quatrefoil": flower(4), "cinquefoil": flower(5)},
    },
    "stroke": {
        "line": {
            "bar": strokes([(-0.85, 0), (0.85, 0)]),
            "wave": wave,
            "arc": common(outline(disc()), above(0.1)),
        },
        "corner": {
            "V": strokes([(-0.5, 0.65), (0, -0.75), (0.5, 0.65)]),
            "L": strokes([(-0.45, 0.7), (-0.45, -0.6), (0.5, -0.6)]),
            "Z": strokes([(-0.55, 0.65), (0.55, 0.65), (-0.55, -0.65), (0.55, -0.65)]),
        },
        "crossing": {
            "plus": strokes([(-0.8, 0), (0.8, 0)], [(0, -0.8), (0, 0.8)]),
            "T": strokes([(-0.6, 0.55), (0.6, 0.55)], [(0, 0.55), (0, -0.8)]),
            "Y": strokes([(0, 0), (0, -0.8)], [(0, 0), (0.6, 0.55)], [(0, 0), (-0.6, 0.55)]),
            "asterisk": strokes(
                *([(-0.8 * c, -0.8 * s), (0.8 * c, 0.8 * s)] for c, s in ((1, 0), (0.5, 0.866), (-0.5, 0.866)))
            ),
        },
        "frame": {
            "triangle frame": outline(regular(3), 0.12),
            "square frame": outline(SQUARE, 0.12),
            "hexagon frame": outline(regular(6), 0.12),
        },
    },
}
ACTIONS: dict = {
    "rigid": {
        "translate": ["moves left", "moves right", "moves up", "moves down"],
        "rotate": ["turns left", "turns right"],
    },
    "elastic": {
        "scale": ["grows", "shrinks", "pulses"],
        "deform": ["is stretched", "is squashed", "sways"],
    },
}
COLOURS = {
    "red": (0.85, 0.2, 0.18),
    "orange": (0.95, 0.55, 0.15),
    "yellow": (0.95, 0.88, 0.25),
    "green": (0.2, 0.62, 0.28),
    "blue": (0.2, 0.4, 0.85),
    "purple": (0.55, 0.3, 0.7),
    "white": (0.95, 0.95, 0.93),
    "black": (0.12, 0.12, 0.14),
}
# The share of the second colour is clamp(offset + stripes sin(fx) + checks sin(fx) sin(fy), 0, 1).
TEXTURES = {
    "plain": (0.0, 0.0, 0.0),
    "striped": (0.5, 3.0, 0.0),
    "chequered": (0.5, 0.0, 3.0),
    "dotted": (-1.2, 0.0, 3.0),
}
FREQUENCY = 9.0

_LEAVES = {leaf: shape for kinds in SHAPES.values() for group in kinds.values() for leaf, shape in group.items()}
CLASSES = ("background", *_LEAVES)  # by label
ACTION_CLASSES = tuple(leaf for kinds in ACTIONS.values() for group in kinds.values() for leaf in group)  # by label


# --- the trees --------------------------------------------------------------------------------------------------------


def scene_tree(permuted: int | None = None) -> Hierarchy:
    """The tree of the classes: `anything`, then background, polygon, round and stroke, then groups, then the leaves.

    Label k of a picture is the node `tree.names.index(CLASSES[k])`.

    Args:
        permuted: a seed to deal the leaves (but the background) to the places in the tree at random. The tree keeps its
            form and says nothing about the pictures any more: whatever still helps does not help by its meaning.
    """
    tree = nested_tree("anything", SHAPES, above=["background"])
    return tree if permuted is None else deal_leaves(tree, permuted, fixed=["background"])


def action_tree(permuted: int | None = None) -> Hierarchy:
    """The tree of the actions: `motion`, then rigid and elastic, then their kinds, then the leaves `ACTION_CLASSES`."""
    tree = nested_tree("motion", ACTIONS)
    return tree if permuted is None else deal_leaves(tree, permuted)


# --- scenes -----------------------------------------------------------------------------------------------------------


@dataclass
class Scenes:
    """The parameters of B scenes of up to M objects, the later in front; lengths in half picture widths.

    kind: (B, M) int64, label of each object; 0 where there is none.
    centre: (B, M, 2), x to the right and y up, 0 in the middle, 1 at the border.
    frame: (B, M, 2, 2), takes a shape's own coordinates to the picture's.
    colour, second: (B, M) int64, indices into COLOURS; shade: (B, M, 3), added to both.
    texture: (B, M) int64, index into TEXTURES.
    ground: (B, 3, 3), colour of the background in the middle, and its slopes to the right and upwards.
    """

    kind: Tensor
    centre: Tensor
    frame: Tensor
    colour: Tensor
    second: Tensor
    shade: Tensor
    texture: Tensor
    ground: Tensor

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, index) -> "Scenes":
        return Scenes(*(getattr(self, field.name)[index] for field in fields(self)))

    def render(self, size: int = 64, device: str | torch.device = "cpu") -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, size, size), float32 from 0 to 1, and front (B, size, size), int64: the object that is seen
        at each pixel (the one that covers more than half of it), -1 for the background.
        """
        # On a CPU few scenes at a time, so that a pass over one stays in the cache.
        chunk = 32 if torch.device(device).type == "cpu" else 2048
        parts = [self[start : start + chunk]._render(size, device) for start in range(0, len(self), chunk)]
        images, fronts = zip(*parts, strict=True)
        return torch.cat(images), torch.cat(fronts)

    def _render(self, size: int, device) -> tuple[Tensor, Tensor]:
        kind, count = self.kind.flatten(), self.kind.shape[1]
        axis = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) * (2 / size) - 1
        px, py = axis, -axis[:, None]
        inverse = torch.linalg.inv(self.frame).flatten(0, 1)
        offset = (inverse @ self.centre.flatten(0, 1)[..., None]).to(device)
        a, b, c, d = inverse.flatten(1).to(device)[..., None, None].unbind(1)
        x = a * px + (b * py - offset[:, 0, :, None])  # each object's own coordinates of all pixels
        y = c * px + (d * py - offset[:, 1, :, None])

        distance = torch.full_like(x, torch.inf)
        for label in kind.unique().tolist():
            if label:
                rows = (kind == label).nonzero().squeeze(1).to(device)
                distance[rows] = _LEAVES[CLASSES[label]](x[rows], y[rows])
        scale = self.frame.flatten(0, 1).det().abs().sqrt() * size / 2  # pixels per unit
        cover = (0.5 - distance * scale.to(device)[:, None, None]).clamp_(0, 1).view(-1, count, size, size)

        wave_x, wave_y = x.mul_(FREQUENCY).sin_(), y.mul_(FREQUENCY).sin_()
        mix = torch.tensor(list(TEXTURES.values()))[self.texture].flatten(0, 1).to(device)[..., None, None]
        share = torch.addcmul(mix[:, 1], mix[:, 2], wave_y).mul_(wave_x).add_(mix[:, 0]).clamp_(0, 1).view_as(cover)

        palette = torch.tensor(list(COLOURS.values()))
        first, second = ((palette[i] + self.shade).to(device) for i in (self.colour, self.second))
        base, right, up = self.ground.to(device)[..., None, None].unbind(1)
        image = base + right * px + up * py
        front = torch.full((len(self), size, size), -1, device=device)
        for m in range(count):
            f, s = first[:, m, :, None, None], second[:, m, :, None, None]
            image = torch.lerp(image, torch.lerp(f, s, share[:, m, None]), cover[:, m, None])
            front.masked_fill_(cover[:, m] > 0.5, m)
        return image.clamp_(0, 1), front

    def labels(self, front: Tensor) -> Tensor:
        """(B, H, W) int64, indices into CLASSES, from `front` as `render` returns it."""
        kind = torch.cat([self.kind, torch.zeros_like(self.kind[:, :1])], 1).to(front.device)  # -1 is the last column
        return kind.gather(1, front.remainder(kind.shape[1]).flatten(1)).view_as(front)

    def boxes(self, front: Tensor) -> Tensor:
        """(B, M, 4) int64: left, top, right, bottom of what is seen of each object, in pixels, right and bottom
        exclusive; all 0 for an object of which nothing is seen.
        """
        seen = front[:, None] == torch.arange(self.kind.shape[1], device=front.device)[:, None, None]
        sides = []
        for occupied in (seen.any(2), seen.any(3)):  # columns, rows
            length = occupied.shape[-1]
            first = occupied.int().argmax(-1)
            last = length - occupied.flip(-1).int().argmax(-1)
            sides.append((first, torch.where(occupied.any(-1), last, 0)))
        (left, right), (top, bottom) = sides
        return torch.stack([left, top, right, bottom], -1)

    def captions(self, level: int = 3) -> list[str]:
        """One sentence for each scene, objects from back to front, named at a level of the tree: 1 (polygon), 2
        (star) or 3 (five-pointed star); level 0 says "thing".

        Raises:
            ValueError: for another level.
        """
        if level not in range(4):
            raise ValueError(f"level must be 0 (thing), 1, 2 or 3 (the leaf), got {level}")
        colours, textures = list(COLOURS), list(TEXTURES)
        sentences = []
        for kinds, first, texture in zip(self.kind.tolist(), self.colour.tolist(), self.texture.tolist(), strict=True):
            parts = [
                " ".join(filter(None, (colours[f], textures[t] if t else "", _PATHS[CLASSES[k]][level])))
                for k, f, t in zip(kinds, first, texture, strict=True)
                if k
            ]
            named = [("an " if part[0] in "aeiou" else "a ") + part for part in parts]
            sentences.append(" behind ".join(named) or "nothing")
        return sentences


_NAMES = {"full": "full round", "cut": "cut round", "hollow": "hollow round", "many-sided": "many-sided polygon"}
_PATHS = {
    leaf: ("thing", f"{kind} shape" if kind == "round" else kind, _NAMES.get(group, group), leaf)
    for kind, groups in SHAPES.items()
    for group, leaves in groups.items()
    for leaf in leaves
}


def draw_scenes(
    count: int,
    objects: int | tuple[int, int] = 1,
    *,
    kinds: Sequence[str] | None = None,
    size: tuple[float, float] | None = None,
    seed: int = 0,
) -> Scenes:
    """Draws `count` scenes.

    Args:
        objects: how many in each, or (fewest, most).
        kinds: the leaves to draw from; all of them if not given.
        size: radii of the objects, (least, greatest), in half picture widths; large for single objects.
        seed: the same seed gives the same scenes.

    Raises:
        ValueError: for a kind that is no leaf, or no kind, or numbers out of order.
    """
    least, most = (objects, objects) if isinstance(objects, int) else objects
    if not 1 <= least <= most:
        raise ValueError(f"objects must be a number >= 1, or (fewest, most), got {objects}")
    for kind in kinds or ():
        if kind not in _LEAVES:
            raise ValueError(f"kinds must be leaves of scene_tree(), got {kind!r}")
    if kinds is not None and not kinds:
        raise ValueError("kinds must name at least one leaf")
    small, large = size or ((0.5, 0.8) if most == 1 else (0.28, 0.5))
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    def pick(number, *shape):
        return torch.randint(number, (count, *shape), generator=generator)

    allowed = torch.tensor([CLASSES.index(kind) for kind in (kinds or _LEAVES)])
    kind = allowed[pick(len(allowed), most)]
    present = torch.arange(most) < least + pick(most - least + 1, 1)
    radius, turn = uniform(small, large, most), uniform(-math.pi, math.pi, most)
    # Single objects stay inside; several may touch the border, as they may hide each other.
    margin = (1 - radius).clamp_min(0.05) if most == 1 else torch.full_like(radius, 0.8)
    colour, ground = pick(len(COLOURS), most), uniform(0.25, 0.75, 3)
    return Scenes(
        kind=torch.where(present, kind, 0),
        centre=uniform(-1, 1, most, 2) * margin[..., None],
        frame=radius[..., None, None] * _rotation(turn),
        colour=colour,
        second=(colour + 1 + pick(len(COLOURS) - 1, most)) % len(COLOURS),
        shade=uniform(-0.08, 0.08, most, 3),
        texture=pick(len(TEXTURES), most),
        ground=torch.stack([ground, uniform(-0.2, 0.2, 3), uniform(-0.2, 0.2, 3)], 1),
    )


def _rotation(turn: Tensor) -> Tensor:
    """Anticlockwise, (...,) to (..., 2, 2)."""
    c, s = turn.cos(), turn.sin()
    return torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2))


def draw_clips(count: int, frames: int = 8, *, seed: int = 0, **options) -> tuple[Scenes, Tensor]:
    """Draws `count` clips of one moving object, and what it does.

    No object is plain, since a plain disc can turn unseen.

    Args:
        frames: pictures per clip, at least 2.
        **options: `kinds` and `size` of `draw_scenes`.

    Returns:
        the frames as count * frames scenes (render them, then `unflatten(0, (count, frames))`), and the actions
        (count,) int64, indices into ACTION_CLASSES.
    """
    if frames < 2:
        raise ValueError(f"frames must be at least 2, since nothing moves in one picture; got {frames}")
    scenes = draw_scenes(count, seed=seed, **{"size": (0.35, 0.5), **options})
    generator = torch.Generator().manual_seed(seed + 1)
    scenes.texture = 1 + torch.randint(len(TEXTURES) - 1, scenes.texture.shape, generator=generator)
    action = torch.randint(len(ACTION_CLASSES), (count,), generator=generator)
    time = torch.linspace(-0.5, 0.5, frames)
    motions = zip(*(_motion(name, time) for name in ACTION_CLASSES), strict=True)
    shift, linear = (torch.stack(part)[action].flatten(0, 1)[:, None] for part in motions)
    long = scenes[torch.arange(count).repeat_interleave(frames)]
    return replace(long, centre=long.centre * 0.5 + shift, frame=linear @ long.frame), action


def _motion(action: str, time: Tensor) -> tuple[Tensor, Tensor]:
    """Where the centre is, (T, 2), and the linear map of the object, (T, 2, 2), at times from -1/2 to 1/2."""
    zero, one = torch.zeros_like(time), torch.ones_like(time)
    swing = torch.sin(2 * math.pi * time)
    shift = {
        "moves left": (-time, zero),
        "moves right": (time, zero),
        "moves up": (zero, time),
        "moves down": (zero, -time),
    }.get(action, (zero, zero))
    xx, yy, xy = {
        "grows": (1 + 0.8 * time, 1 + 0.8 * time, zero),
        "shrinks": (1 - 0.8 * time, 1 - 0.8 * time, zero),
        "pulses": (1 + 0.4 * swing, 1 + 0.4 * swing, zero),
        "is stretched": (torch.exp(time), torch.exp(-time), zero),
        "is squashed": (torch.exp(-time), torch.exp(time), zero),
        "sways": (one, one, 0.7 * swing),
    }.get(action, (one, one, zero))
    linear = torch.stack([xx, xy, zero, yy], -1).unflatten(-1, (2, 2))
    turn = {"turns left": 2.0, "turns right": -2.0}.get(action, 0.0)
    return torch.stack(shift, -1), _rotation(turn * time) @ linear
