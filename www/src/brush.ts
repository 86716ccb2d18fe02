// What if? A picture with parts of it erased, blurred or painted over, and a sound with stretches of it muted: what was changed, and what comes of it.

/** What a brush leaves behind. */
export type Tool = "erase" | "blur" | "paint";

/** One stroke, in parts of the picture: `x` and `y` from 0 to 1 from its top left. */
export interface Stroke {
  tool: Tool;
  /** Where the brush went; null for a rectangle. */
  points: readonly (readonly [x: number, y: number])[] | null;
  /** Of the brush, as a part of the picture's shorter side. */
  radius: number;
  /** Left, top, right, bottom. */
  rectangle?: readonly [number, number, number, number];
  /** As CSS writes it, of what is painted. */
  colour: string;
}

/** A blur makes so many patches of the longer side: what was there cannot be told any more. */
const patches = 12;

type Canvas = OffscreenCanvas;
const canvasOf = (width: number, height: number): [Canvas, OffscreenCanvasRenderingContext2D] => {
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width)), Math.max(1, Math.round(height)));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser gives no canvas to paint on.");
  context.imageSmoothingQuality = "high";
  return [canvas, context];
};

/** The picture with the strokes on it. */
export async function changed(picture: ImageBitmap, strokes: readonly Stroke[]): Promise<ImageBitmap> {
  const { width, height } = picture;
  const [canvas, context] = canvasOf(width, height);
  context.drawImage(picture, 0, 0);
  for (const stroke of strokes) {
    const [mask, shape] = canvasOf(width, height);
    drawStroke(shape, stroke);
    shape.globalCompositeOperation = "source-in";
    if (stroke.tool === "blur") {
      const few = Math.min(1, patches / Math.max(width, height));
      const [small, reduced] = canvasOf(width * few, height * few);
      reduced.drawImage(picture, 0, 0, small.width, small.height);
      shape.drawImage(small, 0, 0, width, height);
    } else {
      shape.fillStyle = stroke.tool === "erase" ? meanColour(picture) : stroke.colour;
      shape.fillRect(0, 0, width, height);
    }
    context.drawImage(mask, 0, 0);
  }
  return createImageBitmap(canvas);
}

/** The shape of a stroke, on a canvas of whatever size. */
export function drawStroke(
  context: OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D,
  { points, radius, rectangle }: Stroke,
): void {
  const { width, height } = context.canvas;
  if (rectangle) {
    const [left, top, right, bottom] = rectangle;
    context.fillRect(left * width, top * height, (right - left) * width, (bottom - top) * height);
  }
  if (!points) return;
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = 2 * radius * Math.min(width, height);
  context.beginPath();
  points.forEach(([x, y], at) => {
    if (at === 0) context.moveTo(x * width, y * height);
    context.lineTo(x * width, y * height); // of one point, too: a dab
  });
  context.stroke();
}

/** What stands for nothing: the mean of the picture's colours. */
function meanColour(picture: ImageBitmap): string {
  const [, context] = canvasOf(16, 16);
  context.drawImage(picture, 0, 0, 16, 16);
  const { data } = context.getImageData(0, 0, 16, 16);
  const sums = [0, 0, 0];
  data.forEach((value, at) => {
    if (at % 4 < 3) sums[at % 4] = (sums[at % 4] ?? 0) + value;
  });
  return `rgb(${sums.map((sum) => Math.round(sum / 256)).join(" ")})`;
}

/** From a moment to another, in seconds. */
export type Stretch = readonly [from: number, to: number];

/** The samples of a sound without what is muted. */
export function muted(samples: Float32Array, rate: number, stretches: readonly Stretch[]): Float32Array {
  const rest = samples.slice();
  for (const [from, to] of stretches) rest.fill(0, Math.round(from * rate), Math.round(to * rate));
  return rest;
}
