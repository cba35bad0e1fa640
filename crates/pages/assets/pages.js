// Times in the reader's zone, lengths that count on, and the part of a page that is live: fetched anew when something
// happens, or brought by its stream. Pages work without it.
"use strict";
(() => {
  const language = document.documentElement.lang;
  const locale = navigator.languages.find((it) => it.split("-")[0] === language) ?? language;
  const withDay = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

  function tellTimes(root) {
    for (const time of root.querySelectorAll("time[data-local]")) {
      const date = new Date(time.dateTime);
      if (Number.isNaN(date.valueOf())) continue;
      time.title = time.textContent;
      time.textContent = withDay.format(date);
    }
    for (const count of root.querySelectorAll("[data-seconds]")) {
      count.began = performance.now() - 1000 * Number(count.dataset.seconds);
    }
  }

  function countOn() {
    for (const count of document.querySelectorAll("[data-seconds]")) {
      const seconds = Math.floor((performance.now() - count.began) / 1000);
      const two = (number) => String(number).padStart(2, "0");
      const hours = Math.floor(seconds / 3600);
      const minutes = Math.floor(seconds / 60) % 60;
      count.textContent = hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
    }
  }

  tellTimes(document);
  setInterval(countOn, 1000);

  // The sound of a recorded call goes on where the call is.
  for (const sound of document.querySelectorAll("audio[data-elapsed]")) {
    const began = performance.now() - Number(sound.dataset.elapsed);
    sound.addEventListener("play", () => {
      const place = (performance.now() - began) / 1000;
      if (Math.abs(sound.currentTime - place) > 0.3) sound.currentTime = place;
    });
    sound.play().catch(() => {});
  }

  // The part of a page that is live: the wall's calls, the desk's call, the state of the service.
  const live = document.getElementById("live");
  if (!live || !live.dataset.fragment) return;
  const state = document.getElementById("live-state");
  const said = document.getElementById("live-said");
  const title = document.title;
  let waiting = 0;
  let running = false;
  let again = false;
  let source = null;

  function told(fresh) {
    if (state.hidden !== fresh) state.hidden = fresh;
  }

  function tellAttention() {
    const summary = live.querySelector("[data-say]");
    const attention = Number(summary?.dataset.attention ?? 0);
    document.title = attention > 0 ? `(${attention}) ${title}` : title;
    const say = summary ? summary.dataset.say : "";
    if (said.textContent !== say) said.textContent = say;
  }

  function put(part) {
    const within = live.contains(document.activeElement);
    const focused = within ? document.activeElement.id : "";
    const open = live.querySelector("details[open]") !== null;
    live.innerHTML = part;
    if (open) live.querySelector("details")?.setAttribute("open", "");
    tellTimes(live);
    tellAttention();
    // Who stood on something that is gone, as the button of a cue that they have dismissed, stays at its place.
    if (within) (document.getElementById(focused) ?? live).focus({ preventScroll: true });
  }

  async function refresh() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      const answer = await fetch(live.dataset.fragment, { credentials: "same-origin", redirect: "manual" });
      if (answer.status === 401 || answer.status === 403 || answer.type === "opaqueredirect") {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      put(await answer.text());
      told(!source || source.readyState === EventSource.OPEN);
    } catch {
      told(false);
    } finally {
      running = false;
      if (again) {
        again = false;
        soon();
      }
    }
  }

  function soon() {
    if (waiting) return;
    // The server tells changes that lie close together as one.
    waiting = setTimeout(() => {
      waiting = 0;
      refresh();
    }, 50);
  }

  function listen() {
    // A stream brings the part itself; events only tell that it has changed.
    const brings = live.dataset.stream;
    source = new EventSource(brings ?? live.dataset.events);
    source.onmessage = (message) => (brings ? put(message.data) : soon());
    for (const kind of (live.dataset.kinds ?? "").split(" ").filter(Boolean)) source.addEventListener(kind, soon);
    source.onopen = () => (brings ? told(true) : soon());
    source.onerror = () => {
      told(false);
      // A browser tries again after a broken connection, but not after a refusal.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => (brings ? location.reload() : listen()), 10000);
    };
  }

  tellAttention();
  if (live.dataset.events || live.dataset.stream) listen();
  if (!live.dataset.stream) {
    setInterval(() => document.hidden || soon(), 1000 * Number(live.dataset.every ?? 15));
    document.addEventListener("visibilitychange", () => document.hidden || soon());
  }

  // An answer is posted without leaving the page: the stream then brings what has become of it.
  if (live.dataset.stream) {
    live.addEventListener("submit", async (event) => {
      event.preventDefault();
      const form = new URLSearchParams(new FormData(event.target, event.submitter));
      const answer = await fetch(event.target.action, { method: "POST", body: form, redirect: "manual" }).catch(() => null);
      if (!answer || (answer.type !== "opaqueredirect" && !answer.ok)) told(false);
    });
  }
})();
