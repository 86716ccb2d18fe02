// A photograph from the camera, which is on only while its dialogue is open.

import { t } from "../strings/strings.js";
import { cameraProblem } from "../advice.js";
import type { App } from "../app.js";
import { find } from "../dom.js";

export function mountCamera(app: App): void {
  const open = find("camera", HTMLButtonElement);
  const dialog = find("camera-dialog", HTMLDialogElement);
  const video = find("camera-video", HTMLVideoElement);
  const take = find("camera-take", HTMLButtonElement);
  const stop = (stream: MediaStream) => {
    for (const track of stream.getTracks()) track.stop();
  };

  // There is none where the page is not served securely.
  open.hidden = !("mediaDevices" in navigator);

  const start = async () => {
    take.disabled = true;
    dialog.showModal();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (!dialog.open) {
        stop(stream);
        return;
      }
      video.srcObject = stream;
      await video.play();
      take.disabled = false;
    } catch (error) {
      if (!dialog.open) return; // closed while it was starting
      dialog.close();
      app.report(cameraProblem(error));
    }
  };

  const capture = async () => {
    const picture = await createImageBitmap(video);
    dialog.close();
    await app.choosePhoto(picture, t`From the camera`);
    picture.close();
  };

  open.addEventListener("click", () => void start());
  take.addEventListener("click", () => void capture());
  find("camera-close", HTMLButtonElement).addEventListener("click", () => {
    dialog.close();
  });
  dialog.addEventListener("close", () => {
    if (video.srcObject instanceof MediaStream) stop(video.srcObject);
    video.srcObject = null;
  });
}
