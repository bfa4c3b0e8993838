"""Camera effects: distortion, movement, light, noise and compression."""

from __future__ import annotations

import cv2
import numpy as np

from packaged_models.hands.drawing.textures import noise


def distorted(picture: np.ndarray, labels: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Distort a picture and its labels like a wide-angle lens.

    The distortion is a barrel distortion with one radial term.

    Args:
        picture: float32 ``[H, W, 3]``.
        labels: uint8 ``[H, W]``.
        strength: 0 leaves the picture as it is; 0.35 is that of an action camera.
    """
    height, width = labels.shape
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    # Where the corners stay, no border is seen.
    grown = (1 + strength * (x * x + y * y)) / (1 + 2 * strength)
    across, down = (x * grown + 1) * (width - 1) / 2, (y * grown + 1) * (height - 1) / 2
    return (
        cv2.remap(picture, across, down, cv2.INTER_LINEAR),
        cv2.remap(labels, across, down, cv2.INTER_NEAREST),
    )


def streak(rng: np.random.Generator, length: float) -> np.ndarray:
    """Make the blur kernel of a camera that moves while exposing.

    Args:
        rng: decides the direction.
        length: approximate length of the camera's path in pixels.
    """
    side = int(length) // 2 * 2 + 3
    kernel = np.zeros((side, side), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    middle = side // 2
    ends = [tuple(np.rint(middle + sign * reach).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA)
    return kernel / kernel.sum()


def photographed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply light, colour, sharpness, noise and compression of a random camera.

    Args:
        picture: float32 ``[H, W, 3]``, 0 to 255; changed.
        rng: decides the camera.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    height, width = picture.shape[:2]
    dark = rng.random() < 0.12
    # Cameras choose their exposure by what they see.
    mean = float(rng.uniform(20, 50) if dark else rng.uniform(75, 145))
    gain = float(np.clip(mean / max(float(picture.mean()), 1.0), 0.2, 3.0))
    warmth = rng.normal(0, 0.09)
    picture *= (gain * np.array([1 + warmth, 1 + rng.normal(0, 0.025), 1 - warmth])).astype(np.float32)
    if rng.random() < 0.35:
        x, y = np.linspace(-1, 1, width, dtype=np.float32)[None], np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        picture *= (1 - rng.uniform(0.1, 0.45) * (x * x + y * y) / 2)[..., None].astype(np.float32)
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + (0.0 if rng.random() < 0.03 else float(rng.uniform(0.5, 1.3))) * (picture - grey)
    contrast = float(rng.uniform(0.75, 1.25))
    picture = (picture - 110) * contrast + 110
    blur = rng.random()
    if blur < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.5))))
    elif blur < 0.3:
        picture = np.asarray(cv2.filter2D(picture, -1, streak(rng, float(rng.uniform(2, 10)))))
    grain = rng.standard_normal((height, width), np.float32) * float(rng.uniform(2, 10) if dark else rng.uniform(0, 6))
    if rng.random() < 0.3:
        grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), 0.8) * 2)
    colours = np.array([1, rng.uniform(0.6, 1), rng.uniform(0.6, 1.2)], np.float32)
    seen = np.clip(picture + grain[..., None] * colours, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        seen = through_jpeg(seen, int(rng.integers(25, 90)))
    return seen


def through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """Compress and decompress a picture as JPEG.

    Args:
        picture: uint8 ``[H, W, 3]``.
        quality: JPEG quality, 1 to 100.
    """
    written = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR))


def lit(normals: np.ndarray, albedo: np.ndarray, gloss: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shade surfaces with ambient light, lamps and a highlight.

    One or two lamps are drawn; the highlight is that of Blinn (1977).

    Args:
        normals: float32 ``[N, 3]`` towards the outside, in camera axes (y down).
        albedo: float32 ``[N, 3]``, 0 to 1.
        gloss: float32 ``[N]``.
        rng: the lamps.

    Returns:
        float32 ``[N, 3]``, 0 to 255.
    """
    normals = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-6)
    around = float(rng.uniform(0.4, 0.85))
    light = np.outer(around * (0.75 - 0.25 * normals[:, 1]), 1 + rng.normal(0, 0.04, 3))
    shine = np.zeros(len(normals), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        towards = rng.normal(size=3) + np.array([0, -1.1, -0.7])
        towards /= np.linalg.norm(towards)
        soft = float(rng.uniform(0, 0.4))
        strength = float(rng.uniform(0.25, 0.9))
        falling = np.clip((normals @ towards + soft) / (1 + soft), 0, None)
        light += np.outer(strength * falling, 1 + rng.normal(0, 0.06, 3))
        half = towards + np.array([0, 0, -1.0])
        half /= np.linalg.norm(half)
        shine += strength * np.clip(normals @ half, 0, 1) ** 24
    shaded: np.ndarray = 255 * (albedo * light + 0.6 * (gloss * shine)[:, None])
    return shaded.astype(np.float32)


def occlusion(nearness: np.ndarray, size: float) -> np.ndarray:
    """Compute the light that reaches each pixel between its neighbours.

    Args:
        nearness: 1 / depth, float32 ``[H, W]``, 0 where nothing is.
        size: size of a hand, pixels.

    Returns:
        float32 ``[H, W]`` from about 0.5 to 1.
    """
    there = (nearness > 0).astype(np.float32)
    spread = max(size * 0.05, 1.0)
    around = cv2.GaussianBlur(nearness, (0, 0), spread) / np.maximum(cv2.GaussianBlur(there, (0, 0), spread), 1e-3)
    # A finger's breadth behind its surroundings takes half of the light.
    deeper = np.where(there > 0, 1 / np.maximum(nearness, 1e-3) - 1 / np.maximum(around, 1e-3), 0)
    return np.asarray(1 - np.clip(deeper / 0.03, 0, 0.55), np.float32)


def uneven(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draw patches of shade that fall on everything.

    Returns:
        float32 ``[height, width, 1]``.
    """
    return 1 + np.clip(rng.uniform(0, 0.25) * noise(rng, height, width, 3), -0.6, 0.6)[..., None]
