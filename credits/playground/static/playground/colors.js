/** What the samples know about colors: how far apart two are, and what people call them. */

const NAMES = {
  black: [24, 24, 26],
  gray: [128, 130, 134],
  white: [248, 248, 246],
  red: [212, 40, 56],
  coral: [240, 128, 110],
  orange: [236, 140, 40],
  terracotta: [192, 92, 56],
  brown: [120, 76, 36],
  beige: [236, 218, 190],
  yellow: [246, 204, 60],
  green: [52, 130, 76],
  mint: [190, 220, 204],
  teal: [20, 130, 124],
  "light blue": [176, 216, 236],
  blue: [52, 112, 190],
  navy: [56, 74, 108],
  purple: [120, 80, 170],
  pink: [244, 214, 214],
};

/** The largest difference in one channel, 0 to 255. */
export function distance([red, green, blue], other) {
  return Math.max(
    Math.abs(red - other[0]), Math.abs(green - other[1]), Math.abs(blue - other[2]),
  );
}

/** What a color is called, by the nearest one with a name. */
export function nameOf(color) {
  const squared = (other) => other.reduce((sum, level, i) => sum + (level - color[i]) ** 2, 0);
  return Object.keys(NAMES).reduce((best, name) =>
    squared(NAMES[name]) < squared(NAMES[best]) ? name : best);
}

/** The color of a pixel in ImageData, by its number. */
export function colorAt({ data }, pixel) {
  return [data[4 * pixel], data[4 * pixel + 1], data[4 * pixel + 2]];
}

/** The names of the colors that cover most of a picture, most first. */
export function dominantNames(pixels, count) {
  const covered = new Map();
  for (let pixel = 0; pixel < pixels.width * pixels.height; pixel += 7) {
    const name = nameOf(colorAt(pixels, pixel));
    covered.set(name, (covered.get(name) ?? 0) + 1);
  }
  return [...covered].sort((one, other) => other[1] - one[1]).slice(0, count).map(([name]) => name);
}
