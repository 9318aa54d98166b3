/** The page's look, in the page: it must open without a network. */
export const style = `
:root { color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d1f24; --soft: #62666f; --line: #e3e1db; --accent: #b4531a;
  --accent-soft: #f3e3d7; --bar: #c9c6bd; --code: #f3f1ec; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #15161a; --card: #1d1f25; --ink: #e9e7e2; --soft: #9b9fa9; --line: #31343c; --accent: #f09a5e;
  --accent-soft: #3a2a20; --bar: #4a4e58; --code: #24262d; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1020px; margin: 0 auto; padding: 40px 24px 64px; }
header p { margin: 0; }
.kicker { color: var(--soft); font-size: 14px; letter-spacing: 0.02em; }
h1 { font-size: clamp(27px, 5.2vw, 46px); line-height: 1.14; letter-spacing: -0.02em; font-weight: 680;
  margin: 10px 0 14px; text-wrap: balance; }
h1 b { color: var(--accent); font-weight: inherit; white-space: nowrap; }
.lead { font-size: 18px; color: var(--soft); max-width: 46em; }
h2 { font-size: 21px; letter-spacing: -0.01em; margin: 52px 0 6px; }
h3 { font-size: 15px; margin: 0 0 8px; font-weight: 600; }
p.about { margin: 0 0 16px; color: var(--soft); max-width: 46em; }
.warning { border: 1px solid var(--accent); background: var(--accent-soft); border-radius: 10px; padding: 12px 16px;
  margin: 20px 0 0; }
.images { display: grid; gap: 10px; margin-top: 24px; }
.images.loose { grid-template-columns: repeat(auto-fill, minmax(max(104px, 17%), 1fr)); }
.images.loose.many { grid-template-columns: repeat(auto-fill, minmax(max(54px, 8.5%), 1fr)); }
.scroll { overflow-x: auto; -webkit-overflow-scrolling: touch; padding-bottom: 6px; }
.images.rows { align-items: end; }
.images.rows .row-name { align-self: center; color: var(--soft); font-size: 13px; white-space: nowrap; }
.images.rows .head { text-align: center; font-weight: 600; font-size: 14px; }
figure { margin: 0; min-width: 0; }
figcaption, .top2, .images.rows .head { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
img { display: block; width: 100%; height: auto; border-radius: 4px; image-rendering: crisp-edges; image-rendering: pixelated; }
img.real { box-shadow: 0 0 0 1px var(--line); }
img.distilled { filter: var(--tone, var(--signed)); background: #000; }
main:has(#grey:checked) img.distilled { filter: none; }
.filters { position: absolute; }
.grey { display: inline-block; margin: -6px 0 8px; font-size: 14px; color: var(--soft); cursor: pointer; }
.scale { max-width: 440px; margin: 0 0 34px; }
.scale img { height: 12px; border-radius: 3px; box-shadow: 0 0 0 1px var(--line); }
.scale div { position: relative; font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums; }
.scale span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.scale span.low { transform: none; } .scale span.high { transform: translateX(-100%); }
.zoom { display: block; cursor: zoom-in; position: relative; }
.zoom input { position: absolute; inset: 0; margin: 0; opacity: 0; cursor: inherit; }
.zoom input:focus-visible + img { outline: 2px solid var(--accent); outline-offset: 2px; }
.zoom input:checked { position: fixed; z-index: 1; width: 100%; height: 100%; appearance: none; background: #000; opacity: 0.8; cursor: zoom-out; }
.zoom input:checked + img { position: fixed; z-index: 2; inset: 0; margin: auto; width: min(92vw, 92vh); height: min(92vw, 92vh);
  object-fit: contain; background: none; cursor: zoom-out; }
.images.loose .zoom:has(img.real) { width: 38%; margin: 4px auto 10px; }
.images.loose > div { align-self: start; }
.film { display: grid; grid-template-columns: repeat(var(--frames), minmax(0, 1fr)); align-items: center; }
.film::before { content: ""; grid-area: 2 / 1 / 3 / -1; height: 3px; border-radius: 2px; background: var(--line); }
.film figure { grid-area: 1 / 1 / 2 / -1; visibility: hidden; }
.film figure div { position: relative; max-width: calc(var(--columns) * 110px); }
.film figure div::after { content: ""; position: absolute; inset: 0; pointer-events: none;
  background: repeating-linear-gradient(90deg, transparent 0 calc(100% / var(--columns) - 4px), var(--paper) 0 calc(100% / var(--columns))),
    repeating-linear-gradient(transparent 0 calc(100% / var(--rows) - 4px), var(--paper) 0 calc(100% / var(--rows))); }
.film figcaption { text-align: left; white-space: normal; padding: 8px 0; font-weight: 500; font-size: 14px; }
.film > input { grid-row: 2; justify-self: center; width: 100%; max-width: 20px; height: 20px; margin: 0; accent-color: var(--accent); cursor: pointer; }
.film > input.best { border-radius: 50%; box-shadow: 0 0 0 2px var(--paper), 0 0 0 4px var(--accent); max-width: 14px; height: 14px; }
.film > input:checked + figure { visibility: visible; }
.film .play { grid-area: 3 / 1 / 4 / -1; padding-top: 8px; font-size: 14px; color: var(--soft); cursor: pointer; }
.film .play input { accent-color: var(--accent); }
.film .play:has(input:checked) ~ figure { animation: film var(--length) step-end var(--delay) infinite; }
figcaption { text-align: center; font-weight: 600; padding-top: 5px; font-size: 15px; }
.many figcaption { white-space: normal; font-size: 12px; line-height: 1.25; min-height: 2.9em; overflow-wrap: anywhere; }
.soft { display: block; width: 100%; margin-top: 4px; }
.soft rect { fill: var(--bar); } .soft rect.top { fill: var(--accent); } .soft line { stroke: var(--line); }
.top2 { font-size: 11px; line-height: 1.35; text-align: center; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.texts { margin-top: 16px; } .texts h3 { margin-bottom: 4px; }
.text { display: grid; grid-template-columns: 5em minmax(0, 1fr) minmax(0, 7.5em); gap: 2px 14px; padding: 9px 0; border-top: 1px solid var(--line); }
.text:has(> :nth-child(2):last-child) { grid-template-columns: 5em minmax(0, 1fr); }
.text p { margin: 0; overflow-wrap: anywhere; } .text .kind { color: var(--soft); font-size: 13px; padding-top: 2px; }
.text.distilled p { line-height: 1.75; } .text.real p { color: var(--soft); }
.text sub { font-size: 10px; color: var(--soft); margin-left: 1px; font-variant-numeric: tabular-nums; } .text .none { color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.results td, .results th { padding: 11px 14px 11px 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: middle; }
.wide td.nothing { color: var(--soft); }
.results tr:last-child td { border-bottom: 0; }
.results th { font-size: 13px; color: var(--soft); font-weight: 500; padding-top: 0; }
.results .number { white-space: nowrap; font-weight: 600; }
.results .split { white-space: nowrap; color: var(--soft); }
.results .group th { padding: 18px 0 4px; color: var(--ink); font-weight: 600; font-size: 14px; border: 0; }
.results tbody:first-of-type .group th { padding-top: 8px; }
p.note { font-size: 14px; margin-top: 12px; }
.results .own { color: var(--accent); }
.results .meter { width: 26%; } .results .rate { white-space: nowrap; }
.classes .meter { width: 44%; } .classes .meter:nth-last-child(3) { width: 50%; } .classes .meter:last-child { width: 70%; }
.classes td, .classes th { padding-top: 6px; padding-bottom: 6px; } .classes td:first-child { max-width: 11em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.classes .beside { white-space: nowrap; color: var(--soft); }
.card h3:not(:first-child) { margin-top: 20px; } .scroll.card + .scroll.card { margin-top: 14px; }
.mark { display: inline-block; width: 9px; height: 9px; border: 2px solid var(--ink); background: var(--card); box-shadow: 0 0 0 1.5px var(--card); }
.meter .mark { position: absolute; top: 1.5px; margin-left: -4.5px; }
.m0 { border-radius: 50%; } .meter .m0 { width: 13px; height: 13px; margin-left: -6.5px; top: -.5px; } .m1 { transform: rotate(45deg) scale(0.9); } .m2 { background: var(--ink); } .m3 { background: var(--ink); border-radius: 50%; }
.legend { display: none; margin: 0 0 10px; font-size: 13px; color: var(--soft); } .legend span { margin-right: 14px; white-space: nowrap; }
.card.confusion { width: fit-content; max-width: 100%; }
.confusion { display: flex; flex-wrap: wrap; gap: 24px 40px; } .confusion > .scroll { max-width: 100%; }
.confusion ol { margin: 0; padding-left: 32px; font-size: 15px; } .confusion li b { font-weight: 600; }
.matrix { width: auto; font-size: 13px; } .matrix th { font-weight: 500; color: var(--soft); }
.matrix thead th { vertical-align: bottom; padding: 0 0 6px; } .matrix thead th:first-child { padding-right: 8px; }
.matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 9em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.matrix tbody th { text-align: right; padding-right: 8px; max-width: 9em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.matrix td { min-width: 38px; height: 34px; text-align: center; border: 1px solid var(--card);
  background: color-mix(in srgb, var(--cell) calc(70% * var(--share)), var(--code)); }
.matrix .right { --cell: var(--bar); } .matrix .wrong { --cell: var(--accent); }
.heat { width: min(100%, 400px); } .heat img { box-shadow: 0 0 0 1px var(--line); } .heat figcaption { font-weight: 500; font-size: 13px; color: var(--soft); text-align: left; }
@media (prefers-color-scheme: dark) { .heat img { filter: invert(1); } }
.meter span { display: block; position: relative; height: 12px; border-radius: 6px; background: var(--code); box-shadow: inset 0 0 0 1px var(--line); }
.classes .meter span { margin: 0 10px 0 6px; }
.meter i { position: absolute; inset: 0 auto 0 0; border-radius: 6px; background: var(--bar); }
.meter u { position: absolute; top: 5px; height: 2px; background: var(--ink); opacity: 0.55; }
.own-row .meter i { background: var(--accent); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 16px; }
.chart { display: block; width: 100%; height: auto; font-size: 12px; font-variant-numeric: tabular-nums; }
.chart .grid { stroke: var(--line); } .chart .axis { stroke: var(--soft); }
.chart .tick, .chart .label { fill: var(--soft); } .chart .note { fill: var(--ink); paint-order: stroke; stroke: var(--card);
  stroke-width: 4px; stroke-linejoin: round; }
.chart .line { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.chart .mark { fill: var(--accent); } .chart .best { fill: var(--card); stroke: var(--ink); stroke-width: 2; }
:root { --t0: #b4531a; --t1: #1f6fb2; --t2: #3c8a3f; --t3: #8a4fb0; --t4: #c2267d; --t5: #7a6a12; --t6: #12857f; --t7: #5c5f66; }
@media (prefers-color-scheme: dark) { :root { --t0: #f09a5e; --t1: #6fb4ee; --t2: #7fcf82; --t3: #c79be8; --t4: #f07fbb; --t5: #d3c25a; --t6: #5fd0c8; --t7: #b0b4bd; } }
.chart .line.t0 { stroke: var(--t0); } .chart .mark.t0 { fill: var(--t0); } .key.t0 { background: var(--t0); }
.chart .line.t1 { stroke: var(--t1); } .chart .mark.t1 { fill: var(--t1); } .key.t1 { background: var(--t1); }
.chart .line.t2 { stroke: var(--t2); } .chart .mark.t2 { fill: var(--t2); } .key.t2 { background: var(--t2); }
.chart .line.t3 { stroke: var(--t3); } .chart .mark.t3 { fill: var(--t3); } .key.t3 { background: var(--t3); }
.chart .line.t4 { stroke: var(--t4); } .chart .mark.t4 { fill: var(--t4); } .key.t4 { background: var(--t4); }
.chart .line.t5 { stroke: var(--t5); } .chart .mark.t5 { fill: var(--t5); } .key.t5 { background: var(--t5); }
.chart .line.t6 { stroke: var(--t6); } .chart .mark.t6 { fill: var(--t6); } .key.t6 { background: var(--t6); }
.chart .line.t7 { stroke: var(--t7); } .chart .mark.t7 { fill: var(--t7); } .key.t7 { background: var(--t7); }
.keys { margin: 10px 0 0; font-size: 14px; } .key { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin: 0 6px -1px 0; }
.keys span { margin-right: 16px; white-space: nowrap; }
.chart .reference { stroke: var(--soft); stroke-dasharray: 4 4; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 14px 24px; margin: 0; }
dt { font-size: 13px; color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--code); border-radius: 10px; padding: 14px 16px; white-space: pre-wrap; overflow-wrap: anywhere; margin: 8px 0 18px;
  font: 13.5px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
details summary { cursor: pointer; color: var(--soft); margin-top: 18px; }
details dl { margin-top: 14px; }
footer { margin-top: 56px; color: var(--soft); font-size: 13px; border-top: 1px solid var(--line); padding-top: 14px; }
@media (max-width: 900px) { .chart { font-size: 15px; } }
@media (max-width: 560px) {
  main { padding: 24px 16px 48px; }
  h2 { margin-top: 40px; }
  .images.loose.some, .images.loose.many { grid-template-columns: repeat(auto-fill, minmax(max(54px, 17%), 1fr)); gap: 6px; }
  .results thead, .results .networks, .results .rate, .results .beside { display: none; }
  .matrix { font-size: 12px; } .matrix td { min-width: 28px; height: 28px; }
  .legend { display: block; }
  .results tr { display: grid; grid-template-columns: 1fr auto; column-gap: 12px; border-bottom: 1px solid var(--line); padding: 10px 0; }
  .results tr:has(.split) { grid-template-columns: 1fr auto auto; }
  .results tr:last-child { border-bottom: 0; }
  .results td { border: 0; padding: 0; }
  .results.results td.meter { grid-column: 1 / -1; order: 1; width: auto; padding-top: 6px; }
  .images.rows .row-name { max-width: 88px; white-space: normal; }
  .wide.wide tr { display: block; }
  .wide.wide td { display: flex; justify-content: space-between; gap: 12px; padding: 2px 0; white-space: normal; text-align: right; }
  .wide.wide td:first-child { font-weight: 600; padding-bottom: 4px; text-align: left; }
  .wide.wide td.nothing { display: none; } .wide.wide td.meter { display: block; padding: 6px 0 4px; }
  .wide td:not(:first-child, .meter)::before { content: attr(data-head); color: var(--soft); font-weight: 400; text-align: left; }
  .chart { font-size: 16px; }
  .card { padding: 12px 12px; }
  .text.text { grid-template-columns: minmax(0, 1fr); }
}
`;
