// A map that knows no network at all: how much the picture's brightness changes at each pixel.

import type { PixelPicture, TensorData } from "adversight";

/** The magnitude of the gradient of the brightness by Sobel's filter, one value a pixel; beyond the picture, its edge goes on. */
export function sobel({ pixels, width, height }: PixelPicture): TensorData {
  const grey = Float32Array.from(
    { length: width * height },
    (_, i) =>
      0.299 * (pixels[4 * i] ?? 0) + 0.587 * (pixels[4 * i + 1] ?? 0) + 0.114 * (pixels[4 * i + 2] ?? 0),
  );
  const clamp = (at: number, size: number) => Math.min(size - 1, Math.max(0, at));
  const data = Float32Array.from(grey, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const at = (dx: number, dy: number) => grey[clamp(y + dy, height) * width + clamp(x + dx, width)] ?? 0;
    const across = at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1);
    const down = at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1);
    return Math.hypot(across, down);
  });
  return { data, shape: [1, 1, height, width] };
}

/** How many layers, from the output on, forget what they learned: the last, half of them, all. */
export function depths(layers: number): number[] {
  return [...new Set([1, Math.ceil(layers / 2), layers])].filter((count) => count > 0 && count <= layers);
}
