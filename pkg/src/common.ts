// What every entry of the package has, beside the way in which its `createEngine` starts one.

export { Model } from "./client.js";
export { modelCache } from "./cache.js";
export { AdversightError, errorCodes } from "./errors.js";
export { anyName } from "./methods.js";
export { decodeImage, maxPixels } from "./input.js";
export { gameFrame, gameScore } from "./judge.js";
export { colourMapNames, doubtOf, drawExplanation, heatmapPixels, signedPixels } from "./picture.js";
export { presetNames, presetPreprocessing } from "./preprocessing.js";
export { recognise, recogniseFile, recognisedBytes } from "./recognise.js";
export { segmentHeatmap, segmentRanking } from "./segments.js";
export { showsSigns, sides, signedMap, tellsSigns } from "./signs.js";
export { drawWords, largestScore, rankedWords, shareOf, stretches, wordColour } from "./words.js";
export { attackLimit, maxSeconds, recordSound, signalToNoise, soundFile, soundLevel } from "./sound.js";
export {
  loudness,
  paintSpectrogram,
  paintWaveform,
  pitchAt,
  pitchHeight,
  placeWords,
  SoundPlayer,
  soundPlace,
  SoundView,
  spectrogram,
  timeWeights,
} from "./sound-view.js";
export { binned, columnBars, drawColumns, drawSeries, rowSaid } from "./table-view.js";
export { parseNpy, parseValue, toInputValue } from "./values.js";
