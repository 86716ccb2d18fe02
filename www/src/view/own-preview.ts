// What the network is given of the photograph, and what it answers.

import { t } from "../strings/strings.js";
import { find, make } from "../dom.js";
import { figure, percent } from "../format.js";
import { noiseAdvice } from "../noise.js";
import type { OwnNetwork, Preview } from "../own.js";
import { denormalised, greyChannel, type ChannelPicture } from "../tensor.js";

const answers = 3;

export function mountOwnPreview(own: OwnNetwork): void {
  const section = find("own-preview", HTMLElement);
  const pictures = find("own-pictures", HTMLElement);
  const list = find("own-answers", HTMLOListElement);
  const doubt = find("own-doubt", HTMLElement);

  own.store.watch(["preview", "busy"], ({ busy }) => {
    section.setAttribute("aria-busy", String(busy !== null));
    section.classList.toggle("stale", busy !== null);
  });
  own.store.watch(["preview"], ({ preview }) => {
    section.hidden = preview === null;
    if (!preview) return;
    pictures.replaceChildren(...(preview.picture ? figures(preview.picture, preview) : []));
    list.replaceChildren(
      ...preview.answer.top
        .slice(0, answers)
        .map(({ label, probability, logit }) =>
          make(
            "li",
            {},
            make("span", { text: label }),
            make("span", { class: "share", text: preview.single ? figure(logit) : percent(probability) }),
          ),
        ),
    );
    doubt.hidden = preview.doubt === null;
    doubt.replaceChildren(
      make("strong", { text: t`This looks like noise.` }),
      ` ${preview.doubt ?? ""} ${noiseAdvice}`,
    );
  });
}

function figures(picture: ChannelPicture, { normalisation }: Preview): HTMLElement[] {
  const { channels, height, width } = picture;
  const low = Math.min(...channels.map(({ minimum }) => minimum));
  const high = Math.max(...channels.map(({ maximum }) => maximum));
  const colours = normalisation.order === "BGR" ? ["blue", "green", "red"] : ["red", "green", "blue"];
  const frame = (image: ImageData, title: string, figures: string[], testid: string) => {
    const canvas = make("canvas", { attributes: { "aria-hidden": "true" } });
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    return make(
      "figure",
      { testid },
      canvas,
      make(
        "figcaption",
        {},
        make("strong", { text: title }),
        ...figures.map((text) => make("span", { text })),
      ),
    );
  };
  return [
    frame(
      denormalised(picture, normalisation),
      "De-normalised",
      [t`${width} × ${height} pixels`],
      "own-picture",
    ),
    ...channels.map((channel, i) => {
      const { minimum, maximum, mean } = channel;
      const name = channels.length === 3 ? ` (${colours[i] ?? ""})` : "";
      const text = [t`${number(minimum)} to ${number(maximum)}`, t`mean ${number(mean)}`];
      return frame(
        greyChannel(picture, channel, low, high),
        t`Channel ${i + 1}${name}`,
        text,
        `own-channel-${i}`,
      );
    }),
  ];
}

const number = (value: number) => figure(Number(value.toPrecision(3))).replace("-", "−");
