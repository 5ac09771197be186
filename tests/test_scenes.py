"""The procedural world: its shapes against areas and corners known otherwise, labels, boxes, words and motions."""

import math

import pytest
import torch
from matplotlib.path import Path

from hyplearn.data import scenes
from hyplearn.data.scenes import ACTION_CLASSES, CLASSES, action_tree, draw_clips, draw_scenes, scene_tree

GRID = torch.linspace(-1.2, 1.2, 481)[1::2]  # 240 places, 0.01 apart
X, Y = torch.meshgrid(GRID, GRID, indexing="xy")


def single(kind: str, **changes) -> scenes.Scenes:
    """A black picture with one white, plain object of radius 0.5 in the middle, upright."""
    scene = draw_scenes(1, kinds=[kind])
    scene.centre, scene.frame = torch.zeros(1, 1, 2), 0.5 * torch.eye(2).expand(1, 1, 2, 2)
    scene.colour[:], scene.texture[:] = list(scenes.COLOURS).index("white"), 0
    scene.ground, scene.shade = torch.zeros(1, 3, 3), torch.zeros(1, 1, 3)
    for name, value in changes.items():
        setattr(scene, name, value)
    return scene


def area_of(name: str) -> float:
    return (scenes._LEAVES[name](X, Y) < 0).float().mean().item() * 2.4**2


def polygon(n: int) -> float:
    return n / 2 * math.sin(2 * math.pi / n)


@pytest.mark.parametrize(
    ("name", "area"),
    [
        ("equilateral triangle", polygon(3)),
        ("pentagon", polygon(5)),
        ("octagon", polygon(8)),
        ("square", 1.4**2),
        ("rhombus", 1.1),
        ("five-pointed star", 5 * 0.42 * math.sin(math.pi / 5)),
        ("disc", math.pi),
        ("ellipse", 0.6 * math.pi),
        ("half disc", 0.92**2 * math.pi / 2),
        ("quarter disc", 1.2**2 * math.pi / 4),
        ("lens", 2 * math.acos(0.5) - 0.5 * math.sqrt(3)),
        ("crescent", math.pi - 2 * math.acos(0.25) + 0.25 * math.sqrt(4 - 0.25)),
        ("ring", math.pi * (1 - 0.7**2)),
        ("stadium", 0.9 + math.pi * 0.45**2),
        ("bar", 1.7 * 0.3 + math.pi * 0.15**2),
        ("trefoil", math.pi * (0.72**2 + 0.28**2 / 2)),
    ],
)
def test_areas(name, area):
    assert area_of(name) == pytest.approx(area, rel=0.01)


@pytest.mark.parametrize(
    ("name", "corners"),
    [
        ("kite", [(0.0, -1.0), (0.62, 0.4), (0.0, 0.9), (-0.62, 0.4)]),
        ("hexagon", [(math.sin(k * math.pi / 3), math.cos(k * math.pi / 3)) for k in range(6)]),
        (
            "four-pointed star",
            [
                (r * math.sin(k * math.pi / 4), r * math.cos(k * math.pi / 4))
                for k in range(8)
                for r in [(1, 0.4)[k % 2]]
            ],
        ),
    ],
)
def test_polygons_have_their_corners(name, corners):
    inside = Path(corners).contains_points(torch.stack([X, Y], -1).flatten(0, 1).numpy())
    found = scenes._LEAVES[name](X, Y).flatten() < 0
    assert (found != torch.from_numpy(inside)).float().mean() < 1e-3  # points on the border itself


@pytest.mark.parametrize("name", CLASSES[1:])
def test_shapes_fit_the_unit_disc_and_grow_at_most_at_unit_speed(name):
    distance = scenes._LEAVES[name](X, Y)
    assert (distance[torch.hypot(X, Y) > 1.03] > 0).all() and distance.min() < -0.1
    slope = torch.hypot(distance.diff(dim=0)[:, :-1], distance.diff(dim=1)[:-1]) / (GRID[1] - GRID[0])
    border = distance[:-1, :-1].abs() < 0.02
    assert 0.5 < slope[border].median() < 1.3  # else edges would be blurred, or have steps


def test_a_picture_shows_the_shape_at_its_place_with_soft_edges():
    images, front = single("disc").render(64)
    assert images.sum(dim=(2, 3))[0, 0].item() / images.max().item() == pytest.approx(math.pi * 16**2, rel=0.003)
    assert (front == 0).sum() == pytest.approx(math.pi * 16**2, rel=0.02)
    assert images.unique().numel() > 10  # partly covered pixels
    moved = single("disc", centre=torch.tensor([[[0.5, 0.5]]])).render(64)[0]
    assert torch.allclose(moved[..., :32, 32:].sum(), images.sum(), rtol=1e-4)  # up and to the right
    upright = single("T").render(64)[1][0]
    assert (upright[:32] == 0).sum() > 1.5 * (upright[32:] == 0).sum()  # y is up


def test_pictures_do_not_depend_on_size_or_company():
    drawn = draw_scenes(70, (1, 4), seed=3)
    images, front = drawn.render(32)
    alone, front_alone = drawn[40:41].render(32)
    assert torch.allclose(images[40:41], alone, atol=1e-6) and torch.equal(front[40:41], front_alone)
    fine = torch.nn.functional.avg_pool2d(drawn.render(128)[0], 4)
    assert (fine - images).abs().mean() < 0.02
    assert images.dtype == torch.float32 and images.min() >= 0 and images.max() <= 1


def test_a_seed_is_a_world():
    one, same, other = (draw_scenes(20, (2, 4), seed=s) for s in (1, 1, 2))
    assert torch.equal(one.render(16)[0], same.render(16)[0])
    assert not torch.equal(one.kind, other.kind)


def test_labels_and_boxes_say_what_is_in_front():
    drawn = draw_scenes(12, (2, 4), seed=5)
    _, front = drawn.render(24)
    labels, boxes = drawn.labels(front), drawn.boxes(front)
    for b in range(12):
        for m in range(4):
            places = (front[b] == m).nonzero()
            expected = [0, 0, 0, 0]
            if len(places):
                (top, left), (bottom, right) = places.amin(0).tolist(), (places.amax(0) + 1).tolist()
                expected = [left, top, right, bottom]
                assert (labels[b][front[b] == m] == drawn.kind[b, m]).all()
            assert boxes[b, m].tolist() == expected
        assert (labels[b][front[b] < 0] == 0).all()
    over = single("disc")
    over = scenes.Scenes(*(torch.cat([v, v], 1) if n != "ground" else v for n, v in vars(over).items()))
    over.kind[0, 1] = CLASSES.index("square")
    assert over.labels(over.render(16)[1])[0, 8, 8] == CLASSES.index("square")  # the later hides the earlier


def test_the_number_of_objects_and_their_kinds_are_as_asked():
    drawn = draw_scenes(400, (2, 4), kinds=["disc", "V"], seed=0)
    assert (drawn.kind > 0).sum(1).unique().tolist() == [2, 3, 4]
    assert {CLASSES[k] for k in drawn.kind[drawn.kind > 0].tolist()} == {"disc", "V"}
    every = draw_scenes(4000, seed=0).kind.unique()
    assert every.tolist() == list(range(1, len(CLASSES)))


def test_the_trees():
    for tree, leaves, depth in ((scene_tree(), CLASSES, 3), (action_tree(), ACTION_CLASSES, 3)):
        assert tree.is_tree and {tree.names[i] for i in tree.leaves} == set(leaves) and tree.depths.max() == depth
    true, dealt = scene_tree(), scene_tree(permuted=0)
    assert set(dealt.names) == set(true.names)
    assert sorted(dealt.depths.tolist()) == sorted(true.depths.tolist())
    above = [{t.names[i]: t.names[p[0]] for i, p in enumerate(t.parents) if p} for t in (true, dealt)]
    changed = sum(above[0][leaf] != above[1][leaf] for leaf in CLASSES)
    assert above[1]["background"] == "anything" and changed > 30
    assert all(above[0][inner] == above[1][inner] for inner in ("star", "polygon"))


def test_captions_at_every_level():
    drawn = draw_scenes(2, (1, 2), kinds=["five-pointed star"], seed=0)
    drawn.kind = torch.tensor([[CLASSES.index("five-pointed star"), CLASSES.index("arc")], [CLASSES.index("disc"), 0]])
    drawn.colour = torch.tensor([[0, 1], [4, 0]])
    drawn.texture = torch.tensor([[1, 0], [0, 0]])
    assert drawn.captions() == ["a red striped five-pointed star behind an orange arc", "a blue disc"]
    assert drawn.captions(2) == ["a red striped star behind an orange line", "a blue full round"]
    assert drawn.captions(1) == ["a red striped polygon behind an orange stroke", "a blue round shape"]
    assert drawn.captions(0)[1] == "a blue thing"


def moments(images: torch.Tensor):
    """Area, centre (x, y) and second moments of the white object in (T, 3, H, W)."""
    mass = images[:, 0]
    axis = (torch.arange(mass.shape[-1]) + 0.5) * 2 / mass.shape[-1] - 1
    total = mass.sum((1, 2))
    x, y = (mass.sum(1) * axis).sum(1) / total, (mass.sum(2) * -axis).sum(1) / total
    xx = (mass.sum(1) * (axis - x[:, None]) ** 2).sum(1) / total
    yy = (mass.sum(2) * (-axis - y[:, None]) ** 2).sum(1) / total
    return total, x, y, xx, yy


def test_actions_do_what_they_are_called():
    clips, actions = draw_clips(300, 5, kinds=["ellipse"], seed=0)
    clips.ground[:], clips.shade[:], clips.texture[:] = 0, 0, 0
    clips.colour[:] = list(scenes.COLOURS).index("white")
    frames = clips.render(48)[0].unflatten(0, (300, 5))
    assert actions.unique().numel() == len(ACTION_CLASSES)
    for film, action in zip(frames, actions.tolist(), strict=True):
        area, x, y, xx, yy = moments(film)
        name, first, last = ACTION_CLASSES[action], 0, -1
        dx, dy, growth = (x[last] - x[first]).item(), (y[last] - y[first]).item(), (area[last] / area[first]).item()
        wide = (xx / yy)[last] / (xx / yy)[first]
        if name in ("moves left", "moves right", "moves up", "moves down"):
            step = {"moves left": -dx, "moves right": dx, "moves up": dy, "moves down": -dy}[name]
            assert step > 0.5 and abs(dx) + abs(dy) - step < 0.2
        elif name == "pulses":
            assert area[1] < 0.8 * area[3]
        elif name in ("grows", "shrinks"):
            assert growth > 2 if name == "grows" else growth < 0.5
        elif name in ("is stretched", "is squashed"):
            assert wide > 2 if name == "is stretched" else wide < 0.5
        else:
            assert growth == pytest.approx(1, abs=0.1) and abs(dx) + abs(dy) < 0.1


def test_turning_left_is_anticlockwise():
    clips, actions = draw_clips(60, 3, kinds=["T"], seed=1)
    frame = clips.frame.unflatten(0, (60, 3))[:, :, 0]
    turned = frame[:, 1] @ torch.linalg.inv(frame[:, 0])
    for name, sign in (("turns left", 1), ("turns right", -1)):
        assert (turned[actions == ACTION_CLASSES.index(name)][:, 1, 0] * sign > 0.5).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw_scenes(2, 0), "objects must be"),
        (lambda: draw_scenes(2, (3, 2)), "objects must be"),
        (lambda: draw_scenes(2, kinds=["star"]), "'star'"),
        (lambda: draw_scenes(2, kinds=[]), "at least one leaf"),
        (lambda: draw_clips(2, 1), "frames must be"),
        (lambda: draw_scenes(2).captions(4), "level must be"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
