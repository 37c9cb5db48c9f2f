"""Paints the sample films: a drawn figure doing six things, of which pairs are each other's time reversal.

    python sample_videos/paint.py [--out DIR] [--seed 7]

Twelve figures, each with its own clothes, build, hair and two places, do every action twice:
DIR/ACTION/figureNN_TT.webm. A thirteenth figure does all of them, one after another, in DIR/a_day.webm; what it
does when is in DIR/a_day.csv.

Films come in twins. One take is painted, frame by frame, for the first action of a pair, and the very same
frames in reverse order are the film of the second. So no frame and no bag of frames tells which of the pair a
film shows; only the order of the frames does.

Lengths of a figure are in its own height and grow upwards; places in the picture are in picture widths and heights.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]  # blue, green, red
Point = tuple[float, float]
Picture = NDArray[np.uint8]  # (height, width, 3), BGR as OpenCV writes it

PAIRS = (("sit-down", "stand-up"), ("walk-right", "walk-left"), ("pick-up", "put-down"))
ACTIONS = tuple(action for pair in PAIRS for action in pair)
FIGURES = 12
TAKES = 2
WIDTH, HEIGHT = 112, 84  # pixels of a film
FINE = 4  # painted pixels per film pixel, each way
MARGIN = 6  # film pixels painted beyond each edge, so that a shaking camera finds something there
TRACK_UID = b"\x73\xc5\x88"  # the Matroska element that holds it, eight bytes long
DAY_SECONDS = 2.5  # each action of the long film
DAY_FPS = 12.0
DAY_ACTIONS = (
    "walk-right", "pick-up", "walk-left", "put-down", "sit-down", "stand-up",
    "pick-up", "walk-right", "put-down", "walk-left", "sit-down", "stand-up",
)  # fmt: skip

UPPER_LEG = LOWER_LEG = 0.235
TORSO = 0.30
ARM = 0.165  # upper and lower alike
SEAT = 0.25  # height of a chair's seat
BEND_DEGREES = 62.0  # how far the torso leans when a hand is at the floor


# ---- who and where ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """Who is drawn: colours, hair and build."""

    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    hair_style: str
    sleeves: bool
    skirt: bool
    stripes: bool
    build: float  # 1 is medium


@dataclass(frozen=True)
class Thing:
    """What is picked up: a ball, a box or a bag."""

    kind: str
    colour: Colour
    radius: float  # figure heights


@dataclass(frozen=True)
class Pose:
    """All that moves, at one moment. Equal poses are drawn alike."""

    x: float  # between the feet, in picture widths
    sit: float = 0.0  # 0 stands, 1 sits
    reach: float = 0.0  # 0 upright, 1 the hand is where the thing lies
    phase: float = 0.0  # of the gait, in cycles
    stride: float = 0.0  # 0 feet together, 1 full steps
    holds: bool = False
    spot: Point = (0.5, 0.0)  # where the thing lies: picture widths, figure heights above the floor
    side: int = 1  # of the hand that reaches: 1 is the right of the picture


@dataclass(frozen=True)
class Scene:
    """What stays the same through a film."""

    figure: Figure
    place: Picture  # painted with its margin
    height: float  # of the figure, in picture heights
    floor: float  # where the feet stand, in picture heights from the top
    thing: Thing
    table: float  # height of what the thing lies on; 0 is the floor
    table_x: float  # picture widths
    chair_x: float  # picture widths
    chair: Colour


@dataclass(frozen=True)
class Take:
    """One performance: a scene, its poses in time, and the seed of camera, light and noise."""

    scene: Scene
    poses: tuple[Pose, ...]
    fps: float
    seed: tuple[int, ...]


SKINS: tuple[Colour, ...] = ((178, 205, 240), (140, 180, 226), (98, 140, 196), (66, 98, 150), (48, 70, 112))
HAIRS: tuple[Colour, ...] = (
    (30, 34, 40), (38, 62, 98), (60, 110, 170), (110, 180, 222), (40, 70, 160), (150, 150, 155),
)  # fmt: skip
CLOTHES: tuple[Colour, ...] = (
    (48, 48, 214), (196, 84, 30), (44, 150, 40), (30, 170, 236), (150, 44, 140), (160, 150, 20), (120, 50, 20),
    (60, 110, 240), (120, 60, 220), (200, 170, 60), (40, 60, 150), (70, 110, 20), (150, 60, 230),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = ((96, 54, 30), (42, 42, 46), (60, 82, 116), (110, 110, 104), (40, 74, 52), (120, 84, 70))
STYLES = ("short", "long", "bun", "bald", "cap", "curls", "bob", "tuft")
THINGS = ("ball", "box", "bag")


def new_figure(number: int, rng: np.random.Generator) -> Figure:
    """Figure `number`: no two have the same shirt."""
    return Figure(
        skin=SKINS[int(rng.integers(len(SKINS)))],
        hair=HAIRS[int(rng.integers(len(HAIRS)))],
        shirt=CLOTHES[number % len(CLOTHES)],
        trousers=TROUSERS[int(rng.integers(len(TROUSERS)))],
        shoes=((24, 24, 28), (40, 60, 90), (225, 225, 230))[int(rng.integers(3))],
        hair_style=STYLES[number % len(STYLES)],
        sleeves=bool(rng.random() < 0.5),
        skirt=bool(number % 3 == 1),
        stripes=bool(rng.random() < 0.35),
        build=float(rng.uniform(0.85, 1.25)),
    )


# ---- motion: what an action is ---------------------------------------------------------------------------------------


def ease(time: float) -> float:
    """0 up to time 0, 1 from time 1, smooth between."""
    time = min(max(time, 0.0), 1.0)
    return time * time * (3.0 - 2.0 * time)


def glide(time: float, ramp: float = 0.15) -> float:
    """0 up to time 0, 1 from time 1, at an even pace between but for `ramp` at each end."""
    time = min(max(time, 0.0), 1.0)
    if time > 0.5:
        return 1.0 - glide(1.0 - time, ramp)
    distance = time * time / (2.0 * ramp) if time < ramp else time - ramp / 2.0
    return distance / (1.0 - ramp)


def times(count: int, lead: float) -> list[float]:
    """The `count` moments of an action that rests `lead` of the film before and after: from below 0 to above 1."""
    return [(index / (count - 1) - lead) / (1.0 - 2.0 * lead) for index in range(count)]


def sit_down(start: Pose, moments: Iterable[float]) -> list[Pose]:
    """A standing figure takes its seat."""
    return [replace(start, sit=ease(moment)) for moment in moments]


def walk(start: Pose, moments: Iterable[float], end_x: float, step: float) -> list[Pose]:
    """A figure crosses the picture to `end_x`; `step` is in picture widths."""
    poses = []
    for moment in moments:
        done = glide(moment)
        distance = abs(end_x - start.x) * done
        stride = min(1.0, 8.0 * done, 8.0 * (1.0 - done))
        x = start.x + (end_x - start.x) * done
        poses.append(replace(start, x=x, phase=distance / (2.0 * step), stride=stride))
    return poses


def pick_up(start: Pose, moments: Iterable[float], grasp: float = 0.5) -> list[Pose]:
    """A figure bends to the thing, takes it at the moment `grasp`, and rises and holds it up."""
    poses = []
    for moment in moments:
        down, up = ease(moment / (grasp - 0.04)), ease((moment - grasp - 0.04) / (0.96 - grasp))
        poses.append(replace(start, reach=down - up, holds=moment >= grasp))
    return poses


# ---- skeleton: where a pose puts the joints --------------------------------------------------------------------------


@dataclass(frozen=True)
class Limb:
    """An arm or a leg: three joints, from the body outwards."""

    root: Point
    joint: Point
    end: Point


@dataclass(frozen=True)
class Skeleton:
    """All joints of a pose, in figure heights from the point between the feet."""

    hip: Point
    neck: Point
    head: Point
    lean: float  # radians
    legs: tuple[Limb, Limb]
    arms: tuple[Limb, Limb]
    thing: Point


def mix(one: Point, other: Point, part: float) -> Point:
    """`one` at part 0, `other` at part 1."""
    return one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part


def bent(root: Point, target: Point, bone: float, side: int) -> Limb:
    """Two bones of equal length from `root` towards `target`, the joint between them to `side`."""
    along = (target[0] - root[0], target[1] - root[1])
    distance = max(math.hypot(*along), 1e-6)
    reached = min(distance, 1.995 * bone)
    unit = (along[0] / distance, along[1] / distance)
    out = math.sqrt(bone * bone - reached * reached / 4.0)
    turn = 1.0 if -unit[1] * side > 0 else -1.0
    end = (root[0] + unit[0] * reached, root[1] + unit[1] * reached)
    middle = mix(root, end, 0.5)
    return Limb(root, (middle[0] - unit[1] * out * turn, middle[1] + unit[0] * out * turn), end)


def foot(pose: Pose, side: int) -> Point:
    """A foot stands still on the floor for half a cycle of the gait, and is swung for the other half."""
    cycle = (pose.phase + (0.25 if side > 0 else 0.75)) % 1.0
    swing = cycle >= 0.5
    across = (0.5 - 4.0 * (cycle - 0.5) * 0.5) if swing else (-0.5 + 2.0 * cycle)
    lift = 0.05 * math.sin(2.0 * math.pi * (cycle - 0.5)) if swing else 0.0
    return 0.05 * side * (1.0 + pose.sit) - 0.26 * across * pose.stride, lift * pose.stride


def leg(pose: Pose, hip: Point, side: int) -> Limb:
    """A leg; bent towards the viewer it only looks shorter."""
    root = (hip[0] + 0.05 * side, hip[1])
    end = foot(pose, side)
    middle = mix(root, end, 0.5)
    squat = 1.0 - (root[1] - end[1]) / (UPPER_LEG + LOWER_LEG)
    standing = (middle[0] + 0.10 * squat * side, middle[1] + 0.04 * squat)
    return Limb(root, mix(standing, (end[0], SEAT - 0.035), ease(pose.sit)), end)


def arm(pose: Pose, shoulder: Point, side: int, spot: Point) -> Limb:
    """An arm hangs and swings, lies on the knee, reaches for the thing or holds it up."""
    swing = 0.11 * pose.stride * math.sin(2.0 * math.pi * pose.phase) * side
    hanging = (shoulder[0] + 0.07 * side + swing, shoulder[1] - 0.30 + abs(swing) * 0.3)
    target = mix(hanging, (0.085 * side, SEAT + 0.02), ease(pose.sit))
    if side == pose.side:
        raised = (shoulder[0] + 0.16 * side, shoulder[1] + 0.19)
        target = mix(raised if pose.holds else target, spot, pose.reach)
    return bent(shoulder, target, ARM, side)


def skeleton(pose: Pose, widths: float, build: float) -> Skeleton:
    """Joints of a pose; `widths` is the picture's width in figure heights."""
    spot = ((pose.spot[0] - pose.x) * widths, pose.spot[1])
    depth = pose.reach * (1.0 - 1.3 * pose.spot[1])
    bob = 0.014 * pose.stride * math.cos(4.0 * math.pi * pose.phase)
    hip = (0.04 * depth * -pose.side, 0.465 - (0.465 - SEAT) * pose.sit - 0.23 * depth + bob)
    lean = math.radians(BEND_DEGREES) * depth * pose.side
    up = (math.sin(lean), math.cos(lean))
    torso = TORSO * (1.0 - 0.5 * pose.sit * (1.0 - pose.sit))
    neck = (hip[0] + torso * up[0], hip[1] + torso * up[1])
    head = (neck[0] + 0.11 * math.sin(0.8 * lean), neck[1] + 0.11 * math.cos(0.8 * lean))
    half = 0.085 * build
    shoulders = {side: (neck[0] + half * side * up[1], neck[1] - 0.03 - half * side * up[0]) for side in (-1, 1)}
    arms = (arm(pose, shoulders[-1], -1, spot), arm(pose, shoulders[1], 1, spot))
    thing = arms[pose.side > 0].end if pose.holds else spot
    return Skeleton(hip, neck, head, lean, (leg(pose, hip, -1), leg(pose, hip, 1)), arms, thing)


# ---- brush: shapes on a canvas ---------------------------------------------------------------------------------------


def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (factor below 1) or lighter."""
    blue, green, red = (min(255, round(part * factor)) for part in colour)
    return blue, green, red


class Brush:
    """Draws on a canvas in units of its own: `origin` is in canvas pixels, `unit` pixels long, y grows upwards."""

    def __init__(self, canvas: Picture, origin: Point, unit: float) -> None:
        self.canvas, self.origin, self.unit = canvas, origin, unit

    def _fixed(self, point: Point) -> tuple[int, int]:
        x = self.origin[0] + point[0] * self.unit
        y = self.origin[1] - point[1] * self.unit
        return round(x * 16), round(y * 16)  # OpenCV's fixed point, four bits

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A bent line with round ends."""
        fixed = np.array([self._fixed(point) for point in points], np.int32)
        cv2.polylines(self.canvas, [fixed], False, colour, max(1, round(width * self.unit)), cv2.LINE_AA, 4)

    def disc(self, centre: Point, radii: Point, colour: Colour, degrees: float = 0.0, arc: Point = (0, 360)) -> None:
        """An ellipse, or the part of it between two angles."""
        axes = (round(radii[0] * self.unit * 16), round(radii[1] * self.unit * 16))
        cv2.ellipse(self.canvas, self._fixed(centre), axes, degrees, arc[0], arc[1], colour, -1, cv2.LINE_AA, 4)

    def shape(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""
        fixed = np.array([self._fixed(point) for point in points], np.int32)
        cv2.fillPoly(self.canvas, [fixed], colour, cv2.LINE_AA, 4)

    def box(self, low: Point, high: Point, colour: Colour) -> None:
        """A filled rectangle."""
        self.shape([low, (high[0], low[1]), high, (low[0], high[1])], colour)


# ---- figure: a skeleton gets clothes ---------------------------------------------------------------------------------


def draw_limb(brush: Brush, limb: Limb, widths: Point, colours: tuple[Colour, Colour]) -> None:
    """Upper and lower half of an arm or a leg, with a darker edge."""
    for edge, factor in ((0.018, 0.55), (0.0, 1.0)):
        brush.line((limb.joint, limb.end), widths[1] + edge, shade(colours[1], factor))
        brush.line((limb.root, limb.joint), widths[0] + edge, shade(colours[0], factor))


def draw_legs(brush: Brush, bones: Skeleton, figure: Figure) -> None:
    """Legs, shoes and, where worn, a skirt."""
    upper = shade(figure.trousers, 1.0)
    lower = figure.skin if figure.skirt else upper
    for limb, side in zip(bones.legs, (-1, 1), strict=True):
        draw_limb(brush, limb, (0.085 * figure.build, 0.07 * figure.build), (upper, lower))
        toe = (limb.end[0] + 0.012 * side, limb.end[1] + 0.008)
        brush.disc(toe, (0.05, 0.026), shade(figure.shoes, 0.5))
        brush.disc(toe, (0.042, 0.02), figure.shoes)
    if figure.skirt:
        left, right = bones.legs
        hem = [mix(limb.joint, limb.end, 0.15) for limb in (left, right)]
        waist = [(bones.hip[0] + 0.06 * side, bones.hip[1] + 0.06) for side in (1, -1)]
        brush.shape([(hem[0][0] - 0.05, hem[0][1]), (hem[1][0] + 0.05, hem[1][1]), *waist], figure.trousers)


def draw_torso(brush: Brush, bones: Skeleton, figure: Figure) -> None:
    """Neck and shirt."""
    along = (math.sin(bones.lean), math.cos(bones.lean))
    across = (along[1], -along[0])

    def at(up: float, out: float) -> Point:
        length = math.dist(bones.hip, bones.neck) * up
        out *= figure.build
        return (
            bones.hip[0] + along[0] * length + across[0] * out,
            bones.hip[1] + along[1] * length + across[1] * out,
        )

    brush.line((bones.neck, bones.head), 0.06, shade(figure.skin, 0.85))
    corners = [at(-0.08, -0.075), at(-0.08, 0.075), at(0.55, 0.078), at(0.97, 0.10), at(0.97, -0.10), at(0.55, -0.078)]
    brush.line([*corners, corners[0]], 0.05, shade(figure.shirt, 0.55))
    brush.shape(corners, figure.shirt)
    brush.line([*corners, corners[0]], 0.03, figure.shirt)
    for up in (0.25, 0.5, 0.75) if figure.stripes else ():
        brush.line((at(up, -0.07), at(up, 0.07)), 0.03, shade(figure.shirt, 0.6))


def draw_back_hair(brush: Brush, bones: Skeleton, figure: Figure) -> None:
    """Hair that falls behind the shoulders."""
    if figure.hair_style in ("long", "bob"):
        drop = 0.07 if figure.hair_style == "long" else 0.03
        x, y = bones.head[0] - drop * math.sin(bones.lean), bones.head[1] - drop * math.cos(bones.lean)
        brush.disc((x, y), (0.1, 0.09 + drop), figure.hair, math.degrees(bones.lean) * 0.8)


def draw_head(brush: Brush, bones: Skeleton, figure: Figure) -> None:
    """Hair and a face that looks at the viewer."""
    x, y = bones.head
    tilt = math.degrees(bones.lean) * 0.8
    if figure.hair_style in ("bun", "tuft"):
        top = (x + 0.1 * math.sin(bones.lean), y + 0.1 * math.cos(bones.lean))
        brush.disc(top, (0.04, 0.04), figure.hair)
    if figure.hair_style == "curls":
        for angle in range(-20, 201, 44):
            turn = math.radians(angle - tilt)
            brush.disc((x + 0.078 * math.cos(turn), y + 0.078 * math.sin(turn)), (0.038, 0.038), figure.hair)
    brush.disc((x, y), (0.088, 0.093), shade(figure.skin, 0.5), tilt)
    brush.disc((x, y), (0.078, 0.083), figure.skin, tilt)
    if figure.hair_style != "bald":
        cover = figure.shirt if figure.hair_style == "cap" else figure.hair
        brush.disc((x, y), (0.09, 0.095), cover, tilt, (195, 345))
    draw_face(brush, bones.head, math.radians(tilt))


def draw_face(brush: Brush, head: Point, tilt: float) -> None:
    """Two eyes and a mouth."""

    def at(out: float, up: float) -> Point:
        return (
            head[0] + out * math.cos(tilt) + up * math.sin(tilt),
            head[1] - out * math.sin(tilt) + up * math.cos(tilt),
        )

    for side in (-1, 1):
        brush.disc(at(0.03 * side, 0.0), (0.011, 0.014), (20, 20, 24))
    brush.line((at(-0.025, -0.042), at(0.025, -0.042)), 0.012, (50, 50, 120))


def draw_arm(brush: Brush, limb: Limb, figure: Figure) -> None:
    """An arm and its hand."""
    lower = figure.shirt if figure.sleeves else figure.skin
    draw_limb(brush, limb, (0.058 * figure.build, 0.05 * figure.build), (shade(figure.shirt, 0.88), shade(lower, 0.92)))
    brush.disc(limb.end, (0.034, 0.034), shade(figure.skin, 0.55))
    brush.disc(limb.end, (0.027, 0.027), figure.skin)


def draw_thing(brush: Brush, thing: Thing, centre: Point) -> None:
    """A ball, a box or a bag, with its edge and a mark on it."""
    x, y = centre
    for size, colour in ((thing.radius + 0.01, shade(thing.colour, 0.45)), (thing.radius, thing.colour)):
        if thing.kind == "ball":
            brush.disc(centre, (size, size), colour)
        else:
            brush.box((x - size, y - size), (x + size, y + size), colour)
    half = thing.radius * 0.5
    if thing.kind == "ball":
        brush.disc((x - half * 0.5, y + half * 0.5), (half * 0.6, half * 0.6), shade(thing.colour, 1.5))
    elif thing.kind == "box":
        brush.box((x - half * 0.4, y - thing.radius), (x + half * 0.4, y + thing.radius), shade(thing.colour, 0.65))
    else:
        brush.line(((x - half, y + half * 2), (x, y + half * 3), (x + half, y + half * 2)), 0.02, (40, 40, 40))


def draw_figure(brush: Brush, bones: Skeleton, scene: Scene, holds: bool) -> None:
    """The whole figure, and the thing in its hand or where it lies."""
    brush.disc((bones.hip[0] * 0.5, -0.015), (0.2, 0.03), (52, 56, 60))
    if not holds:
        draw_thing(brush, scene.thing, bones.thing)
    draw_legs(brush, bones, scene.figure)
    draw_back_hair(brush, bones, scene.figure)
    draw_torso(brush, bones, scene.figure)
    draw_head(brush, bones, scene.figure)
    if holds:
        draw_thing(brush, scene.thing, bones.thing)
    for limb in bones.arms:
        draw_arm(brush, limb, scene.figure)


def draw_chair(brush: Brush, colour: Colour) -> None:
    """A chair seen from the front, a little behind the figure."""
    dark = shade(colour, 0.6)
    for side in (-0.13, 0.13):
        brush.line(((side, 0.05), (side, 0.64)), 0.035, dark)
        brush.line(((side * 1.1, 0.01), (side * 1.1, SEAT - 0.04)), 0.035, colour)
    brush.box((-0.14, 0.42), (0.14, 0.62), colour)
    brush.box((-0.16, SEAT - 0.06), (0.16, SEAT + 0.01), shade(colour, 1.2))


def draw_table(brush: Brush, height: float) -> None:
    """A crate that the thing lies on."""
    brush.box((-0.12, 0.0), (0.12, height), (58, 88, 118))
    brush.box((-0.105, 0.015), (0.105, height - 0.03), (84, 122, 156))


# ---- places ----------------------------------------------------------------------------------------------------------


def gradient(top: Colour, bottom: Colour, height: int, width: int) -> Picture:
    """A picture that goes from one colour to the other, downwards."""
    ramp = np.linspace(0.0, 1.0, height)[:, None, None]
    rows = np.array(top) * (1.0 - ramp) + np.array(bottom) * ramp
    return np.repeat(rows, width, axis=1).astype(np.uint8)


def pale(rng: np.random.Generator, low: int = 120, high: int = 205) -> Colour:
    """A quiet colour, so that the figure stands out."""
    base = rng.integers(low, high)
    blue, green, red = (int(np.clip(base + rng.integers(-22, 23), 0, 255)) for _ in range(3))
    return blue, green, red


def empty_place(horizon: float, above: tuple[Colour, Colour], below: tuple[Colour, Colour]) -> tuple[Picture, Brush]:
    """A wall or a sky over a floor, and a brush whose unit is the picture's width and whose zero is its lower left."""
    width, height = (WIDTH + 2 * MARGIN) * FINE, (HEIGHT + 2 * MARGIN) * FINE
    split = round(height * horizon)
    canvas = np.concatenate([gradient(*above, split, width), gradient(*below, height - split, width)])
    return canvas, Brush(canvas, (0, float(height)), float(width))


def room(rng: np.random.Generator) -> Picture:
    """A wall with a window, a picture and a shelf or a lamp."""
    wall, floor = pale(rng, 150, 215), pale(rng, 90, 150)
    canvas, brush = empty_place(0.7, (wall, shade(wall, 0.9)), (shade(floor, 0.85), floor))
    line = 0.3 * brush.origin[1] / brush.unit
    brush.box((0, line - 0.004), (1, line + 0.016), shade(wall, 0.7))
    for _ in range(3):
        brush.line(((0, line * rng.uniform(0, 1)), (1, line * rng.uniform(0, 1))), 0.004, shade(floor, 0.93))
    x = rng.uniform(0.06, 0.65)
    brush.box((x, 0.42), (x + 0.24, 0.68), shade(wall, 0.6))
    brush.box((x + 0.015, 0.435), (x + 0.225, 0.665), (228, 205, 170))
    brush.box((x + 0.112, 0.435), (x + 0.126, 0.665), shade(wall, 0.6))
    other = (x + 0.42) % 0.85
    if rng.random() < 0.5:
        draw_shelf(brush, other, rng)
    else:
        draw_lamp(brush, other, line)
    return canvas


def draw_shelf(brush: Brush, x: float, rng: np.random.Generator) -> None:
    """A board with books."""
    brush.box((x, 0.5), (x + 0.2, 0.515), (60, 84, 110))
    for index in range(8):
        left = x + 0.01 + index * 0.022
        brush.box((left, 0.515), (left + 0.017, 0.56 + 0.04 * rng.random()), pale(rng, 70, 170))


def draw_lamp(brush: Brush, x: float, line: float) -> None:
    """A standing lamp."""
    brush.line(((x + 0.05, line), (x + 0.05, 0.55)), 0.01, (70, 70, 74))
    brush.shape(((x, 0.53), (x + 0.1, 0.53), (x + 0.075, 0.62), (x + 0.025, 0.62)), (150, 210, 232))


def park(rng: np.random.Generator) -> Picture:
    """Sky, hills, trees and grass."""
    grass = (70 + int(rng.integers(30)), 150 + int(rng.integers(25)), 110 + int(rng.integers(40)))
    canvas, brush = empty_place(0.62, ((225, 190, 150), (235, 222, 205)), (shade(grass, 0.85), shade(grass, 1.05)))
    line = 0.38 * brush.origin[1] / brush.unit
    for _ in range(3):
        brush.disc((rng.uniform(0, 1), line - 0.02), (rng.uniform(0.2, 0.4), rng.uniform(0.06, 0.14)), (118, 160, 128))
    brush.box((0, line - 0.06), (1, line), shade(grass, 0.86))
    for _ in range(2):
        brush.disc((rng.uniform(0, 1), rng.uniform(0.66, 0.74)), (rng.uniform(0.06, 0.12), 0.025), (244, 240, 236))
    first = rng.uniform(0, 0.35)
    for x in (first, first + rng.uniform(0.3, 0.6)):
        draw_tree(brush, x, line, rng.uniform(0.8, 1.2))
    brush.shape(((0, 0.02), (0, 0.12), (1, 0.16), (1, 0.04)), (150, 186, 200))
    return canvas


def draw_tree(brush: Brush, x: float, line: float, size: float) -> None:
    """A trunk and three leafy balls."""
    brush.line(((x, line - 0.03), (x, line + 0.18 * size)), 0.035 * size, (58, 84, 104))
    for out, up, radius in ((-0.06, 0.2, 0.075), (0.06, 0.21, 0.075), (0.0, 0.28, 0.085)):
        brush.disc((x + out * size, line + up * size), (radius * size, radius * size), (84, 128, 88))


def street(rng: np.random.Generator) -> Picture:
    """Houses with windows over a pavement, and a lamp post."""
    ground = pale(rng, 120, 160)
    canvas, brush = empty_place(0.68, ((215, 190, 165), (225, 215, 205)), (shade(ground, 0.8), ground))
    line = 0.32 * brush.origin[1] / brush.unit
    left = -0.05
    while left < 1.0:
        width = rng.uniform(0.22, 0.36)
        draw_house(brush, (left, line), width, rng.uniform(0.36, 0.5), pale(rng, 125, 190))
        left += width
    brush.box((0, line - 0.03), (1, line), shade(ground, 1.15))
    x = rng.uniform(0.05, 0.95)
    brush.line(((x, line - 0.02), (x, line + 0.42)), 0.012, (72, 72, 76))
    brush.disc((x, line + 0.43), (0.03, 0.02), (190, 225, 235))
    return canvas


def draw_house(brush: Brush, corner: Point, width: float, height: float, colour: Colour) -> None:
    """A house front with a roof line and two rows of windows."""
    x, y = corner
    brush.box((x, y), (x + width, y + height), colour)
    brush.box((x, y + height - 0.02), (x + width, y + height), shade(colour, 0.7))
    for row in (0.1, 0.25):
        for part in (0.15, 0.6):
            low = (x + width * part, y + row)
            brush.box(low, (low[0] + width * 0.25, low[1] + 0.08), shade(colour, 0.68))


def faded(place: Picture) -> Picture:
    """A place as if in haze, so that the figure stands out."""
    haze = np.full_like(place, HAZE)
    return np.asarray(cv2.addWeighted(place, 0.42, haze, 0.58, 0.0), np.uint8)


PLACES = (room, park, street)
HAZE: Colour = (205, 205, 205)


# ---- takes: the dice are thrown here ---------------------------------------------------------------------------------


def new_thing(rng: np.random.Generator) -> Thing:
    """Something bright to pick up."""
    colours: tuple[Colour, ...] = ((40, 40, 220), (40, 200, 245), (200, 90, 30), (190, 60, 190), (60, 140, 250))
    kind = THINGS[int(rng.integers(len(THINGS)))]
    return Thing(kind, colours[int(rng.integers(len(colours)))], float(rng.uniform(0.085, 0.11)))


def new_scene(figure: Figure, place: Picture, rng: np.random.Generator) -> Scene:
    """A scene for any action: a chair and a thing are always there, so neither tells what will happen."""
    return Scene(
        figure=figure,
        place=place,
        height=float(rng.uniform(0.7, 0.8)),
        floor=float(rng.uniform(0.89, 0.95)),
        thing=new_thing(rng),
        table=float(rng.uniform(0.14, 0.2)) if rng.random() < 0.2 else 0.0,
        table_x=0.0,
        chair_x=float(rng.uniform(0.36, 0.64)),
        chair=pale(rng, 60, 130),
    )


def figure_widths(scene: Scene) -> float:
    """The picture's width in figure heights."""
    return WIDTH / (HEIGHT * scene.height)


def lies_at(scene: Scene, x: float, side: int) -> Point:
    """Where the thing lies for a figure at `x` to reach it."""
    return x + side * 0.3 / figure_widths(scene), scene.table + scene.thing.radius


def perform(pair: int, scene: Scene, count: int, rng: np.random.Generator) -> tuple[Scene, list[Pose]]:
    """`count` poses of the first action of a pair, and the scene with its furniture put where they need it."""
    side = 1 if rng.random() < 0.5 else -1
    moments = times(count, float(rng.uniform(0.03, 0.1)))
    if PAIRS[pair][0] == "walk-right":
        spot = lies_at(scene, float(rng.uniform(0.3, 0.7)), side)
        pose = Pose(float(rng.uniform(0.1, 0.26)), holds=bool(rng.random() < 0.3), spot=spot, side=side)
        step = 0.26 / figure_widths(scene) * float(rng.uniform(0.9, 1.3))
        poses = walk(pose, moments, float(rng.uniform(0.74, 0.9)), step)
    elif PAIRS[pair][0] == "sit-down":
        spot = lies_at(scene, scene.chair_x, side)
        poses = sit_down(Pose(scene.chair_x, spot=spot, side=side), moments)
    else:
        x = float(rng.uniform(0.36, 0.64))
        spot = lies_at(scene, x, side)
        poses = pick_up(Pose(x, spot=spot, side=side), moments, float(rng.uniform(0.4, 0.6)))
    return replace(scene, table_x=spot[0]), poses


def figure_and_place(seed: int, number: int, take: int) -> tuple[Figure, Picture]:
    """Figure `number` and the place of its take: the same for all of its actions."""
    figure = new_figure(number, np.random.default_rng((seed, number)))
    rng = np.random.default_rng((seed, number, take))
    return figure, faded(PLACES[(number + take) % len(PLACES)](rng))


def new_take(action: str, number: int, take: int, seed: int) -> Take:
    """Take `take` of an action by figure `number`. The twin's poses are the same in reverse."""
    pair = next(index for index, names in enumerate(PAIRS) if action in names)
    key = (seed, number, take, pair)
    rng = np.random.default_rng(key)
    scene = new_scene(*figure_and_place(seed, number, take), rng)
    fps = float(rng.choice((12, 12.5, 13, 14, 15), p=(0.3, 0.2, 0.2, 0.2, 0.1)))
    count = round(float(rng.uniform(1.6, 2.6)) * fps)
    scene, poses = perform(pair, scene, count, rng)
    return Take(scene, tuple(poses), fps, key)


def new_day(seed: int) -> Take:
    """A thirteenth figure does all actions one after another, without a break between them."""
    figure, place = figure_and_place(seed, FIGURES, 1)
    chair_x, far_x = 0.34, 0.7
    thing = Thing("ball", (40, 200, 245), 0.095)
    scene = Scene(figure, place, 0.72, 0.92, thing, 0.0, 0.0, chair_x, (70, 96, 124))
    moments = times(round(DAY_SECONDS * DAY_FPS), 0.05)
    pose = Pose(0.14, spot=lies_at(scene, far_x, -1), side=-1)
    poses: list[Pose] = []
    for action in DAY_ACTIONS:
        poses += act(action, pose, moments, (chair_x, far_x), scene)
        pose = poses[-1]
    return Take(scene, tuple(poses), DAY_FPS, (seed, FIGURES, 0, 0))


def new_random_day(seed: int, number: int) -> tuple[Take, list[tuple[str, float]]]:
    """Another figure does actions in an order and at a pace of its own; and each action with its seconds."""
    key = (seed, FIGURES + 1 + number, 0)
    rng = np.random.default_rng(key)
    scene = new_scene(*figure_and_place(seed, FIGURES + 1 + number, number % TAKES), rng)
    ends = float(rng.uniform(0.28, 0.42)), float(rng.uniform(0.62, 0.78))
    scene = replace(scene, chair_x=ends[0], table=0.0)
    pose = Pose(float(rng.uniform(0.1, 0.18)), spot=lies_at(scene, ends[1], -1), side=-1)
    done: list[tuple[str, float]] = []
    poses: list[Pose] = []
    here, thing_lies = "start", "far"
    for _ in range(len(DAY_ACTIONS)):
        action = str(rng.choice(possible_actions(here, thing_lies, sits=pose.sit > 0.5)))
        count = round(float(rng.uniform(1.4, 3.2)) * DAY_FPS)
        poses += act(action, pose, times(count, float(rng.uniform(0.03, 0.1))), ends, scene)
        pose = poses[-1]
        done.append((action, count / DAY_FPS))
        here = {"walk-right": "far", "walk-left": "chair"}.get(action, here)
        thing_lies = {"pick-up": "hand", "put-down": here}.get(action, thing_lies)
    return Take(scene, tuple(poses), DAY_FPS, key), done


def possible_actions(here: str, thing_lies: str, *, sits: bool) -> list[str]:
    """What a figure can do at a place, `start`, `chair` or `far`, if the thing lies at a place or is in its hand."""
    if sits:
        return ["stand-up"]
    actions = {"start": ["walk-right"], "chair": ["walk-right", "sit-down"], "far": ["walk-left"]}[here]
    if here != "start":
        actions += {here: ["pick-up"], "hand": ["put-down"]}.get(thing_lies, [])
    return actions


def act(action: str, start: Pose, moments: list[float], ends: Point, scene: Scene) -> list[Pose]:
    """One action of the long film, from where the one before ended; `ends` are the two places it walks between."""
    step = 0.26 / figure_widths(scene)
    if action == "walk-right":
        return walk(replace(start, phase=0.0), moments, ends[1], step)
    if action == "walk-left":
        there = replace(start, x=ends[0], phase=0.0)
        return walk(there, moments, start.x, step)[::-1]
    if action == "sit-down":
        return sit_down(start, moments)
    if action == "stand-up":
        return sit_down(replace(start, sit=0.0), moments)[::-1]
    if action == "pick-up":
        return pick_up(start, moments)
    there = replace(start, holds=False, spot=lies_at(scene, start.x, start.side))
    return pick_up(there, moments)[::-1]


# ---- camera and film -------------------------------------------------------------------------------------------------


def drift(count: int, rng: np.random.Generator, swing: float) -> NDArray[np.float64]:
    """A slow wander about zero, `swing` large: (count,)."""
    index = np.arange(count)
    wander = np.zeros(count)
    for _ in range(3):
        wander += swing / 2.0 * np.sin(2 * np.pi * (index / rng.uniform(14, 50) + rng.random()))
    return wander


def paint_frame(scene: Scene, pose: Pose) -> Picture:
    """One moment of a scene, large, with its margin."""
    canvas = scene.place.copy()
    unit = HEIGHT * FINE * scene.height
    floor = (MARGIN + HEIGHT * scene.floor) * FINE
    left = float(MARGIN * FINE)
    draw_chair(Brush(canvas, (left + scene.chair_x * WIDTH * FINE, floor - 0.04 * unit), unit), scene.chair)
    if scene.table > 0:
        draw_table(Brush(canvas, (left + scene.table_x * WIDTH * FINE, floor), unit), scene.table)
    brush = Brush(canvas, (left + pose.x * WIDTH * FINE, floor), unit)
    draw_figure(brush, skeleton(pose, figure_widths(scene), scene.figure.build), scene, pose.holds)
    return canvas


def photograph(canvas: Picture, shift: Point, light: NDArray[np.float32], grain: NDArray[np.float32]) -> Picture:
    """What the camera makes of a painted moment: moved, made small, lit, grainy."""
    corner = MARGIN * FINE
    move = np.array([[1, 0, shift[0] * FINE - corner], [0, 1, shift[1] * FINE - corner]], np.float64)
    moved = cv2.warpAffine(canvas, move, (WIDTH * FINE, HEIGHT * FINE), flags=cv2.INTER_LINEAR)
    small = cv2.resize(moved, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    lit: Picture = np.clip(small * light[..., None] + grain[..., None], 0, 255).astype(np.uint8)
    return lit


def film(take: Take) -> list[Picture]:
    """All frames of a take."""
    rng = np.random.default_rng((*take.seed, 1))
    count = len(take.poses)
    shake = np.stack([drift(count, rng, 0.7), drift(count, rng, 0.5)], axis=1)
    slope, gain = rng.uniform(-0.08, 0.08), rng.uniform(0.92, 1.06)
    side = np.linspace(-slope, slope, WIDTH, dtype=np.float32)[None, :]
    lights = gain * (1.0 + drift(count, rng, 0.02))
    frames = []
    for pose, shift, level in zip(take.poses, shake, lights, strict=True):
        noise = rng.normal(0.0, 2.5, (HEIGHT, WIDTH)).astype(np.float32)
        grain = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.2), np.float32)
        light = np.repeat((1.0 + side) * np.float32(level), HEIGHT, axis=0)
        frames.append(photograph(paint_frame(take.scene, pose), (shift[0], shift[1]), light, grain))
    return frames


def poses_of(action: str, number: int, take: int, seed: int) -> list[Pose]:
    """The poses of a clip in the order in which it shows them."""
    poses = list(new_take(action, number, take, seed).poses)
    return poses[::-1] if is_reversed(action) else poses


def clip(action: str, number: int, take: int, seed: int) -> tuple[list[Picture], float]:
    """The frames of a clip in the order in which it shows them, and its frames per second."""
    performance = new_take(action, number, take, seed)
    frames = film(performance)
    return (frames[::-1] if is_reversed(action) else frames), performance.fps


def is_reversed(action: str) -> bool:
    """Whether an action is the second of its pair: the first one's film run backwards."""
    return any(action == backwards for _, backwards in PAIRS)


def write_film(path: Path, frames: Sequence[Picture], fps: float) -> None:
    """Writes a VP8 film beside its name, then gives it the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.part.webm")
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(beside), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), fps, (width, height))
    if not writer.isOpened():
        raise SystemExit(f"{path}: this OpenCV cannot write VP8 films; opencv-python 5 can.")
    for frame in frames:
        writer.write(frame)
    writer.release()
    beside.write_bytes(without_chance(beside.read_bytes()))
    beside.replace(path)


def without_chance(film_bytes: bytes) -> bytes:
    """A WebM film with a fixed track number in place of the random one, so that equal films are equal files."""
    mark = film_bytes.index(TRACK_UID) + len(TRACK_UID)
    return film_bytes.replace(film_bytes[mark : mark + 8], (1).to_bytes(8, "big"), 2)


def write_intervals(path: Path, days: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    """Writes what each long film shows when, in seconds, from its actions and how long each takes."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "start_seconds", "end_seconds", "label"))
        for name, actions in days.items():
            start = 0.0
            for action, seconds in actions:
                writer.writerow((name, f"{start:.3f}", f"{start + seconds:.3f}", action))
                start += seconds
    beside.replace(path)


def paint_all(out: Path, seed: int) -> None:
    """Paints and writes the whole set."""
    for number in range(FIGURES):
        for action in ACTIONS:
            for take in range(TAKES):
                frames, fps = clip(action, number, take, seed)
                write_film(out / action / f"figure{number + 1:02d}_{take + 1:02d}.webm", frames, fps)
    day = new_day(seed)
    write_film(out / "a_day.webm", film(day), day.fps)
    length = round(DAY_SECONDS * DAY_FPS) / DAY_FPS
    write_intervals(out / "a_day.csv", {"a_day.webm": [(action, length) for action in DAY_ACTIONS]})


def paint_days(out: Path, count: int, seed: int) -> None:
    """Paints long films of other figures, and writes what they show when."""
    shown = {}
    for number in range(count):
        day, actions = new_random_day(seed, number)
        name = f"day{number + 1:02d}.webm"
        write_film(out / name, film(day), day.fps)
        shown[name] = actions
    write_intervals(out / "days.csv", shown)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Paint the sample films: the same ones each time from a seed.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to (this script's)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=0, help="paint so many other long films instead, with days.csv")
    arguments = parser.parse_args()
    if arguments.days:
        paint_days(arguments.out, arguments.days, arguments.seed)
    else:
        paint_all(arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
