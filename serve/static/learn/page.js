/** The whole page, as a function of the state. */

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import { formatNumber } from "../shared/numbers.js";
import { DataPanel } from "./data_panel.js";
import { Lesson } from "./lesson.js";
import { LossCurve } from "./loss_curve.js";
import { NetworkPicture } from "./network_picture.js";
import { NudgePanel } from "./nudge_panel.js";
import { parameterLabel, placeOf, valueAt } from "./params.js";
import { Message, PlayBar } from "./play_bar.js";
import { RowsPanel } from "./rows_panel.js";
import { SettingsPanel } from "./settings_panel.js";
import { StartsPanel } from "./starts_panel.js";
import { isLoading, networkOf } from "./derived.js";
import { StuckPanel } from "./stuck_panel.js";
import { SurfacePicture } from "./surface_picture.js";
import { TakePanel } from "./take_panel.js";
import { TracePanel } from "./trace_panel.js";

/** @typedef {import("./state.js").State} State */

/** @type {[string, string, any][]} */
const TABS = [
  ["nudge", "Nudge it", NudgePanel],
  ["trace", "Step through", TracePanel],
  ["stuck", "Why stuck?", StuckPanel],
  ["starts", "64 starts", StartsPanel],
  ["rows", "Rows", RowsPanel],
  ["take", "Take along", TakePanel],
];

/** @param {{state: State, act: any}} props */
export function Page({ state, act }) {
  const { setting } = state;
  return html`
    <header class="site-header">
      <a class="skip-link" href="#" onClick=${toMain}>To the network</a>
      <h1 class="site-name">Nudge <span>watch a network learn</span></h1>
      <nav aria-label="Pages">
        <button type="button" class="small" aria-pressed=${setting.lesson !== null} onClick=${() => act.lesson(setting.lesson === null ? 1 : null)}>Lesson</button>
        <a href="/models">Served models</a>
      </nav>
    </header>
    <main id="main" class="learn" tabindex="-1">
      <${PlayBar} state=${state} act=${act} />
      <${Message} state=${state} act=${act} />
      <div class="workbench">
        <div class="left">
          ${setting.lesson === null ? null : html`<${Lesson} number=${setting.lesson} act=${act} />`}
          <${Folded} title="Data and network">
            <${DataPanel} state=${state} act=${act} />
            <${SettingsPanel} state=${state} act=${act} />
          <//>
        </div>
        <section class="picture panel" aria-labelledby="network-title">
          <h2 id="network-title" class="unseen">The network</h2>
          ${state.params ? html`<${NetworkPicture} state=${state} act=${act} />` : html`<div class="network waiting"></div>`}
          <${Caption} state=${state} />
        </section>
        <div class="side panel">
          <${SurfacePicture} state=${state} act=${act} />
          <${LossCurve} state=${state} act=${act} />
        </div>
        <${Tabs} state=${state} act=${act} />
      </div>
    </main>
  `;
}

/** @param {Event} event */
function toMain(event) {
  event.preventDefault();
  /** @type {HTMLElement | null} */ (document.querySelector(".network [tabindex='0']"))?.focus();
}

/** @param {any} props what one can fold away where there is little room */
function Folded({ title, children }) {
  const box = useRef(/** @type {any} */ (null));
  useEffect(() => {
    const wide = matchMedia("(min-width: 1000px)");
    const follow = () => (box.current.open = wide.matches);
    follow();
    wide.addEventListener("change", follow);
    return () => wide.removeEventListener("change", follow);
  }, []);
  return html`<details class="folded panel" ref=${box}><summary>${title}</summary>${children}</details>`;
}

/** @param {{state: State}} props what the pointer is at, and what the numbers at the units are */
function Caption({ state }) {
  const { hovered, params, probe, table, setting } = state;
  const place = hovered ? placeOf(hovered) : null;
  const value = place && params ? valueAt(params, place) : undefined;
  if (place && value !== undefined) {
    const label = parameterLabel(networkOf(state), table, place);
    return html`<p class="caption"><b>${label[0]?.toUpperCase()}${label.slice(1)}</b> = ${formatNumber(value, 6)} <span class="soft">click to nudge it · keys + and − change it · <code>${hovered}</code></span></p>`;
  }
  if (probe) return html`<p class="caption">The numbers at the units are for the place under the pointer.</p>`;
  const row = table?.y.length ? `The numbers at the units are for row ${setting.row}. ` : "";
  return html`<p class="caption">${row}<span class="key"><i class="positive"></i> positive <i class="negative"></i> negative</span></p>`;
}

/** @param {{state: State, act: any}} props */
function Tabs({ state, act }) {
  const { panel } = state.setting;
  const box = useRef(/** @type {any} */ (null));
  const shown = useRef(state.setting.select);
  useEffect(() => {
    if (state.setting.select !== shown.current) box.current.scrollIntoView({ block: "nearest" });
    shown.current = state.setting.select;
  }, [state.setting.select]);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const at = TABS.findIndex(([key]) => key === panel);
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const [key] = TABS[(moves[/** @type {keyof typeof moves} */ (event.key)] + TABS.length) % TABS.length] ?? ["nudge"];
    act.show({ panel: key });
    document.getElementById(`tab-${key}`)?.focus();
  };
  const Panel = TABS.find(([key]) => key === panel)?.[2] ?? NudgePanel;
  return html`<section class="tabs panel" aria-label="Look closer" ref=${box}>
    <div role="tablist" aria-label="Look closer" onKeyDown=${onKeyDown}>
      ${TABS.map(([key, label]) => html`<button key=${key} type="button" role="tab" id=${`tab-${key}`} aria-selected=${key === panel} aria-controls="tab-panel" tabindex=${key === panel ? 0 : -1} onClick=${() => act.show({ panel: key })}>${label}</button>`)}
    </div>
    <div role="tabpanel" id="tab-panel" aria-labelledby=${`tab-${panel}`} class="tab-panel">${isLoading(state) ? html`<p class="note">Loading …</p>` : html`<${Panel} key=${panel} state=${state} act=${act} />`}</div>
  </section>`;
}
