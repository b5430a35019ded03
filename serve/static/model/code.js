/** The same prediction from a terminal and from Python, to be copied. */

import { html, useEffect, useState } from "../vendor/preact-htm.js";

/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./types.js").Row} Row */

const KEY = "YOUR_KEY";

/**
 * The command that asks for the prediction of a row.
 *
 * @param {Description} model
 * @param {Row} row
 * @param {string} origin of the service, such as http://localhost:8000.
 * @returns {string}
 */
export function curlCommand(model, row, origin) {
  const headers = [...(model.needs_key ? [`X-API-Key: ${KEY}`] : []), "Content-Type: application/json"];
  const options = headers.map((header) => `-H ${quoted(header)}`);
  return `curl ${[quoted(addressOf(model, origin)), ...options, `--data-binary ${quoted(JSON.stringify(row))}`].join(" \\\n  ")}`;
}

/**
 * The Python that does the same with nothing but the standard library.
 *
 * @param {Description} model
 * @param {Row} row
 * @param {string} origin
 * @returns {string}
 */
export function pythonScript(model, row, origin) {
  const values = Object.entries(row).map(([name, value]) => `    ${JSON.stringify(name)}: ${value === null ? "None" : JSON.stringify(value)},`);
  const key = model.needs_key ? `, "X-API-Key": "${KEY}"` : "";
  return `import json
import urllib.request

row = {
${values.join("\n")}
}
request = urllib.request.Request(
    ${JSON.stringify(addressOf(model, origin))},
    json.dumps(row).encode(),
    {"Content-Type": "application/json"${key}},
)
with urllib.request.urlopen(request) as answer:
    print(json.load(answer))
`;
}

/**
 * @param {Description} model
 * @param {string} origin
 * @returns {string}
 */
function addressOf(model, origin) {
  return `${origin}/models/${encodeURIComponent(model.name)}/predict`;
}

/**
 * @param {string} text
 * @returns {string} as one word of a shell.
 */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {{model: Description, row: Row}} props */
export function Code({ model, row }) {
  return html`<section class="panel code-panel" aria-labelledby="code-title">
    <h2 id="code-title">Ask for it from elsewhere</h2>
    <p class="soft">Both ask for the prediction of the row above.${model.needs_key && html` Put your key in the place of ${KEY}.`}</p>
    <${Snippet} title="In a terminal" name="curl" text=${curlCommand(model, row, location.origin)} />
    <${Snippet} title="In Python" name="python" text=${pythonScript(model, row, location.origin)} />
  </section>`;
}

/** @param {{title: string, name: string, text: string}} props */
function Snippet({ title, name, text }) {
  const [told, setTold] = useState("");
  useEffect(() => setTold(""), [text]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setTold("Copied.");
    } catch {
      setTold("The browser does not allow it. Select the text, and copy it.");
    }
  };
  return html`<div class="snippet">
    <div class="panel-head">
      <h3>${title}</h3>
      <span role="status" class="soft small">${told}</span>
      <button type="button" aria-label=${`Copy: ${title}`} onClick=${copy}>Copy</button>
    </div>
    <pre tabindex="0" role="region" aria-label=${title}><code data-name=${name}>${text}</code></pre>
  </div>`;
}
