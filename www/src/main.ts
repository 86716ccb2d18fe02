// The page: https://github.com/adversight/adversight. Each view is mounted on its part of index.html.

import { App } from "./app.js";
import { OwnNetwork } from "./own.js";
import { mountBanner } from "./view/banner.js";
import { mountBeside } from "./view/beside.js";
import { mountCamera } from "./view/camera.js";
import { mountClasses } from "./view/classes.js";
import { mountDetails } from "./view/details.js";
import { mountDevice } from "./view/device.js";
import { mountLegend } from "./view/legend.js";
import { mountMethod } from "./view/method.js";
import { mountOwn } from "./view/own.js";
import { mountSources } from "./view/sources.js";
import { mountStage } from "./view/stage.js";
import { mountTheme } from "./view/theme.js";
import { mountToolbar } from "./view/toolbar.js";
import { mountWords } from "./view/words.js";
import { mountWork } from "./view/work.js";

const app = new App();
const own = new OwnNetwork(app);
mountTheme();
mountBanner(app);
mountStage(app);
mountLegend(app);
mountToolbar(app);
mountWork(app);
mountSources(app, own);
mountOwn(app, own);
mountCamera(app);
mountWords(app);
mountClasses(app);
mountMethod(app);
mountBeside(app);
mountDevice(app);
mountDetails(app);
void app.start();
