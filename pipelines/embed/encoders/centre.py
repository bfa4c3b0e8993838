"""Resize a picture and crop its centre in one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

Step = Callable[[Image.Image], Image.Image]

_FILTERS = {
    InterpolationMode.BILINEAR: Image.Resampling.BILINEAR,
    InterpolationMode.BICUBIC: Image.Resampling.BICUBIC,
}

_LARGEST_DENOMINATOR = 128
"""Of a scale that is exact: Pillow's boxes are float32, and sides of up to 65,535 pixels take 16 of its 24 bits."""


@dataclass(frozen=True)
class ResizedCentre:
    """Resize of the shorter side to S, and crop of the centre.

    The pixels are those of torchvision's two steps, to the bit. Columns that the crop removes cost less or nothing.

    Attributes:
        resize: torchvision's resize to S.
        crop: its centre crop of S x S pixels.
    """

    resize: Resize
    crop: CenterCrop

    def __call__(self, picture: Image.Image) -> Image.Image:
        """Return the centre, S x S pixels.

        Pillow resizes the columns and rounds them to whole levels, then the rows. So columns may be cropped in between.
        It begins with the rows of some tall pictures, depending on its version: these are resized whole.
        """
        (side, _), (width, height) = self.crop.size, picture.size
        if width < height:
            return self.crop(self.resize(picture))
        wide, resample = side * width // height, _FILTERS[self.resize.interpolation]
        left = round((wide - side) / 2)
        if _is_exact(width, wide):
            box = (left * width / wide, 0, (left + side) * width / wide, height)
            columns = picture.resize((side, height), resample, box)
        else:
            columns = picture.resize((wide, height), resample).crop((left, 0, left + side, height))
        return columns.resize((side, side), resample)


def with_resized_centre(steps: Sequence[Step]) -> list[Step]:
    """Replace a leading resize and centre crop of one side by :class:`ResizedCentre`.

    Other steps are returned as they are.
    """
    match steps:
        case [Resize(size=int(side), max_size=None) as resize, CenterCrop() as crop, *rest]:
            if tuple(crop.size) == (side, side) and resize.interpolation in _FILTERS:
                return [ResizedCentre(resize, crop), *rest]
    return list(steps)


def _is_exact(source: int, target: int) -> bool:
    """Check that the pixels per target pixel are a fraction of a small power of two.

    Then a box of the source is exact in binary, and gives each column the weights of the whole resize.
    """
    return (source / target).as_integer_ratio()[1] <= _LARGEST_DENOMINATOR
