"""Cutting a picture free of its background: all that has nearly the color of its border."""

from io import BytesIO

from PIL import Image, ImageChops, ImageOps, ImageStat

MAX_PIXELS = 4_000_000
FORMATS = ("PNG", "JPEG")
# Over so many levels of a color channel (0 to 255) beyond the tolerance, pixels fade in.
SOFT_EDGE_LEVELS = 24


class BadPicture(Exception):
    """It is no PNG or JPEG that can be read; the words say so to whoever sent it."""


class PictureTooLarge(Exception):
    """It has more than MAX_PIXELS."""


def cut_out(picture: bytes, *, tolerance_percent: int) -> bytes:
    """The picture as a PNG whose background is transparent.

    The background's color is the median of the picture's border. A pixel is transparent where no
    channel is further from it than `tolerance_percent` (0 to 100) of the way from black to white.

    Raises BadPicture or PictureTooLarge.
    """
    image = _read(picture)
    difference = ImageChops.difference(image.convert("RGB"), _backdrop(image))
    red, green, blue = difference.split()
    distance = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    tolerance = round(255 * tolerance_percent / 100)
    opacity = distance.point([_opacity(level - tolerance) for level in range(256)])
    image.putalpha(ImageChops.darker(image.getchannel("A"), opacity))
    output = BytesIO()
    image.save(output, "PNG")
    return output.getvalue()


def _opacity(levels_beyond: int) -> int:
    return max(0, min(255, 255 * levels_beyond // SOFT_EDGE_LEVELS))


def _backdrop(image: Image.Image) -> Image.Image:
    """A picture of the same size, all in the median color of the border."""
    border = Image.new("1", image.size, 1)
    if min(image.size) > 2:
        border.paste(0, (1, 1, image.width - 1, image.height - 1))
    red, green, blue = ImageStat.Stat(image.convert("RGB"), border).median
    return Image.new("RGB", image.size, (red, green, blue))


def _read(picture: bytes) -> Image.Image:
    """The picture the way up it is meant. The size is looked at before anything is unpacked."""
    try:
        with Image.open(BytesIO(picture), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PictureTooLarge
            return ImageOps.exif_transpose(image).convert("RGBA")
    except (PictureTooLarge, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureTooLarge(
            f"The picture has more than {MAX_PIXELS:,} pixels. Send a smaller one."
        ) from None
    # A broken file makes the decoders stumble in more ways than they have names for.
    except Exception as error:
        raise BadPicture("The body can't be read as a PNG or JPEG picture.") from error
