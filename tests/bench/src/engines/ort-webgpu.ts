import * as ort from "onnxruntime-web/webgpu";
import { create } from "./ort.ts";

export default create(ort);
