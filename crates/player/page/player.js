// The script of a saved page. It reads the weights that lie behind it in the page, hands pictures to the player, and
// shows what it says. No request is made.
addEventListener("DOMContentLoaded", () => {
  "use strict";
  // Every sentence that is made here; those that never change stand in the page.
  const words = {
    knows: (labels) => `It knows ${labels.length} classes: ${labels.join(", ")}. It always names one of them, whatever it is shown.`,
    headline: (label, percent) => `${label}, ${percent} sure`,
    percent: (share) => `${(100 * share).toFixed(1)} %`,
    unreadable: (name) => `“${name}” is no picture that this browser can read; choose a JPEG, PNG or WebP.`,
    large: (width, height) => `This picture has ${width} × ${height} px; choose one of at most 50 million pixels.`,
    noModel: (reason) => `The model of this page did not open: ${reason}`,
    noCamera: "There is no camera that this page may use. Allow it in the browser, or choose a picture.",
    camera: ["Camera", "Stop the camera"],
    checked: ["Checked on", ({ right, pictures }) => `${pictures} pictures it had not learned from: ${right} right (${(100 * right / pictures).toFixed(1)} %)`],
    unchecked: ["Checked on", "nothing: its pictures were not at hand when this page was saved"],
    ancestor: "Ancestor",
    start: "Start",
    parameters: "Parameters",
    saved: "Saved",
    sees: ["Sees", (side) => `the middle of a picture, ${side} × ${side} px`],
  };
  const MOST_PIXELS = 50_000_000;
  const STRIP_PIXELS = 1 << 18;
  const PAD = 280;
  const at = (id) => document.getElementById(id);
  let player, shown, stream;

  function complain(sentence) {
    at("error").textContent = sentence;
    at("error").hidden = !sentence;
  }

  /** Bytes of the letters in an element, which is emptied. */
  function bytesOf(id) {
    const letters = at(id).textContent.trim();
    at(id).remove();
    const padding = letters.endsWith("==") ? 2 : letters.endsWith("=") ? 1 : 0;
    const bytes = new Uint8Array((letters.length / 4) * 3 - padding);
    // A piece at a time: the text of all of it would be held three times.
    for (let from = 0, to = 0; from < letters.length; from += 1 << 20) {
      const piece = atob(letters.slice(from, from + (1 << 20)));
      for (let i = 0; i < piece.length; i++) bytes[to++] = piece.charCodeAt(i);
    }
    return bytes;
  }

  async function open() {
    if (!at("heirloom-weights")) throw new Error("it holds none");
    const { PagePlayer } = wasm_bindgen;
    await wasm_bindgen({ module_or_path: bytesOf("heirloom-player") });
    player = new PagePlayer(bytesOf("heirloom-weights"));
    at("classes").textContent = words.knows(player.labels());
    const card = JSON.parse(at("heirloom-card").textContent);
    const rows = [
      card.checked ? [words.checked[0], words.checked[1](card.checked)] : words.unchecked,
      [words.ancestor, card.ancestor ?? "–"],
      [words.start, card.start],
      [words.parameters, card.parameters.toLocaleString()],
      [words.sees[0], words.sees[1](player.side())],
      [words.saved, new Date(card.saved).toLocaleDateString(undefined, { dateStyle: "long" })],
    ];
    for (const row of rows) {
      row.forEach((text, column) => {
        const cell = document.createElement(column ? "dd" : "dt");
        cell.textContent = text;
        at("card").append(cell);
      });
    }
  }

  /** A white canvas that is read often. */
  function canvas(width, height) {
    const made = document.createElement("canvas");
    [made.width, made.height] = [width, height];
    const pen = made.getContext("2d", { willReadFrequently: true });
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, width, height);
    return pen;
  }

  /** Names a bitmap or canvas. Rows go to the player strip by strip, so that a large photograph is never held twice. */
  function name(picture) {
    const { width, height } = picture;
    if (width * height > MOST_PIXELS) return complain(words.large(width, height));
    player.begin(width, height);
    const strip = Math.max(1, Math.min(height, Math.floor(STRIP_PIXELS / width)));
    const pen = canvas(width, strip);
    for (let top = 0; top < height; top += strip) {
      const count = Math.min(strip, height - top);
      pen.fillRect(0, 0, width, strip);
      pen.drawImage(picture, 0, -top);
      player.rows(pen.getImageData(0, 0, width, count).data);
    }
    const shares = player.answer();
    keep(picture);
    show(shares);
    complain("");
  }

  /** Keeps the part that the model saw, as large as it is shown. */
  function keep(picture) {
    const { width, height } = picture;
    const side = player.side();
    const isWhole = width === side && height === side;
    const cut = Math.min(width, height) * (isWhole ? 1 : side / Math.floor((side * 256 + 112) / 224));
    const { width: size } = at("shown");
    const pen = canvas(size, size);
    pen.drawImage(picture, (width - cut) / 2, (height - cut) / 2, cut, cut, 0, 0, size, size);
    shown = { canvas: pen.canvas, seen: player.seen() };
    paint();
  }

  /** The picture, and over it where the model looked. */
  function paint() {
    const pen = at("shown").getContext("2d");
    const { width: size } = at("shown");
    pen.drawImage(shown.canvas, 0, 0);
    if (!at("look").checked) return;
    const grid = Math.round(Math.sqrt(shown.seen.length));
    const most = Math.max(...shown.seen);
    const map = canvas(grid, grid);
    const cells = map.createImageData(grid, grid);
    // Dark where it hardly looked.
    shown.seen.forEach((share, patch) => (cells.data[4 * patch + 3] = 220 * (1 - share / most)));
    map.putImageData(cells, 0, 0);
    pen.drawImage(map.canvas, 0, 0, size, size);
  }

  function show(shares) {
    const labels = player.labels();
    const order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]);
    at("headline").textContent = words.headline(labels[order[0]], words.percent(shares[order[0]]));
    const bars = order.slice(0, 12).map((of) => {
      const [row, label, number, bar] = ["li", "span", "span", "progress"].map((tag) => document.createElement(tag));
      label.textContent = labels[of];
      number.textContent = words.percent(shares[of]);
      bar.value = shares[of];
      bar.setAttribute("aria-label", labels[of]);
      row.append(label, number, bar);
      return row;
    });
    at("bars").replaceChildren(...bars);
    at("answer").hidden = false;
  }

  async function nameFile(file) {
    stopCamera();
    let picture;
    try {
      picture = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    } catch {
      return complain(words.unreadable(file.name));
    }
    name(picture);
    picture.close();
  }

  function stopCamera() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = undefined;
    at("camera").textContent = words.camera[0];
  }

  async function startCamera() {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      return complain(words.noCamera);
    }
    at("camera").textContent = words.camera[1];
    const [own, video] = [stream, document.createElement("video")];
    [video.srcObject, video.muted, video.playsInline] = [own, true, true];
    await video.play();
    // One frame after the other, each as soon as the last one is named and shown.
    const next = () => {
      if (stream !== own) return;
      const side = Math.min(video.videoWidth, video.videoHeight);
      const pen = canvas(320, 320);
      pen.drawImage(video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side, 0, 0, 320, 320);
      name(pen.canvas);
      setTimeout(() => requestAnimationFrame(next), 50);
    };
    next();
  }

  function pad() {
    const pen = at("pad").getContext("2d");
    let [place, isDown] = [[PAD / 2, PAD / 2], false];
    const clear = () => {
      [pen.fillStyle, pen.strokeStyle, pen.lineWidth, pen.lineCap] = ["#ffffff", "#000000", 14, "round"];
      pen.fillRect(0, 0, PAD, PAD);
    };
    const go = (to) => {
      if (isDown) {
        pen.beginPath();
        pen.moveTo(...place);
        pen.lineTo(...to);
        pen.stroke();
      }
      place = to;
    };
    const lift = () => {
      if (!isDown) return;
      isDown = false;
      // With a margin, so that the model sees the whole pad and nothing but the pad.
      const whole = canvas(320, 320);
      whole.drawImage(at("pad"), 20, 20);
      name(whole.canvas);
    };
    const spot = ({ clientX, clientY }) => {
      const { left, top, width, height } = at("pad").getBoundingClientRect();
      return [((clientX - left) / width) * PAD, ((clientY - top) / height) * PAD];
    };
    at("pad").addEventListener("pointerdown", (event) => {
      at("pad").setPointerCapture(event.pointerId);
      [place, isDown] = [spot(event), true];
      go(place);
    });
    at("pad").addEventListener("pointermove", (event) => isDown && go(spot(event)));
    for (const end of ["pointerup", "pointercancel"]) at("pad").addEventListener(end, lift);
    at("pad").addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[event.key];
      if (!step && event.key !== " ") return;
      event.preventDefault();
      if (step) return go(place.map((value, axis) => Math.min(PAD, Math.max(0, value + step[axis]))));
      if (isDown) return lift();
      isDown = true;
      go(place);
    });
    at("clear").addEventListener("click", clear);
    clear();
  }

  function listen() {
    at("input").addEventListener("change", () => at("input").files[0] && nameFile(at("input").files[0]));
    at("look").addEventListener("change", () => shown && paint());
    at("camera").addEventListener("click", () => (stream ? stopCamera() : startCamera()));
    at("draw").addEventListener("click", () => {
      stopCamera();
      at("pad-panel").hidden = !at("pad-panel").hidden;
      at("draw").setAttribute("aria-expanded", String(!at("pad-panel").hidden));
    });
    const main = document.querySelector("main");
    addEventListener("dragover", (event) => {
      event.preventDefault();
      main.classList.add("over");
    });
    addEventListener("dragleave", () => main.classList.remove("over"));
    addEventListener("drop", (event) => {
      event.preventDefault();
      main.classList.remove("over");
      if (event.dataTransfer.files[0]) nameFile(event.dataTransfer.files[0]);
    });
    addEventListener("paste", (event) => event.clipboardData.files[0] && nameFile(event.clipboardData.files[0]));
    pad();
  }

  open().then(listen, (error) => complain(words.noModel(error.message ?? String(error))));
});
