/** Asks the endpoints, one question at a time, and puts the answers into the state, unless they come too late. */

import { postJson } from "../shared/request.js";
import { nextQuestion } from "./questions.js";
import * as from from "./state.js";
import { readSurface } from "./surfaces.js";
import { inPhases } from "./trace_steps.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./questions.js").Question} Question */
/** @typedef {import("./store.js").Store} Store */

// A frame of training should take about this long, in milliseconds.
const FRAME = 24;
// At speed auto, a frame trains one part in so many of the epochs until now: the longer it runs, the faster.
const SHARE = 20;
// Epochs of a frame; few different ones, so that each is a program that the process has seen before.
const PACES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000];

/** @param {Store} store @returns {() => void} to call whenever the state has changed */
export function converse(store) {
  let asking = false;
  let numbersAt = 0;
  let frame = Promise.resolve();

  async function askAll() {
    if (asking) return;
    asking = true;
    for (;;) {
      const question = nextQuestion(store.state, performance.now(), numbersAt);
      if (!question) break;
      if (question.kind === "forward") numbersAt = performance.now();
      const asked = performance.now();
      try {
        const answer = await postJson(question.path, question.body);
        const took = performance.now() - asked;
        if (question.kind === "train" && store.state.running) {
          await frame;
          frame = nextFrame();
        }
        store.change((state) => receive(state, question, answer, took));
      } catch (error) {
        if (isBusy(error)) await nextFrame();
        else if (question.turn === store.state.turn) store.change((state) => from.fail(state, sentenceOf(error)));
      }
    }
    asking = false;
  }
  return () => void askAll();
}

/** @param {State} state @param {Question} question @param {any} answer @param {number} took @returns {State} */
function receive(state, question, answer, took) {
  const late = question.turn !== state.turn;
  const { key } = question;
  switch (question.kind) {
    case "table":
      return late ? state : from.receiveTable(state, answer);
    case "start":
      return late ? state : from.receiveStart(state, answer.params);
    case "train":
      return late ? state : receiveTraining(state, question, answer, took);
    case "surface":
      return { ...state, surface: { ...readSurface(answer), key } };
    case "trace":
      return { ...state, trace: { ...answer, steps: inPhases(answer.steps), key } };
    case "forward":
      return from.receiveForward(state, { ...answer, key });
    default:
      return { ...state, [question.kind]: { ...answer, key } };
  }
}

/** @param {State} state @param {Question} question @param {any} answer @param {number} took @returns {State} */
function receiveTraining(state, question, answer, took) {
  const surface = answer.surface ? { ...readSurface(answer.surface), key: "" } : null;
  const trained = from.receiveTraining(state, question.epochs ?? 1, answer, surface);
  return state.running ? { ...trained, pace: nextPace(trained, took) } : trained;
}

/** @param {State} state @param {number} took @returns {number} how many epochs the next frame trains */
function nextPace({ pace, speed, epoch, setting }, took) {
  const index = Math.max(0, PACES.indexOf(pace));
  if (took > FRAME * 2) return PACES[index - 1] ?? pace;
  const next = PACES[index + 1] ?? pace;
  const wanted = speed === "auto" ? (setting.before + epoch) / SHARE : Infinity;
  return took < FRAME && next <= wanted ? next : pace;
}

/** @param {unknown} error */
function isBusy(error) {
  return error instanceof Error && "status" in error && error.status === 503;
}

/** @param {unknown} error @returns {string} */
export function sentenceOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @returns {Promise<void>} */
function nextFrame() {
  return new Promise((resolve) => requestAnimationFrame(() => resolve()));
}
