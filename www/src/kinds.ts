// The kinds of what a person can give. What belongs to one kind alone stands in this table, so that a view asks here and never for a kind.

import { t } from "./strings/strings.js";

/** What is given: a photograph, a text, a sound, a file that is read byte by byte, a row of a table, or a series of rows. */
export type Kind = "image" | "text" | "audio" | "file" | "table" | "series";

/** What stands on the page for some kinds only: the elements with `data-view` in index.html. */
export type KindView =
  | "picture" // the photograph with its map, how it is shown, and its files
  | "words" // a text with its words coloured
  | "write" // a field to write in
  | "change" // what if?
  | "ranking" // the words, times or bytes that count most, as bars
  | "scale" // what the colours of a map mean
  | "table" // the columns of a row as bars, and fields to change them
  | "series" // lines with the map beneath
  | "sound" // waveform and spectrogram
  | "proof" // the tests that take parts away, attack them or follow edges
  | "samples" // pictures to choose from
  | "sentences" // texts, clips and files to choose from
  | "camera"
  | "microphone"
  | "beside"; // a second method's explanation

export interface KindText {
  /** Within a sentence: "the photograph". */
  noun: string;
  /** On its button. */
  title: string;
  /** As what it is shown: a file as text. */
  shownAs: Exclude<Kind, "file">;
  /** A sign of it, for its button. */
  taste: string;
  /** What its examples are called. */
  examples: string;
  /** What the engine is at while it answers. */
  looking: string;
  /** The button for one's own. */
  choose: string;
  /** Of which files, as an `<input type=file>` wants it. */
  accept: string;
  /** Of what a map of it consists. */
  part: string;
  /** What methods are compared by. */
  units: string;
  /** What a map of it marks. */
  marked: string;
  /** The same with all of it taken away. */
  emptied: string;
  /** What is told of it as one's own. */
  yours: string;
  /** Above the reason why the engine does not take it. */
  refused: string;
  /** The method that it starts with. */
  method: string;
  views: readonly KindView[];
}

export const kinds: Record<Kind, KindText> = {
  image: {
    noun: t`photograph`,
    title: t`Photograph`,
    shownAs: "image",
    taste: "",
    examples: t`Photographs`,
    looking: t`Looking at the photograph`,
    choose: t`Choose a photograph…`,
    accept: "image/*",
    part: t`part of the picture`,
    units: t`pixels`,
    marked: t`the bright pixels`,
    emptied: t`a blurred picture`,
    yours: t`your photograph`,
    refused: t`This is not a picture that can be used.`,
    method: "agi",
    views: ["picture", "change", "scale", "proof", "samples", "camera", "beside"],
  },
  text: {
    noun: t`sentence`,
    title: t`Sentence`,
    shownAs: "text",
    taste: "“…”",
    examples: t`Sentences`,
    looking: t`Reading the sentence`,
    choose: t`Choose a text file…`,
    accept: ".txt,text/plain",
    part: t`word`,
    units: t`words`,
    marked: t`the coloured words`,
    emptied: t`an empty sentence`,
    yours: t`your words`,
    refused: t`This text cannot be read.`,
    method: "integrated_gradients",
    views: ["words", "write", "change", "ranking", "sentences", "beside", "proof"],
  },
  audio: {
    noun: t`sound`,
    title: t`Spoken word`,
    shownAs: "audio",
    taste: "♪",
    examples: t`Spoken words`,
    looking: t`Listening`,
    choose: t`Choose a sound…`,
    accept: "audio/*",
    part: t`part of the sound`,
    units: t`parts`,
    marked: t`the bright parts`,
    emptied: t`silence`,
    yours: t`your sound`,
    refused: t`This sound cannot be used.`,
    method: "occlusion",
    views: ["sound", "change", "scale", "ranking", "sentences", "microphone", "beside", "proof"],
  },
  file: {
    noun: t`file`,
    title: t`File`,
    shownAs: "text",
    taste: "01",
    examples: t`Files`,
    looking: t`Reading the file`,
    choose: t`Choose any file…`,
    accept: "",
    part: t`byte`,
    units: t`bytes`,
    marked: t`the coloured bytes`,
    emptied: t`an empty file`,
    yours: t`your file`,
    refused: t`This file cannot be read.`,
    method: "agi",
    views: ["words", "ranking", "sentences", "beside", "proof"],
  },
  table: {
    noun: t`row`,
    title: t`Table`,
    shownAs: "table",
    taste: "▦",
    examples: t`Rows of a table`,
    looking: t`Looking at the row`,
    choose: t`Choose a table (CSV)…`,
    accept: ".csv,.tsv,text/csv",
    part: t`column`,
    units: t`columns`,
    marked: t`the longest bars`,
    emptied: t`the mean row`,
    yours: t`your table`,
    refused: t`This table cannot be used.`,
    method: "kernel_shap",
    views: ["table", "sentences", "beside"],
  },
  series: {
    noun: t`series`,
    title: t`Series`,
    shownAs: "series",
    taste: "∿",
    examples: t`Series`,
    looking: t`Looking at the series`,
    choose: t`Choose a series (CSV)…`,
    accept: ".csv,.tsv,text/csv",
    part: t`stretch of time`,
    units: t`rows`,
    marked: t`the coloured stretches`,
    emptied: t`an even series`,
    yours: t`your series`,
    refused: t`This series cannot be used.`,
    method: "integrated_gradients",
    views: ["series", "ranking", "sentences", "beside"],
  },
};

/** Whether something stands on the page for this kind. */
export const shows = (kind: Kind, view: KindView): boolean => kinds[kind].views.includes(view);
