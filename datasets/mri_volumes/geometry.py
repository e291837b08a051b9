"""Bring volumes to one field of view and one matrix."""

import dataclasses
import math

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.datasets.resize import center_crop_or_pad, resize_kspace

# Tolerance for rounding errors in a matrix size that is a whole number.
EPSILON = 1e-6
ZERO_FILL = (None, "image", "kspace", "both")


@dataclasses.dataclass(frozen=True)
class Resizing:
    """Steps that resize the images of one volume.

    Args:
        size: Tuple `(H, W)` of the images in the file.
        steps: Tuple of pairs `(space, (h, w))`. `"image"` crops or zero-fills
            the image around its centre, which changes the field of view;
            `"kspace"` and `"acquired_extent"` crop or zero-fill k-space, which
            changes the voxels.
    """

    size: tuple
    steps: tuple = ()

    def __call__(self, images):
        """The images `(slices, H, W)` after all steps."""
        for space, size in self.steps:
            resize = center_crop_or_pad if space == "image" else resize_kspace
            images = resize(images, size)
        return images

    def share_cut_off(self, images):
        """The share of the images' energy that the image crop removes."""
        before = self.size
        for space, size in self.steps:
            if space == "image":
                box = tuple(
                    min(n, -(-new * n // old))
                    for n, new, old in zip(self.size, size, before)
                )
                if box == self.size:
                    break
                kept = center_crop_or_pad(images, box)
                norms = np.linalg.norm(kept), np.linalg.norm(images)
                return float(1 - (norms[0] / max(norms[1], 1e-30)) ** 2)
            before = size
        return 0.0

    @property
    def cropped_by(self):
        """The steps in words, joined by "+", or "none"."""
        done, before = [], self.size
        for space, size in self.steps:
            if size != before and space == "acquired_extent":
                done.append(space)
            elif size != before:
                name = "center" if space == "image" else space
                pairs = list(zip(size, before))
                if any(new < old for new, old in pairs):
                    done.append(f"{name}_crop")
                if any(new > old for new, old in pairs):
                    done.append(f"{name}_pad")
            before = size
        return "+".join(done) or "none"

    def voxel_size(self, spacing):
        """The voxel size in mm after all steps, from the original one."""
        sizes, before = list(spacing), self.size
        for space, size in self.steps:
            if space != "image":
                sizes[1:] = [
                    s * old / new
                    for s, old, new in zip(sizes[1:], before, size)
                ]
            before = size
        return tuple(sizes)


def common_field_of_view(sizes, spacings):
    """The largest field of view that all volumes have.

    Args:
        sizes: List of `(H, W)`.
        spacings: List of the voxel sizes in mm, `(slices, rows, columns)`.

    Returns:
        Two floats `(H, W)` in mm.
    """
    views = np.array(sizes) * np.array(spacings)[:, 1:]
    return tuple(float(f"{mm:.6g}") for mm in views.min(axis=0))


def plan(sizes, spacings, extents, field_of_view, size=None, zero_fill=None):
    """Plan the steps that bring volumes to one field of view and one matrix.

    The image is cropped or zero-filled to the whole number of its own pixels
    closest to the field of view; the error is at most half a pixel of the
    file. Then k-space is cropped or zero-filled to the matrix.

    Args:
        sizes, spacings: Dictionaries of `(H, W)` and of voxel sizes in mm,
            `(slices, rows, columns)`, by the name of the volume.
        extents: Dictionary of the acquired lines `(h, w)` of k-space over the
            field of view of the file; use `sizes` if they are unknown.
        field_of_view: Two numbers `(H, W)` in mm.
        size: Matrix `(H, W)`; by default the largest even matrix that all
            volumes have acquired.
        zero_fill: `None`, or where zeros may replace data that were not
            acquired: `"image"`, `"kspace"` or `"both"`.

    Returns:
        A tuple: the matrix, and a dictionary of `Resizing` by name.

    Raises:
        ValueError: If a volume has acquired less than requested, unless
            `zero_fill` allows zeros.
    """
    pixels, limits = {}, {}
    for name, old in sizes.items():
        wanted = np.array(field_of_view) / spacings[name][1:]
        pixels[name] = tuple(
            max(1, math.floor(float(w) + 0.5 - EPSILON)) for w in wanted
        )
        limits[name] = tuple(
            # A crop of the image does not change the resolution.
            math.floor(extent * new / n + EPSILON)
            for extent, new, n in zip(extents[name], pixels[name], old)
        )
    if zero_fill not in ("image", "both"):
        short = {
            name: tuple(
                float(f"{n * s:.4g}")
                for n, s in zip(sizes[name], spacings[name][1:])
            )
            for name, new in pixels.items()
            if _is_beyond(new, sizes[name])
        }
        if short:
            raise _not_acquired(
                "field_of_view", field_of_view, short, "mm", "image"
            )
    largest = np.array(list(limits.values())).min(axis=0)
    if size is None:
        size = tuple(int(max(1, n - n % 2)) for n in largest)
    if zero_fill not in ("kspace", "both"):
        short = {
            name: limit
            for name, limit in limits.items()
            if _is_beyond(size, limit)
        }
        if short:
            unit = "lines over the field of view"
            raise _not_acquired("size", size, short, unit, "kspace")
    size = tuple(size)
    return size, {
        name: Resizing(
            tuple(sizes[name]), (("image", pixels[name]), ("kspace", size))
        )
        for name in sizes
    }


def _is_beyond(size, limit):
    return any(m > n for m, n in zip(size, limit))


def _not_acquired(argument, received, short, unit, where):
    """The error if the volumes `short` have acquired less than requested."""
    least = tuple(min(values) for values in zip(*short.values()))
    named = ", ".join(
        f"{name} ({h:g}×{w:g})" for name, (h, w) in list(short.items())[:3]
    )
    more = f" and {len(short) - 3} more" if len(short) > 3 else ""
    return invalid(
        argument,
        f"at most what all volumes have acquired, {least[0]:g}×{least[1]:g} "
        f"{unit}, or zero_fill={where!r} (--zero-fill {where}), or other "
        "volumes selected with `include` and `exclude`",
        found=f"{argument}={received}, which is more than {named}{more} have",
    )
