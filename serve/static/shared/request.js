/**
 * Requests to the service. An answer that is an error becomes a RequestError with its sentence.
 * If the service needs a key, the page asks for it once and keeps it until its tab is closed.
 */

const STORED_KEY = "nudge-key";
const NO_ANSWER = "The service does not answer. Is it running? Then try again.";

/** A request that was not answered as hoped. Its message is one sentence for the reader. */
export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {number} status of HTTP; 0 if there was no answer.
   * @param {number} retryAfter seconds after which one may ask again; 0 if the service does not say.
   */
  constructor(message, status, retryAfter = 0) {
    super(message);
    this.name = "RequestError";
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/**
 * Ask for JSON.
 *
 * @param {string} path
 * @param {AbortSignal} [signal] ends the request; then an AbortError is thrown.
 * @returns {Promise<any>} what the JSON says.
 */
export async function getJson(path, signal) {
  return (await send(path, { signal: signal ?? null })).json();
}

/**
 * Send JSON, and read JSON.
 *
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} [signal] ends the request; then an AbortError is thrown.
 * @returns {Promise<any>} what the answer says.
 */
export async function postJson(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return (await send(path, { method: "POST", headers, body: JSON.stringify(body), signal: signal ?? null })).json();
}

/**
 * Send any request, such as a file.
 *
 * @param {string} path
 * @param {{method?: string, headers?: Record<string, string>, body?: BodyInit, signal?: AbortSignal | null}} [options]
 * @returns {Promise<Response>} the answer, whose status is below 300.
 * @throws {RequestError} for any other status, or without an answer.
 */
export async function send(path, options = {}) {
  for (;;) {
    const key = storedKey();
    const answer = await sendOnce(path, options, key);
    if (answer.ok) return answer;
    if (answer.status === 401 && (storedKey() !== key || (await askForKey(key !== "")))) continue;
    throw await errorOf(answer);
  }
}

/**
 * @returns {string} the key that was typed; empty if there is none.
 */
export function storedKey() {
  return sessionStorage.getItem(STORED_KEY) ?? "";
}

/**
 * @param {string} path
 * @param {{method?: string, headers?: Record<string, string>, body?: BodyInit, signal?: AbortSignal | null}} options
 * @param {string} key
 * @returns {Promise<Response>}
 */
async function sendOnce(path, options, key) {
  const headers = { ...options.headers, ...(key && { "X-API-Key": key }) };
  try {
    return await fetch(path, { ...options, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new RequestError(NO_ANSWER, 0);
  }
}

/**
 * @param {Response} answer
 * @returns {Promise<RequestError>}
 */
async function errorOf(answer) {
  let sentence = `The service answered with status ${answer.status}.`;
  try {
    const content = await answer.json();
    if (typeof content.error === "string") sentence = content.error;
  } catch {
    // What is between the service and the browser may answer with something else than JSON.
  }
  return new RequestError(sentence, answer.status, Number(answer.headers.get("Retry-After")) || 0);
}

/** @type {Promise<boolean> | null} */
let question = null;

/**
 * Ask the reader for the key. Requests that wait for it at the same time ask together.
 *
 * @param {boolean} wasWrong whether a key was sent, and is not known.
 * @returns {Promise<boolean>} whether there is a key now.
 */
function askForKey(wasWrong) {
  question ??= showKeyDialog(wasWrong).finally(() => {
    question = null;
  });
  return question;
}

/**
 * @param {boolean} wasWrong
 * @returns {Promise<boolean>}
 */
function showKeyDialog(wasWrong) {
  const dialog = document.createElement("dialog");
  dialog.className = "key-dialog";
  dialog.setAttribute("aria-labelledby", "key-title");
  const title = document.createElement("h2");
  title.id = "key-title";
  title.textContent = "This service needs a key";
  const explanation = document.createElement("p");
  explanation.id = "key-explanation";
  explanation.textContent = wasWrong
    ? "The service does not know that key. Type another one."
    : "Type the API key that its operator gave you. It is kept until you close this tab.";
  const label = document.createElement("label");
  label.textContent = "API key";
  const input = document.createElement("input");
  input.type = "password";
  input.autocomplete = "off";
  input.required = true;
  input.setAttribute("aria-describedby", "key-explanation");
  label.append(input);
  const buttons = document.createElement("p");
  buttons.className = "buttons";
  const use = document.createElement("button");
  use.type = "button";
  use.className = "primary";
  use.textContent = "Use this key";
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.textContent = "Cancel";
  buttons.append(use, cancel);
  dialog.append(title, explanation, label, buttons);
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    const accept = () => {
      // A header holds printable ASCII alone, and so does a key.
      if (!/^[!-~]+$/.test(input.value.trim())) {
        explanation.textContent = "A key has letters, digits and signs without spaces. Type it again.";
        input.focus();
        return;
      }
      sessionStorage.setItem(STORED_KEY, input.value.trim());
      dialog.close("used");
    };
    use.addEventListener("click", accept);
    cancel.addEventListener("click", () => dialog.close(""));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") accept();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "used");
    });
  });
}
