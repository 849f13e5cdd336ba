/** Pictures on canvases. */

/** Draw a picture over a whole canvas, cut to fit; returns its pixels. */
export function draw(canvas, picture) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const { width, height } = canvas;
  const scale = Math.max(width / picture.width, height / picture.height);
  context.clearRect(0, 0, width, height);
  context.drawImage(
    picture,
    (width - picture.width * scale) / 2, (height - picture.height * scale) / 2,
    picture.width * scale, picture.height * scale,
  );
  return context.getImageData(0, 0, width, height);
}

/** A picture of ours, loaded. */
export async function load(address) {
  const picture = new Image();
  picture.src = address;
  await picture.decode();
  return picture;
}
