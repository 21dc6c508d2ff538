"use strict";
// Which questions in which order, and what was answered: nothing of the page is touched here.
const Deck = (() => {
  // Who has seen a true picture beside its fill knows it, so pairs come last.
  const TASKS = ["real", "opinion", "pair"];
  const ANSWERS = { real: ["real", "fake"], opinion: [1, 2, 3, 4, 5], pair: ["left", "right"] };
  const REAL_SHARE = 1 / 3; // of the questions "real or not" show a true picture

  // Mulberry32: the same numbers in every browser.
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function shuffled(list, next) {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }

  // The names of a study lie in its page as base64 of JSON, so that they are not read in passing.
  function opened(text) {
    const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  // key.of: id -> [model, picture]; model -1 is the truth. Ids by model, each list in random order.
  function groups(key, next) {
    const found = new Map();
    for (const id of Object.keys(key.of).sort()) {
      const model = key.of[id][0];
      found.set(model, [...(found.get(model) || []), id]);
    }
    for (const [model, ids] of found) found.set(model, shuffled(ids, next));
    return found;
  }

  // So many ids, each model in turn, each time the picture that was taken least so far.
  function taken(lists, count, used, key, next) {
    const left = new Map(lists.map(([model, ids]) => [model, [...ids]]));
    const chosen = [];
    const times = (id) => used.get(key.of[id][1]) || 0;
    while (chosen.length < count && left.size) {
      for (const model of shuffled([...left.keys()], next)) {
        if (chosen.length >= count) break;
        const ids = left.get(model);
        const best = ids.reduce((a, b) => (times(b) < times(a) ? b : a));
        used.set(key.of[best][1], times(best) + 1);
        chosen.push(best);
        ids.splice(ids.indexOf(best), 1);
        if (!ids.length) left.delete(model);
      }
    }
    return chosen;
  }

  // A picture does not follow itself where another can stand between.
  function apart(ids, key) {
    const row = [...ids];
    const same = (a, b) => a !== undefined && b !== undefined && key.of[a][1] === key.of[b][1];
    for (let i = 1; i < row.length; i++) {
      if (!same(row[i - 1], row[i])) continue;
      const fits = (j) => !same(row[i - 1], row[j]) && !same(row[j - 1], row[i]) && !same(row[i], row[j + 1]);
      let other = row.findIndex((_, j) => j > i && !same(row[i - 1], row[j]));
      if (other < 0) other = row.findIndex((_, j) => j < i - 1 && fits(j) && !same(row[i + 1], row[j]));
      if (other >= 0) [row[i], row[other]] = [row[other], row[i]];
    }
    return row;
  }

  function drawn(task, count, key, next) {
    const all = [...groups(key, next)].sort((a, b) => a[0] - b[0]);
    const truth = all.filter(([model]) => model < 0);
    const fills = all.filter(([model]) => model >= 0);
    const used = new Map();
    if (task === "opinion") return taken(all, count, used, key, next);
    if (task === "pair") return taken(fills, count, used, key, next);
    const most = fills.reduce((sum, [, ids]) => sum + ids.length, 0);
    const there = truth.length ? truth[0][1].length : 0;
    const real = Math.min(there, Math.max(Math.round(count * REAL_SHARE), count - most));
    const shown = taken(fills, count - real, used, key, next);
    return [...shown, ...taken(truth, real, used, key, next)];
  }

  // Every question of one person: task, the id in question, the ids as shown from left to right.
  function plan(study, key, seed) {
    const next = random(seed);
    const truths = new Map();
    for (const [id, [model, picture]] of Object.entries(key.of)) if (model < 0) truths.set(picture, id);
    const trials = [];
    for (const task of TASKS.filter((name) => study.tasks[name])) {
      const ids = apart(shuffled(drawn(task, study.tasks[task], key, next), next), key);
      const sides = shuffled(ids.map((_, i) => (i % 2 ? "left" : "right")), next);
      ids.forEach((id, i) => {
        const truth = truths.get(key.of[id][1]);
        const real = task === "pair" ? sides[i] : null;
        const shows = task !== "pair" ? [id] : real === "left" ? [truth, id] : [id, truth];
        trials.push({ task, id, shows, real });
      });
    }
    return trials;
  }

  // What one person was asked and said so far. saved: what `kept` gave, of the same study.
  function begin(study, key, seed, saved) {
    const trials = plan(study, key, seed);
    const votes = [];
    const fits = (vote, i) => i < trials.length && vote.id === trials[i].id && ANSWERS[trials[i].task].includes(vote.answer);
    for (const vote of (saved && saved.votes) || []) if (fits(vote, votes.length)) votes.push(vote);
    const started = (saved && saved.started) || new Date().toISOString();
    return {
      trials, votes, seed,
      current: () => trials[votes.length] || null,
      vote(answer, ms) {
        const trial = trials[votes.length];
        if (!trial || !ANSWERS[trial.task].includes(answer)) return false;
        votes.push({ id: trial.id, answer, ms: Math.round(ms) });
        return true;
      },
      undo: () => votes.pop() !== undefined,
      kept: (rater) => ({ study: study.id, seed, rater, started, votes }),
      exported: (rater) => exported(study, key, { trials, votes, seed, started, rater }),
    };
  }

  // The file of votes: names in the clear, so that it can be scored without the page.
  function exported(study, key, sitting) {
    const rows = sitting.votes.map((vote, i) => {
      const [model, picture] = key.of[vote.id];
      const { task, real } = sitting.trials[i];
      const row = { task, model: model < 0 ? null : key.models[model], picture: key.pictures[picture], answer: vote.answer, ms: vote.ms };
      return real ? { ...row, real } : row;
    });
    return {
      format: "autoremove study votes", version: 1, study: study.id, made_by: study.version, rater: sitting.rater, seed: sitting.seed,
      seconds: study.seconds, started: sitting.started, exported: new Date().toISOString(), planned: sitting.trials.length, votes: rows,
    };
  }

  return { TASKS, ANSWERS, random, shuffled, opened, plan, begin };
})();
