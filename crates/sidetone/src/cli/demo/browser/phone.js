// The demo's phone: one call at a time by JsSIP, from this browser's microphone through Sidetone.
"use strict";
(() => {
  const root = document.getElementById("phone");
  const texts = JSON.parse(root.dataset.texts);
  const at = (id) => document.getElementById(id);
  const [state, fault, length, sound, level] = ["state", "fault", "length", "sound", "level"].map((it) => at(`phone-${it}`));
  const [call, hangUp, mute] = ["call", "hangup", "mute"].map((it) => at(`phone-${it}`));
  const keys = [...root.querySelectorAll("[data-key]")];
  const KEY_MS = 160;
  const RING_MS = 30000;

  let agent = null;
  let session = null;
  let microphone = null;
  let ringing = 0;
  let talking = 0;
  let began = 0;
  let pressed = 0;
  let busy = false;

  function say(text) {
    state.textContent = text;
  }

  function complain(text) {
    fault.textContent = text;
    fault.hidden = text === "";
  }

  // Focus stays with who calls by the keyboard: a button that goes hands it to the one in its place.
  function show(up) {
    const held = document.activeElement === call || document.activeElement === hangUp;
    call.hidden = up;
    hangUp.hidden = !up;
    if (held) (up ? hangUp : call).focus();
  }

  function open(up) {
    for (const button of [mute, ...keys]) button.disabled = !up;
    if (up) return;
    mute.setAttribute("aria-pressed", "false");
    mute.textContent = texts.mute;
    level.value = 0;
  }

  // Whether a WebSocket to that address opens: no page is told why one does not.
  function opens(address) {
    return new Promise((done) => {
      const socket = new WebSocket(address, "sip");
      const patience = setTimeout(() => tell(false), 4000);
      function tell(opened) {
        clearTimeout(patience);
        socket.onopen = socket.onerror = null;
        socket.close();
        done(opened);
      }
      socket.onopen = () => tell(true);
      socket.onerror = () => tell(false);
    });
  }

  // By TLS where the browser takes the certificate; else without, which the page says.
  async function connect() {
    const { secure, plain, own } = root.dataset;
    const bySecure = await opens(secure);
    if (!bySecure && !(await opens(plain))) {
      say("");
      complain(texts.unreachable);
      call.textContent = texts.again;
      call.disabled = false;
      return false;
    }
    at("fact-signalling").textContent = bySecure ? texts.secure : texts.plain;
    at("phone-plain").hidden = bySecure;
    agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(bySecure ? secure : plain)],
      uri: own,
      register: false,
    });
    agent.on("disconnected", () => {
      if (session) complain(texts.lost);
    });
    const connected = new Promise((done) => agent.once("connected", done));
    agent.start();
    await connected;
    say(texts.ready);
    call.disabled = false;
    return true;
  }

  const microphoneFaults = {
    NotAllowedError: "refused_microphone",
    SecurityError: "refused_microphone",
    NotFoundError: "no_microphone",
    OverconstrainedError: "no_microphone",
    NotReadableError: "busy_microphone",
    AbortError: "busy_microphone",
  };

  async function place() {
    // Not disabled meanwhile: a button that is loses the focus.
    if (busy || session) return;
    busy = true;
    complain("");
    try {
      if (agent && !agent.isConnected()) {
        // The demo was ended, or started again: whether it is there is found out anew.
        agent.stop();
        agent = null;
      }
      if (!agent && !(await connect())) return;
      if (!navigator.mediaDevices) return complain(texts.unsafe_page);
      say(texts.asking);
      microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      say(texts.ready);
      return complain(texts[microphoneFaults[error.name] ?? "busy_microphone"]);
    } finally {
      busy = false;
    }
    say(texts.calling);
    show(true);
    session = agent.call(root.dataset.callee, {
      mediaStream: microphone,
      // Sidetone is a lite agent on this machine: no server has to tell this browser its address.
      pcConfig: { iceServers: [], bundlePolicy: "max-bundle" },
      eventHandlers: { peerconnection: (event) => hear(event.peerconnection) },
    });
    follow(session);
  }

  function hear(connection) {
    connection.addEventListener("track", (event) => {
      sound.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      sound.play().catch(() => {});
    });
    connection.addEventListener("connectionstatechange", () => {
      if (connection.connectionState !== "failed" || !session) return;
      complain(texts.no_media);
      session.terminate();
    });
  }

  function follow(its) {
    // It needs no candidates of ours, so the first is enough; some interfaces take seconds to be asked.
    its.on("icecandidate", (event) => event.ready());
    its.on("progress", () => say(texts.ringing));
    its.on("confirmed", () => {
      clearTimeout(ringing);
      say(texts.talking);
      open(true);
      began = performance.now();
      talking = setInterval(() => measure(its), 500);
    });
    its.on("failed", (event) => over(why(event)));
    its.on("ended", () => over(""));
    ringing = setTimeout(() => {
      over(texts.no_answer);
      its.terminate();
    }, RING_MS);
  }

  // Why there is no call, in plain words.
  function why(event) {
    const { causes } = JsSIP.C;
    if (event.originator === "local" && event.cause === causes.CANCELED) return "";
    const known = {
      [causes.BUSY]: texts.busy,
      [causes.REJECTED]: texts.refused,
      [causes.NO_ANSWER]: texts.no_answer,
      [causes.UNAVAILABLE]: texts.no_answer,
      [causes.REQUEST_TIMEOUT]: texts.lost,
      [causes.CONNECTION_ERROR]: texts.lost,
      [causes.INCOMPATIBLE_SDP]: texts.insecure,
      [causes.BAD_MEDIA_DESCRIPTION]: texts.insecure,
    };
    return known[event.cause] ?? `${texts.failed} ${event.cause}`;
  }

  function over(complaint) {
    if (!session) return;
    session = null;
    clearTimeout(ringing);
    clearInterval(talking);
    for (const track of microphone?.getTracks() ?? []) track.stop();
    microphone = null;
    sound.srcObject = null;
    say(texts.ended);
    if (complaint) complain(complaint);
    call.textContent = texts.again;
    open(false);
    show(false);
  }

  // What the browser itself measures: how loud, how protected, how much.
  async function measure(its) {
    const seconds = Math.floor((performance.now() - began) / 1000);
    length.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    const stats = await its.connection?.getStats().catch(() => null);
    if (!stats || its !== session) return;
    const all = [...stats.values()];
    const of = (type) => all.find((it) => it.type === type);
    const [source, sent, received, transport] = ["media-source", "outbound-rtp", "inbound-rtp", "transport"].map(of);
    // A voice at a usual distance has a tenth of full scale.
    level.value = Math.min(1, 4 * (source?.audioLevel ?? 0));
    const codec = stats.get(sent?.codecId);
    if (codec) at("fact-codec").textContent = codec.mimeType.replace("audio/", "");
    if (transport?.dtlsState === "connected") {
      const version = { FEFD: "1.2", FEFC: "1.3" }[transport.tlsVersion] ?? "";
      at("fact-media").textContent = `DTLS ${version}, ${transport.srtpCipher ?? "SRTP"}, ICE`;
    }
    if (sent && received) {
      const counts = [sent.packetsSent, received.packetsReceived];
      at("fact-packets").textContent = counts.reduce((text, it) => text.replace("{}", it), texts.packets);
    }
  }

  function press(key) {
    if (!session?.isEstablished()) return;
    // RFC 4733, as a telephone does it: what hears the sound hears the key.
    session.sendDTMF(key, { transportType: JsSIP.C.DTMF_TRANSPORT.RFC2833, duration: KEY_MS, interToneGap: 100 });
    say(`${texts.pressed} ${key}`);
    clearTimeout(pressed);
    pressed = setTimeout(() => session && say(session.isMuted().audio ? texts.muted : texts.talking), 2000);
  }

  call.addEventListener("click", place);
  hangUp.addEventListener("click", () => session?.terminate());
  mute.addEventListener("click", () => {
    if (!session) return;
    const muted = !session.isMuted().audio;
    if (muted) session.mute({ audio: true });
    else session.unmute({ audio: true });
    mute.setAttribute("aria-pressed", String(muted));
    mute.textContent = muted ? texts.unmute : texts.mute;
    say(muted ? texts.muted : texts.talking);
  });
  for (const button of keys) button.addEventListener("click", () => press(button.dataset.key));
  // The keyboard's keys are the telephone's too, while the focus is on it (WCAG 2.1.4).
  root.querySelector(".handset").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (/^[0-9*#]$/.test(event.key)) press(event.key);
  });
  // Who leaves hangs up: nothing must go on that nobody sees.
  addEventListener("pagehide", () => session?.terminate());

  connect();
})();
