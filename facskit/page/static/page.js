"use strict";
// One page, no library: a file or a webcam in, faces, bars and a timeline out. All text reaches the page as text.

const element = (id) => document.getElementById(id);
const make = (tag, text, className) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const COLOURS = ["#3f8fd2", "#e08a2e", "#3aa67a", "#c65fa6", "#8f7ad6", "#c94f4f"];
const WEBCAM_PAUSE = 120;
const WEBCAM_SIDE = 640;

let about = null;
const shown = { job: null, kind: null, moments: [], at: 0, face: null, url: null, stream: null, run: 0 };

// --- talking to the server ---

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server doesn't answer. Is facskit serve still running?");
  }
  if (answer.status === 204) return null;
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof told.detail === "string" ? told.detail : "The server can't do that.");
  return told;
}

function upload(file, onProgress) {
  // fetch can't say how much has been sent
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `api/jobs?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onerror = () => reject(new Error("The upload broke off."));
    request.onload = () => {
      const told = request.response || {};
      if (request.status < 300) resolve(told);
      else reject(new Error(typeof told.detail === "string" ? told.detail : "The server refused the file."));
    };
    request.send(file);
  });
}

function forget() {
  if (shown.job) fetch(`api/jobs/${shown.job}`, { method: "DELETE", keepalive: true }).catch(() => {});
  if (shown.url) URL.revokeObjectURL(shown.url);
  if (shown.stream) shown.stream.getTracks().forEach((track) => track.stop());
  Object.assign(shown, { job: null, kind: null, moments: [], at: 0, face: null, url: null, stream: null });
  element("webcam").textContent = "Use the webcam";
}

// --- what is going on ---

function say(text) {
  if (element("status").textContent !== text) element("status").textContent = text;
}

function complain(text) {
  element("error").textContent = text;
  element("error").hidden = !text;
}

function showProgress(share, detail = "") {
  element("progress").hidden = share === null;
  element("detail").textContent = detail;
  if (share === undefined) element("bar").removeAttribute("value");
  else if (share !== null) element("bar").value = share;
}

// --- a file ---

async function open(file) {
  const run = ++shown.run;
  forget();
  complain("");
  element("result").hidden = true;
  if (file.size > about.max_megabytes * 1e6) {
    complain(`${file.name} has ${Math.round(file.size / 1e6)} MB; this server takes up to ${about.max_megabytes} MB.`);
    return;
  }
  try {
    say("Sending …");
    let job = await upload(file, showProgress);
    shown.job = job.id;
    job = await finished(job, run);
    if (run !== shown.run) return;
    const result = await ask(`api/jobs/${job.id}/result`);
    Object.assign(shown, { kind: job.kind, moments: result.moments, url: URL.createObjectURL(file) });
    if (job.message) complain(job.message);
    present(file, result.attention);
  } catch (error) {
    if (run === shown.run) {
      say("");
      complain(error.message);
    }
  } finally {
    if (run === shown.run) showProgress(null);
  }
}

async function finished(job, run) {
  while (run === shown.run) {
    if (job.state === "failed") throw new Error(job.message);
    if (job.state === "done") return job;
    if (job.state === "waiting") {
      say(job.ahead ? `Waiting for ${job.ahead} other upload${job.ahead > 1 ? "s" : ""} …` : "Waiting …");
      showProgress(undefined);
    } else if (job.kind === "video") {
      // the number changes twice a second, which nobody wants to have read out
      say("Looking at the video …");
      const detail = `frame ${job.done.toLocaleString()}${job.total ? ` of about ${job.total.toLocaleString()}` : ""}`;
      showProgress(job.total ? Math.min(1, job.done / job.total) : undefined, detail);
    } else {
      say("Looking …");
      showProgress(undefined);
    }
    await pause(job.kind === "video" ? 500 : 120);
    job = await ask(`api/jobs/${job.id}`);
  }
  return job;
}

function present(file, maps) {
  const isVideo = shown.kind === "video";
  // browsers show animated pictures as pictures: they play by themselves, and nobody knows where they are
  const isAnimation = isVideo && file.type.startsWith("image/");
  const people = new Set(shown.moments.flatMap((moment) => moment.faces.map((face) => face.id)));
  const found = people.size === 0 ? "no face found" : people.size === 1 ? "one face" : `${people.size} faces`;
  element("result-heading").textContent = `${file.name}: ${found}`;
  say(`Done: ${found}.`);
  document.body.classList.add("compact");
  element("result").hidden = false;
  element("downloads").hidden = false;
  element("photo").hidden = isVideo && !isAnimation;
  element("video").hidden = !element("photo").hidden;
  element("boxes").hidden = isAnimation;
  element("plays-itself").hidden = !isAnimation;
  element("unplayable").hidden = true;
  element("timeline").hidden = !isVideo;
  const view = element(element("photo").hidden ? "video" : "photo");
  view.srcObject = null;
  view.src = shown.url;
  if (!element("photo").hidden) view.alt = `The ${isAnimation ? "animated picture" : "photograph"}, with ${found}`;
  element("attention").hidden = !maps;
  element("no-attention").hidden = !(isVideo && about.attention);
  linkTable();
  const busiest = [...people].sort((one, other) => framesOf(other) - framesOf(one))[0];
  shown.face = busiest === undefined ? null : busiest;
  goTo(0);
  element("result-heading").focus({ preventScroll: true });
}

function framesOf(id) {
  return shown.moments.filter((moment) => moment.faces.some((face) => face.id === id)).length;
}

// --- the webcam ---

async function toggleWebcam() {
  const run = ++shown.run;
  if (shown.stream) {
    forget();
    element("video").srcObject = null;
    say("Webcam stopped.");
    return;
  }
  forget();
  complain("");
  try {
    shown.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false });
  } catch (error) {
    complain(error.name === "NotAllowedError" ? "The browser may not use the webcam: allow it for this page." : "No webcam was found.");
    return;
  }
  element("webcam").textContent = "Stop the webcam";
  document.body.classList.add("compact");
  for (const id of ["photo", "timeline", "attention", "no-attention", "downloads", "unplayable", "plays-itself"]) element(id).hidden = true;
  element("result").hidden = false;
  element("result-heading").textContent = "Webcam";
  element("boxes").hidden = false;
  const video = element("video");
  video.hidden = false;
  video.removeAttribute("src");
  video.srcObject = shown.stream;
  await video.play();
  say("Looking through the webcam; nothing is kept.");
  await watch(video, run);
}

async function watch(video, run) {
  const canvas = document.createElement("canvas");
  while (run === shown.run && shown.stream) {
    const zoom = Math.min(1, WEBCAM_SIDE / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * zoom);
    canvas.height = Math.round(video.videoHeight * zoom);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
    try {
      const moment = await ask("api/frame", { method: "POST", body: picture, headers: { "Content-Type": "image/jpeg" } });
      if (run !== shown.run) return;
      shown.moments = [moment];
      if (!moment.faces.some((face) => face.id === shown.face)) shown.face = moment.faces.length ? moment.faces[0].id : null;
      goTo(0);
    } catch (error) {
      say(error.message);
      await pause(1000);
    }
    await pause(WEBCAM_PAUSE);
  }
}

// --- one moment: boxes, faces, bars ---

function goTo(index) {
  shown.at = Math.max(0, Math.min(index, shown.moments.length - 1));
  const moment = shown.moments[shown.at];
  if (!moment) return;
  drawBoxes(moment);
  listFaces(moment);
  fillBars(moment.faces.find((face) => face.id === shown.face));
  showMap(moment.faces.findIndex((face) => face.id === shown.face));
  if (shown.kind === "video") drawStrips();
}

function showMap(place) {
  if (element("attention").hidden || place < 0) return;
  const address = `api/jobs/${shown.job}/attention/${place}`;
  element("attention-map").alt = `Face ${shown.face}, with a heat map for each action unit`;
  if (element("attention-map").getAttribute("src") !== address) element("attention-map").src = address;
}

function colourOf(id) {
  return COLOURS[id % COLOURS.length];
}

function drawBoxes(moment) {
  const canvas = element("boxes");
  const view = element("photo").hidden ? element("video") : element("photo");
  const { clientWidth: width, clientHeight: height } = view;
  const sharp = window.devicePixelRatio || 1;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.width = width * sharp;
  canvas.height = height * sharp;
  if (!view.src && !view.srcObject) return;
  const pen = canvas.getContext("2d");
  pen.scale((sharp * width) / moment.width, (sharp * height) / moment.height);
  const pixel = moment.width / Math.max(1, width);
  for (const face of moment.faces) {
    const [left, top, right, bottom] = face.box;
    const chosen = face.id === shown.face;
    pen.strokeStyle = pen.fillStyle = colourOf(face.id);
    pen.lineWidth = pixel * (chosen ? 3 : 2);
    pen.strokeRect(left, top, right - left, bottom - top);
    for (const [x, y] of chosen ? face.landmarks || [] : []) {
      pen.beginPath();
      pen.arc(x, y, 1.4 * pixel, 0, 7);
      pen.fill();
    }
    if (moment.faces.length > 1) {
      pen.font = `600 ${14 * pixel}px system-ui, sans-serif`;
      pen.fillText(String(face.id), left, top - 4 * pixel);
    }
  }
}

function listFaces(moment) {
  const group = element("faces");
  const ids = shown.kind === "video" ? [...new Set(shown.moments.flatMap((each) => each.faces.map((face) => face.id)))].sort((a, b) => a - b)
    : moment.faces.map((face) => face.id);
  group.hidden = ids.length < 2;
  const wanted = ids.join(" ");
  if (group.dataset.ids !== wanted) {
    group.dataset.ids = wanted;
    group.replaceChildren(...ids.map((id) => {
      const button = make("button", `Face ${id}`, "button small");
      button.type = "button";
      button.addEventListener("click", () => { shown.face = id; goTo(shown.at); });
      return button;
    }));
  }
  [...group.children].forEach((button, place) => {
    button.setAttribute("aria-pressed", String(ids[place] === shown.face));
    button.style.borderLeft = `0.4rem solid ${colourOf(ids[place])}`;
  });
}

function prepareBars() {
  const rows = about.units.map((unit) => {
    const row = make("tr");
    const head = make("th", unit.code);
    head.scope = "row";
    head.append(make("span", unit.name, "name"), make("span", "", "hidden state"));
    const cell = make("td", undefined, "bar");
    const bar = make("div");
    const notch = make("b");
    notch.style.left = `${100 * unit.threshold}%`;
    bar.append(make("i"), notch);
    cell.append(bar);
    row.append(head, cell, make("td", "", "number"));
    if (about.intensities) row.append(make("td", "", "number"));
    return row;
  });
  element("units").tBodies[0].replaceChildren(...rows);
  element("intensity-head").hidden = !about.intensities;
  [...element("units").tHead.rows[0].cells].slice(2).forEach((cell) => cell.classList.add("number"));
  element("units").hidden = !about.units.length;
}

function fillBars(face) {
  [...element("units").tBodies[0].rows].forEach((row, place) => {
    const probability = face ? face.probabilities[place] : null;
    const present = Boolean(face && face.present[place]);
    row.classList.toggle("present", present);
    row.querySelector(".state").textContent = present ? ", present" : "";
    row.querySelector("i").style.width = `${100 * (probability || 0)}%`;
    row.cells[2].textContent = face ? probability.toFixed(2) : "–";
    if (about.intensities) row.cells[3].textContent = face && face.intensities ? face.intensities[place].toFixed(1) : "–";
  });
  const scores = face && face.expressions;
  const best = scores ? scores.indexOf(Math.max(...scores)) : -1;
  element("expression").textContent = best < 0 ? "" : `Expression: ${about.expressions[best]} (${scores[best].toFixed(2)})`;
}

// --- a video's time ---

function drawStrips() {
  const canvas = element("strips");
  const style = getComputedStyle(document.body);
  const width = canvas.clientWidth, line = 15, label = 44, sharp = window.devicePixelRatio || 1;
  const height = line * about.units.length;
  canvas.style.height = `${height}px`;
  canvas.width = width * sharp;
  canvas.height = height * sharp;
  const pen = canvas.getContext("2d");
  pen.scale(sharp, sharp);
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const length = wholeTime();
  const placeOf = (time) => Math.round(label + ((width - label) * time) / length);
  about.units.forEach((unit, place) => {
    pen.fillStyle = style.getPropertyValue("--faint");
    pen.fillText(unit.code, 0, line * (place + 0.5));
  });
  pen.fillStyle = style.getPropertyValue("--accent");
  shown.moments.forEach((moment, number) => {
    const face = moment.faces.find((each) => each.id === shown.face);
    if (!face) return;
    // whole pixels, so that neighbours meet without a seam
    const next = shown.moments[number + 1];
    const x = placeOf(moment.time), end = Math.max(x + 1, placeOf(next ? next.time : length));
    about.units.forEach((unit, place) => {
      pen.globalAlpha = face.present[place] ? 0.35 + 0.65 * face.probabilities[place] : 0.22 * face.probabilities[place];
      pen.fillRect(x, line * place + 1, end - x, line - 2);
    });
  });
  pen.globalAlpha = 1;
  const now = shown.moments[shown.at].time;
  pen.fillStyle = style.getPropertyValue("--ink");
  pen.fillRect(placeOf(now) - 1, 0, 2, height);
  element("moment").textContent = `${now.toFixed(2)} s of ${length.toFixed(1)} s`;
  canvas.setAttribute("aria-valuemax", length.toFixed(2));
  canvas.setAttribute("aria-valuenow", now.toFixed(2));
  canvas.setAttribute("aria-valuetext", `${now.toFixed(2)} seconds`);
}

function lastTime() {
  return shown.moments.length ? shown.moments[shown.moments.length - 1].time : 0;
}

function wholeTime() {
  // the last frame is shown for as long as the mean of the others
  const last = lastTime();
  return shown.moments.length > 1 ? last + last / (shown.moments.length - 1) : 1;
}

function nearest(time) {
  let low = 0, high = shown.moments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (shown.moments[middle].time <= time + 1e-3) low = middle;
    else high = middle - 1;
  }
  return low;
}

function seek(index) {
  goTo(index);
  const video = element("video");
  if (video.readyState > 0) video.currentTime = shown.moments[shown.at].time + 1e-3;
}

// --- tables ---

function linkTable() {
  const dialect = element("dialect").value;
  element("download").href = `api/jobs/${shown.job}/table?dialect=${encodeURIComponent(dialect)}`;
}

// --- the beginning ---

async function begin() {
  about = await ask("api/about");
  element("about").textContent = `facskit ${about.version}`;
  element("limits").textContent = `Up to ${about.max_megabytes} MB, videos up to ${about.max_minutes} minutes.`;
  element("dialect").replaceChildren(...about.dialects.map((name) => make("option", name)));
  prepareBars();
  element("file").addEventListener("change", (event) => event.target.files.length && open(event.target.files[0]));
  element("file").addEventListener("click", (event) => { event.target.value = ""; });
  element("webcam").addEventListener("click", toggleWebcam);
  element("cancel").addEventListener("click", () => { shown.run++; forget(); say("Cancelled."); showProgress(null); });
  element("dialect").addEventListener("change", linkTable);
  element("photo").addEventListener("load", () => goTo(0));
  element("photo").addEventListener("error", () => { element("photo").hidden = true; element("unplayable").hidden = false; goTo(0); });
  const video = element("video");
  video.addEventListener("loadeddata", () => goTo(shown.at));
  video.addEventListener("error", () => { if (video.src) { video.hidden = true; element("unplayable").hidden = false; } });
  const follow = () => { if (shown.kind === "video" && !shown.stream) goTo(nearest(video.currentTime)); };
  video.addEventListener("seeked", follow);
  video.addEventListener("play", function tick() {
    follow();
    if (!video.paused && !video.ended && shown.kind === "video") requestAnimationFrame(tick);
  });
  element("strips").addEventListener("click", (event) => {
    const place = (event.offsetX - 44) / (event.target.clientWidth - 44);
    seek(nearest(Math.max(0, place) * wholeTime()));
  });
  element("strips").addEventListener("keydown", (event) => {
    const second = Math.max(1, Math.round(shown.moments.length / Math.max(1, lastTime())));
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: second, PageDown: -second, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    seek(shown.at + steps[event.key]);
  });
  const drop = element("drop");
  for (const name of ["dragover", "dragenter"]) {
    document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
  });
  window.addEventListener("resize", () => goTo(shown.at));
  window.addEventListener("pagehide", forget);
  document.documentElement.dataset.ready = "yes";
}

begin().catch((error) => complain(error.message));
