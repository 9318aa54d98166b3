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
figure img { display: block; width: 100%; height: auto; image-rendering: pixelated; image-rendering: crisp-edges;
  border-radius: 4px; background: #000; }
@supports (image-rendering: pixelated) { figure img { image-rendering: pixelated; } }
img.real { display: block; width: 100%; height: auto; image-rendering: pixelated; border-radius: 4px; }
.images.loose img.real { width: 38%; margin: 4px auto 10px; }
figcaption { text-align: center; font-weight: 600; padding-top: 5px; font-size: 15px; }
.soft { display: block; width: 100%; margin-top: 4px; }
.soft rect { fill: var(--bar); } .soft rect.top { fill: var(--accent); } .soft line { stroke: var(--line); }
.top2 { font-size: 11px; line-height: 1.35; text-align: center; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.results td, .results th { padding: 11px 14px 11px 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: middle; }
.results tr:last-child td { border-bottom: 0; }
.results th { font-size: 13px; color: var(--soft); font-weight: 500; padding-top: 0; }
.results .number { white-space: nowrap; font-weight: 600; }
.results .split { white-space: nowrap; color: var(--soft); }
.results .own { color: var(--accent); }
.results .meter { width: 34%; }
.classes .meter { width: 68%; }
.many .number { white-space: normal; min-width: 4.2em; } .many td, .many th { padding-right: 8px; }
.meter span { display: block; position: relative; height: 12px; border-radius: 6px; background: var(--code); }
.meter i { position: absolute; inset: 0 auto 0 0; border-radius: 6px; background: var(--bar); }
.meter u { position: absolute; top: 5px; height: 2px; background: var(--ink); opacity: 0.55; }
.own-row .meter i { background: var(--accent); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px; }
.chart { display: block; width: 100%; height: auto; font-size: 12px; font-variant-numeric: tabular-nums; }
.chart .grid { stroke: var(--line); } .chart .axis { stroke: var(--soft); }
.chart .tick, .chart .label { fill: var(--soft); } .chart .note { fill: var(--ink); paint-order: stroke; stroke: var(--card);
  stroke-width: 4px; stroke-linejoin: round; }
.chart .line { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.chart .mark { fill: var(--accent); } .chart .best { fill: var(--card); stroke: var(--ink); stroke-width: 2; }
.chart .reference { stroke: var(--soft); stroke-dasharray: 4 4; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 14px 24px; margin: 0; }
dt { font-size: 13px; color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--code); border-radius: 10px; padding: 14px 16px; overflow-x: auto; margin: 8px 0 18px;
  font: 13.5px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
details summary { cursor: pointer; color: var(--soft); margin-top: 18px; }
details dl { margin-top: 14px; }
footer { margin-top: 56px; color: var(--soft); font-size: 13px; border-top: 1px solid var(--line); padding-top: 14px; }
@media (max-width: 560px) {
  main { padding: 24px 16px 48px; }
  h2 { margin-top: 40px; }
  .images.loose, .images.loose.many { grid-template-columns: repeat(auto-fill, minmax(max(54px, 17%), 1fr)); gap: 6px; }
  .results:not(.many) thead, .results .networks, .results .rate, .results .split { display: none; }
  .results:not(.many) tr { display: grid; grid-template-columns: 1fr auto; column-gap: 12px; border-bottom: 1px solid var(--line); padding: 10px 0; }
  .results:not(.many) tr:last-child { border-bottom: 0; }
  .results:not(.many) td { border: 0; padding: 0; }
  .results td.meter { grid-column: 1 / -1; order: 1; width: auto; padding-top: 6px; }
  .chart { font-size: 16px; }
  .card { padding: 12px 12px; }
}
`;
