// Registers `<adversight-explainer>` by being imported.

import { define } from "./element.js";

define();
