/** Finding things in a picture: regions that are neither wall nor floor, each with its box. */

import { colorAt, distance, nameOf } from "./colors.js";

const BACKDROP_DISTANCE = 26;
const LEAST_SHARE = 0.004;

/** Boxes `{left, top, width, height, color}` in parts of the picture (0 to 1), largest first. */
export function findRegions(pixels) {
  const { width, height } = pixels;
  const isThing = mask(pixels);
  const found = [];
  for (let pixel = 0; pixel < isThing.length; pixel += 1) {
    if (!isThing[pixel]) continue;
    const region = flood(isThing, pixel, width);
    if (region.length >= LEAST_SHARE * width * height) found.push(region);
  }
  found.sort((one, other) => other.length - one.length);
  return found.map((region) => boxOf(region, pixels));
}

/** What stands out: pixels unlike everything in the topmost and the lowest row. */
function mask(pixels) {
  const { width, height } = pixels;
  const backdrop = [];
  for (const start of [0, (height - 1) * width]) {
    for (let x = 0; x < width; x += 1) {
      const color = colorAt(pixels, start + x);
      const isKnown = backdrop.some((known) => distance(known, color) < BACKDROP_DISTANCE);
      if (!isKnown) backdrop.push(color);
    }
  }
  return Array.from({ length: width * height }, (_, pixel) => {
    const color = colorAt(pixels, pixel);
    return backdrop.every((known) => distance(known, color) >= BACKDROP_DISTANCE);
  });
}

/** The pixels connected with this one, which are taken out of the mask. */
function flood(isThing, first, width) {
  const region = [first];
  isThing[first] = false;
  for (const pixel of region) {
    const x = pixel % width;
    const sideways = [...(x > 0 ? [pixel - 1] : []), ...(x < width - 1 ? [pixel + 1] : [])];
    for (const next of [...sideways, pixel - width, pixel + width]) {
      if (isThing[next]) {
        isThing[next] = false;
        region.push(next);
      }
    }
  }
  return region;
}

function boxOf(region, pixels) {
  const { width, height } = pixels;
  let [left, top, right, bottom] = [width, height, 0, 0];
  const names = new Map();
  for (const pixel of region) {
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
    const name = nameOf(colorAt(pixels, pixel));
    names.set(name, (names.get(name) ?? 0) + 1);
  }
  const [color] = [...names].sort((one, other) => other[1] - one[1])[0];
  return {
    left: left / width,
    top: top / height,
    width: (right - left) / width,
    height: (bottom - top) / height,
    color,
  };
}
