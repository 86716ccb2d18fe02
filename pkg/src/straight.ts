// Pixels of pictures with transparency. A 2D canvas keeps each colour multiplied with its opacity, so that of a transparent pixel nothing is
// left; a texture keeps what the bitmap holds.

/** What is used of a drawing context of WebGL 2, kept for the next picture: browsers have few of them. */
let kept: WebGL2RenderingContext | null = null;

const largestTile = 4096;

/** The pixels of a bitmap as it holds them; null where this browser has no WebGL 2 here. */
export function readStraight(bitmap: ImageBitmap): Uint8ClampedArray | null {
  const gl = context();
  if (!gl) return null;
  const { width, height } = bitmap;
  const tile = Math.min(largestTile, gl.getParameter(gl.MAX_TEXTURE_SIZE) as number);
  const pixels = new Uint8ClampedArray(width * height * 4);
  const texture = gl.createTexture();
  const frame = gl.createFramebuffer();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
  gl.pixelStorei(gl.PACK_ROW_LENGTH, width);
  try {
    for (let top = 0; top < height; top += tile) {
      for (let left = 0; left < width; left += tile) {
        const w = Math.min(tile, width - left);
        const h = Math.min(tile, height - top);
        gl.pixelStorei(gl.UNPACK_SKIP_PIXELS, left);
        gl.pixelStorei(gl.UNPACK_SKIP_ROWS, top);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, w, h, 0, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
        gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
        if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) return null;
        gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, pixels, (top * width + left) * 4);
      }
    }
    return gl.getError() === gl.NO_ERROR ? pixels : null;
  } finally {
    gl.deleteTexture(texture);
    gl.deleteFramebuffer(frame);
  }
}

function context(): WebGL2RenderingContext | null {
  if (kept && !kept.isContextLost()) return kept;
  try {
    // Each canvas is asked by itself, as in input.ts.
    kept =
      typeof OffscreenCanvas === "undefined"
        ? document.createElement("canvas").getContext("webgl2")
        : new OffscreenCanvas(1, 1).getContext("webgl2");
  } catch {
    kept = null; // no canvas here at all
  }
  return kept;
}

/**
 * The pixels with their own colours: those of the texture, unless the bitmap holds its colours multiplied already, as browsers make
 * bitmaps where nobody asks for something else. Then the canvas's pixels are the best that can be had.
 */
export function straightOf(texture: Uint8ClampedArray | null, canvas: Uint8ClampedArray): Uint8ClampedArray {
  if (texture?.length !== canvas.length) return canvas;
  let [asStraight, asMultiplied] = [0, 0];
  for (let i = 0; i < canvas.length; i += 4) {
    const opacity = (canvas[i + 3] ?? 255) / 255;
    if (opacity === 1) continue;
    if (texture[i + 3] !== canvas[i + 3]) return canvas; // another picture than was asked for
    for (let channel = i; channel < i + 3; channel++) {
      const held = texture[channel] ?? 0;
      const multiplied = (canvas[channel] ?? 0) * opacity;
      asStraight += Math.abs(held * opacity - multiplied);
      asMultiplied += Math.abs(held - multiplied);
    }
  }
  return asStraight < asMultiplied ? texture : canvas;
}
