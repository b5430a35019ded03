"""The style of a report: on a wide or a narrow screen, light or dark, and on paper."""

# The colors of curves and bars are told apart by lightness too, and curves by their dashes, so that gray paper does.
STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1f2933; --soft: #52606d; --line: #d3dae1; --tint: #f3f6f9;
  --good: #14743b; --bad: #a8320a;
  --c0: #1d5fbf; --c1: #b8500b; --c2: #14743b; --c3: #7a3fb0; --c4: #5f6c7b; --cell: 29, 95, 191;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --ink: #e6eaee; --soft: #a9b4c0; --line: #3a444f; --tint: #1d232a;
    --good: #6fd394; --bad: #ff9d76;
    --c0: #7db1ff; --c1: #ffa35c; --c2: #6fd394; --c3: #c99bff; --c4: #a9b4c0; --cell: 125, 177, 255;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.verdict { padding: .75rem 1rem; background: var(--tint); border-left: 4px solid var(--soft); font-size: 1.05rem; }
.verdict.good { border-color: var(--good); }
.verdict.bad { border-color: var(--bad); }
nav ul, .legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: .75rem 0; list-style: none; }
a { color: var(--c0); }
.wide { overflow-x: auto; margin: 1rem 0; }
.wide:focus-visible { outline: 2px solid var(--c0); }
table { border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: middle; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
tbody th { font-weight: 400; min-width: 5rem; max-width: 18rem; overflow-wrap: break-word; }
td { max-width: 24rem; overflow-wrap: break-word; }
.number { text-align: right; white-space: nowrap; }
th.number { white-space: normal; vertical-align: bottom; }
td.share { text-align: right; padding: .35rem .7rem; border: 1px solid var(--line); }
td.share + td.number:not(.share) { padding-left: .9rem; }
td.right { font-weight: 700; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem 2rem; }
figure { margin: 1rem 0; max-width: 36rem; break-inside: avoid; }
figure > svg { display: block; width: 100%; height: auto; }
figcaption { font-size: .9rem; color: var(--soft); margin-top: .25rem; overflow-wrap: anywhere; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--soft); }
svg .label { fill: var(--ink); }
svg line, svg polyline { fill: none; stroke: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .diagonal { stroke: var(--soft); stroke-dasharray: 5 4; }
svg .whisker { stroke: var(--ink); stroke-width: 1.2; }
svg .histogram { fill: var(--soft); opacity: .45; }
svg .faint { opacity: .45; }
svg .fill-0 { fill: var(--c0); } svg .fill-1 { fill: var(--c1); } svg .fill-2 { fill: var(--c2); }
svg .fill-3 { fill: var(--c3); } svg .fill-4 { fill: var(--c4); }
svg .series-0, svg .series-1, svg .series-2, svg .series-3, svg .series-4 { stroke-width: 2.4; }
svg .series-0 { stroke: var(--c0); } svg .series-1 { stroke: var(--c1); stroke-dasharray: 8 3; }
svg .series-2 { stroke: var(--c2); stroke-dasharray: 3 3; }
svg .series-3 { stroke: var(--c3); stroke-dasharray: 10 3 2 3; }
svg .series-4 { stroke: var(--c4); stroke-dasharray: 1 3; }
.bars { display: block; width: clamp(6rem, 28vw, 18rem); }
.figures .wide { margin: 0; }
.figures table { width: 100%; }
.figures .bars { width: clamp(4rem, 12vw, 9rem); }
.figures th { max-width: 12rem; }
.stack span { display: block; font-size: .8rem; line-height: 15px; }
.swatch { width: 26px; height: 12px; margin-right: .4rem; vertical-align: middle; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; max-width: 52rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 36rem) {
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: .5rem; }
  body { padding-top: 1rem; }
}
@media print {
  :root {
    --paper: #ffffff; --ink: #000000; --soft: #3d4852; --line: #b8c2cc; --tint: #ffffff;
    --good: #14743b; --bad: #a8320a;
    --c0: #1d5fbf; --c1: #b8500b; --c2: #14743b; --c3: #7a3fb0; --c4: #5f6c7b; --cell: 29, 95, 191;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  tr, .verdict { break-inside: avoid; }
  .wide { overflow: visible; }
  table { font-size: 8.5pt; }
  td, th { padding-right: .5rem; }
}
"""
