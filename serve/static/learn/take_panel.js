/** 'Take it along': the address, a checkpoint down and up, and the Python that gives the same numbers. */

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { formatCount } from "../shared/numbers.js";
import { send } from "../shared/request.js";
import { writeAddress } from "./address.js";
import { sentenceOf } from "./conversation.js";
import { flatten, unflatten } from "./params.js";
import { checkpointTable, tableBody } from "./questions.js";
import { networkOf, trainingOf } from "./derived.js";

/** @typedef {import("./state.js").State} State */

const JSON_HEADERS = { "Content-Type": "application/json" };

/** @param {{state: State, act: any}} props */
export function TakePanel({ state, act }) {
  const [problem, setProblem] = useState("");
  const attempt = async (/** @type {() => Promise<void>} */ work) => {
    setProblem("");
    try {
      await work();
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  };
  if (!state.params || !state.table?.y.length) return html`<p class="note">There is no network yet.</p>`;
  return html`<div class="take">
    <div role="status">${problem ? html`<p class="message error">${problem}</p>` : null}</div>
    <${Address} state=${state} attempt=${attempt} />
    <${Checkpoint} state=${state} act=${act} attempt=${attempt} />
    <${Python} state=${state} attempt=${attempt} />
  </div>`;
}

/** @param {any} props */
function Address({ state, attempt }) {
  const [copied, setCopied] = useState("");
  const address = `${location.origin}${location.pathname}${writeAddress(state.setting)}`;
  const copy = () => attempt(async () => {
    await navigator.clipboard.writeText(address);
    setCopied(address);
  });
  return html`<section aria-labelledby="address-title">
    <h3 id="address-title">The address</h3>
    <p>It holds the whole setting. Who opens it sees the same network with the same numbers.</p>
    ${"x" in state.setting.table ? html`<p class="note">The data is your own: the address holds every row of it (${formatCount(state.setting.table.y.length)}). Whoever gets the address can read them.</p>` : null}
    <div class="copy-row"><input id="address" type="text" readonly aria-labelledby="address-title" value=${address} onFocus=${(/** @type {any} */ event) => event.currentTarget.select()} /><button type="button" onClick=${copy}>${copied === address ? "Copied" : "Copy"}</button></div>
  </section>`;
}

/** @param {any} props */
function Checkpoint({ state, act, attempt }) {
  const input = useRef(/** @type {any} */ (null));
  const { setting } = state;
  const down = () => attempt(async () => {
    const start = { seed: setting.seed, index: setting.start, init: setting.init };
    const question = { network: networkOf(state), params: state.params, table: checkpointTable(setting.table), training: trainingOf(state), start, epoch: setting.before + state.epoch };
    const answer = await send("/learn/checkpoint", { method: "POST", headers: JSON_HEADERS, body: JSON.stringify(question) });
    save(await answer.blob(), fileName(answer) ?? "network.safetensors");
  });
  const up = () => attempt(async () => {
    const file = input.current.files?.[0];
    if (!file) return;
    input.current.value = "";
    const answer = await (await send("/learn/checkpoint", { method: "PUT", headers: { "Content-Type": "application/octet-stream" }, body: await file.arrayBuffer() })).json();
    const fits = answer.network.sizes[0] === state.table.columns.length && answer.classes.length === (state.table.classes?.length ?? 0);
    if (!answer.table && !fits) {
      throw new Error(`The checkpoint has learned ${answer.target} from ${answer.columns.join(", ")}. Choose that table first, then open the checkpoint.`);
    }
    act.takeCheckpoint(answer, flatten(answer.params));
  });
  return html`<section aria-labelledby="checkpoint-title">
    <h3 id="checkpoint-title">The network as a file</h3>
    <p>A checkpoint holds the weights. <code>nudge check</code>, <code>nudge ask</code>, <code>nudge show</code> and <code>nudge serve</code> read it.</p>
    <div class="buttons"><button type="button" disabled=${state.diverged} onClick=${down}>Save the checkpoint</button></div>
    ${state.diverged ? html`<p class="note">There is nothing to save: the weights are not numbers any more.</p>` : null}
    <label class="field" for="checkpoint"><span>Open a checkpoint</span><input id="checkpoint" type="file" accept=".safetensors" ref=${input} onChange=${up} /></label>
  </section>`;
}

/** @param {any} props */
function Python({ state, attempt }) {
  const [found, setFound] = useState({ question: "", script: "" });
  const { setting } = state;
  const start = { seed: setting.seed, index: setting.start, init: setting.init };
  const flat = setting.params;
  const question = JSON.stringify({
    network: networkOf(state), table: tableBody(setting.table), training: trainingOf(state), epochs: state.epoch,
    ...(flat ? { params: unflatten(flat, networkOf(state)) } : { start }),
  });
  useEffect(() => {
    if (state.running) return undefined;
    let isAsked = true; // a late answer to an earlier question is not shown
    void attempt(async () => {
      let script = "";
      try {
        script = await (await send("/learn/python", { method: "POST", headers: JSON_HEADERS, body: question })).text();
      } finally {
        if (isAsked) setFound({ question, script });
      }
    });
    return () => {
      isAsked = false;
    };
  }, [question, state.running]);
  const isCurrent = found.question === question;
  const { script } = found;
  const copy = () => attempt(() => navigator.clipboard.writeText(script));
  return html`<section aria-labelledby="python-title" aria-busy=${isCurrent ? "false" : "true"}>
    <h3 id="python-title">The same in Python</h3>
    <p>This script gives the very numbers of this page.</p>
    <div class="buttons"><button type="button" disabled=${!script || !isCurrent} onClick=${copy}>Copy the script</button><button type="button" disabled=${!script || !isCurrent} onClick=${() => save(new Blob([script], { type: "text/x-python" }), "nudge_network.py")}>Save it</button></div>
    <pre tabindex="0" aria-label="The script" role="region" data-name="python"><code>${script}</code></pre>
  </section>`;
}

/** @param {Response} answer @returns {string | null} */
function fileName(answer) {
  return /filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? null;
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
