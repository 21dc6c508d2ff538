// The page round the deck: screens, keys, and what the browser keeps. Text goes in through textContent only.
(() => {
  const by = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(by(id).textContent);
  const study = read("study");
  const pictures = read("pictures");
  const key = Deck.opened(read("key"));
  const place = `autoremove-study-${study.id}`;

  const words = {
    real: {
      title: "Real or not?",
      text: "You see one picture. Say whether it is a real photo or whether part of it was made by a program.",
      answers: [["real", "R", "Real"], ["fake", "F", "Not real"]],
    },
    opinion: {
      title: "How good is it?",
      text: "You see one picture. Say how good it looks as a photo, from 1 (bad) to 5 (excellent).",
      answers: [[1, "1", "Bad"], [2, "2", "Poor"], [3, "3", "Fair"], [4, "4", "Good"], [5, "5", "Excellent"]],
    },
    pair: {
      title: "Which one is real?",
      text: "You see two pictures. One is a real photo; part of the other was made by a program. Choose the real one.",
      answers: [["left", "\u2190", "Left"], ["right", "\u2192", "Right"]],
    },
  };
  const keys = { r: "real", f: "fake", arrowleft: "left", arrowright: "right", 1: 1, 2: 2, 3: 3, 4: 4, 5: 5 };

  let sitting = null;
  let rater = "";
  let ready = false; // a question may be answered once its pictures are there
  let shownAt = 0;
  let hiding = 0;
  let going = () => {}; // what the space bar does on a screen of text
  const told = new Set(); // tasks whose rules were read

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "text") node.textContent = value;
      else if (name === "click") node.addEventListener("click", value);
      else node.setAttribute(name, value);
    }
    node.append(...children.filter(Boolean));
    return node;
  }

  function kept() {
    try {
      return JSON.parse(localStorage.getItem(place));
    } catch (error) {
      return null; // forbidden, or not ours: begin anew
    }
  }

  function keep() {
    try {
      localStorage.setItem(place, JSON.stringify(sitting.kept(rater)));
    } catch (error) {
      by("note").textContent = "This browser keeps nothing for this page: save the votes before you close it.";
      by("note").hidden = false;
    }
  }

  function forget() {
    try {
      localStorage.removeItem(place);
    } catch (error) {
      console.warn("nothing could be removed", error);
    }
  }

  const asked = () => Number((location.hash.match(/seed=(\d+)/) || [])[1]);
  const fresh = () => (Number.isFinite(asked()) ? asked() >>> 0 : crypto.getRandomValues(new Uint32Array(1))[0]);

  function begin(seed, saved) {
    sitting = Deck.begin(study, key, seed, saved);
    by("seed").textContent = String(seed);
    by("tools").hidden = false;
    by("top").hidden = false;
    if (saved) for (const trial of sitting.trials.slice(0, sitting.votes.length)) told.add(trial.task);
    show();
  }

  function card(...children) {
    ready = false;
    by("main").replaceChildren(make("div", { class: "card" }, ...children));
    const first = by("main").querySelector("input, button.main");
    if (first) first.focus();
  }

  function button(text, key, click, main) {
    return make("button", { type: "button", class: main ? "main" : "", click }, `${text} `, key && make("kbd", { text: key }));
  }

  function welcome() {
    const saved = kept();
    const list = make("ol", {});
    for (const task of Deck.TASKS.filter((name) => study.tasks[name])) {
      list.append(make("li", {}, make("b", { text: words[task].title }), ` ${study.tasks[task]} questions. ${words[task].text}`));
    }
    const name = make("input", { type: "text", maxlength: 60, autocomplete: "off", value: (saved && saved.rater) || "" });
    const start = (seed, old) => () => {
      rater = name.value.trim() || "anonymous";
      begin(seed, old);
      keep();
    };
    const goOn = saved && saved.study === study.id && saved.votes.length ? start(saved.seed, saved) : null;
    const anew = start(fresh(), null);
    going = goOn || anew;
    card(
      make("h1", { text: "What do you see?" }),
      make("p", { text: "Some of these pictures are photos as they were taken. In others a program filled a part that was missing. Judge by looking; there is no need to hurry, and nothing is sent anywhere." }),
      list,
      make("label", {}, "Your name or a short sign", name),
      make("div", { class: "row" }, goOn && button(`Go on after ${saved.votes.length} votes`, "Enter", goOn, true), button(goOn ? "Begin anew" : "Begin", goOn ? "" : "Enter", anew, !goOn)),
    );
  }

  function rules(task) {
    const parts = Deck.TASKS.filter((name) => study.tasks[name]);
    const limited = task === "real" && study.seconds ? `It is shown for ${study.seconds} seconds only; you may answer later.` : "";
    going = () => { told.add(task); show(); };
    card(
      make("p", { class: "quiet", text: `Part ${parts.indexOf(task) + 1} of ${parts.length}` }),
      make("h1", { text: words[task].title }),
      make("p", { text: `${words[task].text} ${limited}` }),
      make("p", {}, "Keys: ", ...words[task].answers.flatMap(([, letter, text]) => [make("kbd", { text: letter }), ` ${text}  `]), make("kbd", { text: "U" }), " takes the last answer back."),
      button("Go", "Space", () => going(), true),
    );
  }

  function ended() {
    going = save;
    card(
      make("h1", { text: "Thank you" }),
      make("p", { text: `All ${sitting.votes.length} questions are answered. Save the votes as a file and hand it to whoever gave you this page.` }),
      make("div", { class: "row" }, button("Save votes", "Space", save, true), button("Another person", "", () => { forget(); location.reload(); })),
    );
  }

  function save() {
    const text = JSON.stringify(sitting.exported(rater), null, 1);
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const name = `votes-${study.id.slice(0, 6)}-${rater.replace(/[^\w-]+/g, "_").slice(0, 30) || "anonymous"}-${sitting.seed}.json`;
    const link = make("a", { href: address, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  }

  function progress() {
    const trial = sitting.current();
    const [done, all] = [sitting.votes.length, sitting.trials.length];
    const own = trial ? sitting.trials.filter((other) => other.task === trial.task) : [];
    by("part").textContent = trial ? words[trial.task].title : "Done";
    by("count").textContent = trial ? `${own.indexOf(trial) + 1} of ${own.length} \u00b7 ${done} of ${all} answered in all` : `${done} of ${all}`;
    by("bar").style.width = `${(100 * done) / Math.max(1, all)}%`;
    by("progress").setAttribute("aria-valuemax", all);
    by("progress").setAttribute("aria-valuenow", done);
    by("undo").disabled = !done;
  }

  function framed(trial, id, i) {
    const image = make("img", { src: pictures[id], alt: "picture in question", draggable: "false" });
    const side = ["left", "right"][i];
    return trial.task === "pair"
      ? make("button", { type: "button", class: "frame", "aria-label": side, click: () => answer(side) }, image)
      : make("div", { class: "frame" }, image);
  }

  // Small pictures up to twice as large, where the window has room for it; every version alike.
  function fit() {
    const images = [...document.querySelectorAll(".frame img")];
    if (!images.length || !images[0].naturalWidth) return;
    const rest = [...by("main").children].filter((node) => !node.classList.contains("pictures"));
    const used = rest.reduce((sum, node) => sum + node.getBoundingClientRect().height + 16, 30);
    const high = Math.max(80, by("main").getBoundingClientRect().height - used);
    const wide = (by("main").clientWidth - 40 - 20 * (images.length - 1)) / images.length;
    for (const image of images) {
      const most = Math.max(1, Math.min(2, 800 / Math.max(image.naturalWidth, image.naturalHeight)));
      const scale = Math.min(most, high / image.naturalHeight, wide / image.naturalWidth);
      image.style.width = `${Math.floor(scale * image.naturalWidth)}px`;
      image.style.height = `${Math.floor(scale * image.naturalHeight)}px`;
    }
  }

  function question(trial) {
    ready = false;
    const frames = trial.shows.map((id, i) => framed(trial, id, i));
    const answers = words[trial.task].answers.map(([value, letter, text]) => button(text, letter, () => answer(value)));
    const outline = trial.task === "opinion" ? study.outlines[study.holes[trial.id]] : null;
    by("main").replaceChildren(
      make("p", { class: "question", text: words[trial.task].title }),
      make("div", { class: "pictures" }, ...frames),
      make("div", { class: "answers" }, ...answers),
      make("p", { class: "hint", text: outline ? "Hold M to see which part is in question." : "" }),
    );
    if (outline) frames[0].append(make("img", { class: "hole", src: outline, alt: "", hidden: "" }));
    const images = frames.map((frame) => frame.querySelector("img"));
    Promise.all(images.map((image) => image.decode())).then(() => {
      if (sitting.current() !== trial) return;
      fit();
      ready = true;
      shownAt = performance.now();
      if (trial.task === "real" && study.seconds) hiding = setTimeout(() => frames[0].classList.add("gone"), 1000 * study.seconds);
    });
  }

  function show() {
    clearTimeout(hiding);
    const trial = sitting.current();
    progress();
    if (!trial) ended();
    else if (!told.has(trial.task)) rules(trial.task);
    else question(trial);
  }

  function answer(value) {
    if (!ready || !sitting.vote(value, performance.now() - shownAt)) return;
    keep();
    show();
  }

  function undo() {
    if (!sitting || !sitting.undo()) return;
    told.add(sitting.current().task);
    keep();
    show();
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const name = event.key.toLowerCase();
    const typing = event.target.tagName === "INPUT";
    const card = document.querySelector(".card");
    if (card && (name === "enter" || (name === " " && !typing)) && event.target.tagName !== "BUTTON") {
      event.preventDefault();
      going();
    } else if (!typing && (name === "u" || name === "backspace")) undo();
    else if (!typing && name === "m") outlined(true);
    else if (!typing && !card && name in keys) {
      event.preventDefault();
      answer(keys[name]);
    }
  }

  function outlined(on) {
    for (const image of document.querySelectorAll(".hole")) image.hidden = !on;
  }

  document.addEventListener("keydown", pressed);
  document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "m") outlined(false); });
  window.addEventListener("resize", fit);
  by("undo").addEventListener("click", undo);
  by("save").addEventListener("click", save);
  welcome();
})();
