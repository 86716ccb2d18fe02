import * as ort from "onnxruntime-web/wasm";
import { create } from "./ort.ts";

export default create(ort);
