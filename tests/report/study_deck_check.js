"use strict";
// Run by test_study_deck.py: `node study_deck_check.js DECK`, a study and its key as JSON on standard input.
const fs = require("fs");
const Deck = new Function(`${fs.readFileSync(process.argv[2], "utf8")}; return Deck;`)();
const { study, key, hidden, seeds } = JSON.parse(fs.readFileSync(0, "utf8"));

function answered(seed) {
  const sitting = Deck.begin(study, key, seed, null);
  sitting.trials.forEach((trial, i) => sitting.vote(Deck.ANSWERS[trial.task][i % 2], 1000 + i));
  return sitting;
}

const sitting = answered(seeds[0]);
const half = Deck.begin(study, key, seeds[0], null);
half.vote(Deck.ANSWERS[half.current().task][0], 5.4);
const kept = JSON.parse(JSON.stringify(half.kept("ann")));
const again = Deck.begin(study, key, seeds[0], kept);
const foreign = Deck.begin(study, key, seeds[0] + 1, kept);
const wrong = half.vote("purple", 1);
const undone = [half.undo(), half.votes.length, half.undo()];
console.log(JSON.stringify({
  opened: Deck.opened(hidden),
  plans: seeds.map((seed) => Deck.plan(study, key, seed)),
  twice: Deck.plan(study, key, seeds[0]),
  votes: sitting.exported("ann"),
  past: sitting.vote("real", 1),
  resumed: [again.votes.length, again.current().id === half.trials[1].id],
  foreign: foreign.votes.length,
  wrong, undone,
}));
