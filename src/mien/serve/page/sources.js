// Where pictures come from: the camera, a video file. Each frame is made small and given to the live connection.
const LONGEST = 640; // pixels; what live pictures are looked at with
const QUALITY = 0.85;

export class Frames {
  // give(blob, time in seconds) is called for a frame whenever ready() says so.
  // lost() is called when the camera is taken away.
  constructor(video, { ready, give, lost, ended }) {
    this.video = video;
    this.canvas = document.createElement("canvas");
    this.pen = this.canvas.getContext("2d", { alpha: false });
    this.ready = ready;
    this.give = give;
    this.lost = lost;
    this.ended = ended;
    this.paused = false;
    this.running = 0;
  }

  async camera() {
    if (!navigator.mediaDevices?.getUserMedia) throw Object.assign(new Error("insecure"), { name: "InsecureError" });
    const wanted = { video: { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" }, audio: false };
    const run = ++this.running;
    const stream = await navigator.mediaDevices.getUserMedia(wanted);
    if (run !== this.running) { // something else was begun while the browser asked
      stream.getTracks().forEach((track) => track.stop());
      throw Object.assign(new Error("overtaken"), { name: "AbortError" });
    }
    this.stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => this.stream === stream && this.lost?.());
    this.video.srcObject = stream;
    await this.begin();
  }

  async file(url) {
    this.video.src = url;
    await this.begin();
  }

  async begin() {
    const run = ++this.running;
    await this.video.play();
    this.video.onended = () => {
      if (run === this.running) this.ended?.();
    };
    this.next(run);
  }

  next(run) {
    if (run !== this.running) return;
    const step = () => this.step(run);
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(step);
    else requestAnimationFrame(step);
  }

  step(run) {
    if (run !== this.running) return;
    if (this.paused || !this.ready() || !this.video.videoWidth) return void this.next(run);
    const { videoWidth, videoHeight, currentTime } = this.video;
    const scale = Math.min(1, LONGEST / Math.max(videoWidth, videoHeight));
    this.canvas.width = Math.round(videoWidth * scale);
    this.canvas.height = Math.round(videoHeight * scale);
    this.pen.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.canvas.toBlob(
      (blob) => {
        if (blob && run === this.running) this.give(blob, currentTime);
        this.next(run);
      },
      "image/jpeg",
      QUALITY,
    );
  }

  set pause(value) {
    this.paused = value;
    if (this.stream) return; // a camera goes on; its pictures are passed over
    if (value) this.video.pause();
    else this.video.play();
  }

  stop() {
    this.running += 1;
    this.paused = false;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.pause();
    this.video.onended = null;
    this.video.srcObject = null;
    this.video.removeAttribute("src");
    this.video.load();
  }
}
