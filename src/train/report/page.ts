import { type Both, esc, type Html, words } from './html.js';

const STYLE = `
:root{--bg:#fff;--fg:#1b1d21;--mute:#666c76;--rule:#e4e6ea;--soft:#f5f6f8;--one:#0b66c3;--two:#c2410c;--level:#6f757e;--warning:#b45309;--error:#c11f1f;--info:#666c76}
@media(prefers-color-scheme:dark){:root{--bg:#14161a;--fg:#e5e7ea;--mute:#9aa1ab;--rule:#2c3038;--soft:#1c1f25;--one:#62b0ff;--two:#ff9d5c;--level:#9aa1ab;--warning:#f0b429;--error:#ff7b72;--info:#9aa1ab;color-scheme:dark}}
*{box-sizing:border-box}
body{margin:0 auto;padding:40px 28px 64px;max-width:1120px;background:var(--bg);color:var(--fg);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;font-variant-numeric:tabular-nums}
:root:not([data-lang=zh]) [lang=zh],:root[data-lang=zh] [lang=en]{display:none}
h1{font-size:27px;line-height:1.25;margin:0 0 6px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:19px;margin:56px 0 14px;padding-top:18px;border-top:1px solid var(--rule)}
h3{font-size:15px;margin:0 0 8px}pre+h3{margin-top:18px}
p{margin:0 0 10px}
.sub,.note,.mute{color:var(--mute)}
.note{font-size:13.5px;max-width:52em}
header{display:flex;gap:24px;justify-content:space-between;align-items:flex-start}
button{font:inherit;font-size:14px;color:var(--fg);background:none;border:1px solid var(--rule);border-radius:6px;padding:5px 12px;cursor:pointer;white-space:nowrap;min-height:34px}
button:hover{background:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:26px 0 18px}
.tile{background:var(--soft);border-radius:10px;padding:14px 16px}
.tile b{display:block;font-size:27px;line-height:1.2;font-weight:600;letter-spacing:-.01em}
.tile small{color:var(--mute);font-size:13px;display:block}
.verdict{font-size:17px;line-height:1.5;max-width:46em;margin-top:20px}
.charts{display:grid;grid-template-columns:1fr 1fr;gap:34px 40px}
figure{margin:0;min-width:0}figure.big{grid-column:1/-1}
figcaption{font-weight:600;margin-bottom:4px}
svg{display:block;width:100%;height:auto;overflow:visible;touch-action:pan-y}
svg text{font-size:12px;fill:var(--fg)}svg .tick{fill:var(--mute)}
.grid{stroke:var(--rule);fill:none}.axis{stroke:var(--mute);fill:none;opacity:.6}
.line{fill:none;stroke-width:1.9;stroke-linejoin:round}.noise{fill:none;stroke-width:1;opacity:.26;stroke-linejoin:round}
path.one{stroke:var(--one)}path.two{stroke:var(--two)}circle.one{fill:var(--one)}circle.two{fill:var(--two)}
svg text.one{fill:var(--one);font-weight:600}svg text.two{fill:var(--two);font-weight:600}svg text.level{fill:var(--level)}
.level{stroke:var(--level);fill:none;stroke-dasharray:5 4}text.level{stroke:none}
.broken{stroke:var(--error);stroke-width:1.5}
.mark path{stroke:var(--rule);stroke-dasharray:2 3}.mark rect{fill:var(--bg);stroke:var(--info)}
.mark.warning rect{stroke:var(--warning)}.mark.error rect{stroke:var(--error)}
svg .mark text{font-size:10.5px}svg .mark.warning text{fill:var(--warning)}svg .mark.error text{fill:var(--error)}
.read{pointer-events:none}.read path{stroke:var(--mute)}.read rect{fill:var(--bg);stroke:var(--rule)}
.phone{display:none}
table{border-collapse:collapse;width:100%}.scroll+.charts{margin-top:28px}
th{text-align:left;font-weight:600;color:var(--mute);font-size:13px}
td,th{padding:6px 14px 6px 0;border-bottom:1px solid var(--rule);vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}
td.k{color:var(--mute);white-space:nowrap}
.scroll{overflow-x:auto}
.two-columns{display:grid;grid-template-columns:1fr 1fr;gap:28px 40px}.two-columns>*{min-width:0}
.bar{display:block;height:6px;border-radius:3px;background:var(--one);opacity:.75;min-width:1px}
.guess{display:grid;grid-template-columns:6.5em 4em 1fr;gap:8px;align-items:center;white-space:nowrap}
.guess bdi{overflow:hidden;text-overflow:ellipsis}
.guess.first{font-weight:600}
mark{background:none;color:var(--two);font-weight:600}
.remarks{list-style:none;margin:0;padding:0}
.remarks li{display:grid;grid-template-columns:2.2em 11em 1fr;gap:10px;padding:9px 0;border-bottom:1px solid var(--rule)}
.remarks .warning b{color:var(--warning)}.remarks .error b{color:var(--error)}.remarks b{font-weight:600}
pre,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono CJK SC",monospace;font-size:13px}
pre{background:var(--soft);border-radius:8px;padding:11px 14px;margin:0 0 10px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
summary{cursor:pointer}
@media(max-width:820px){.charts,.two-columns{grid-template-columns:1fr}}
@media(max-width:560px){body{padding:22px 16px 48px}.wide{display:none}.phone{display:block}.remarks li{grid-template-columns:2em 1fr}.remarks li>:last-child{grid-column:2}.tile b{font-size:23px}.tiles{grid-template-columns:1fr 1fr}.fills tr,.fills td{display:block}.fills th{display:none}.fills td{border:0}.fills tr{border-bottom:1px solid var(--rule)}.fills col{display:none}}
@media print{button{display:none}h2{break-after:avoid}figure,tr{break-inside:avoid}}
`;

/** Switches the language, and reads values off the curves under the pointer. */
const SCRIPT = `
const root = document.documentElement;
const setLang = (lang) => { root.dataset.lang = lang; root.lang = lang; };
setLang(/^zh/i.test(navigator.language) ? 'zh' : 'en');
document.querySelector('button').onclick = () => setLang(root.dataset.lang === 'zh' ? 'en' : 'zh');
const make = (name, attributes, parent) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return parent.appendChild(e);
};
const show = (v, percent) => percent ? (100 * v).toFixed(1) + ' %' : Math.abs(v) >= 1e4 ? Math.round(v).toLocaleString('en-US') : Number(v.toPrecision(4));
for (const svg of document.querySelectorAll('svg[data-x]')) {
  const [x0, x1, left, right] = svg.dataset.x.split(' ').map(Number);
  const [y0, y1, bottom, top] = svg.dataset.y.split(' ').map(Number);
  const lines = [...svg.querySelectorAll('.line')].map((e) => ({ e, at: [...e.getAttribute('d').matchAll(/([-\\d.]+) ([-\\d.]+)/g)].map((m) => [+m[1], +m[2]]) }));
  const value = (py) => {
    const share = (py - bottom) / (top - bottom);
    return 'log' in svg.dataset ? y0 * (y1 / y0) ** share : y0 + share * (y1 - y0);
  };
  let box = null;
  svg.onpointerleave = () => { box?.remove(); box = null; };
  svg.onpointermove = (event) => {
    box?.remove();
    const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    if (x < left || x > right) { box = null; return; }
    box = make('g', { class: 'read' }, svg);
    make('path', { d: 'M' + x + ' ' + top + 'V' + bottom }, box);
    const zh = root.dataset.lang === 'zh';
    const step = Math.round(x0 + (x - left) / (right - left) * (x1 - x0)).toLocaleString('en-US');
    const texts = [[zh ? step + ' 步' : 'step ' + step, '']];
    for (const { e, at } of lines) {
      const near = at.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a, at[0] ?? [NaN, NaN]);
      if (Math.abs(near[0] - x) > 40) continue;
      texts.push([(e.dataset[zh ? 'zh' : 'en'] + ' ' + show(value(near[1]), 'percent' in svg.dataset)).trim(), e.classList[1]]);
      make('circle', { class: e.classList[1], cx: near[0], cy: near[1], r: 3.5 }, box);
    }
    const wide = Math.max(...texts.map(([t]) => [...t].reduce((sum, c) => sum + (c > '\\u2e80' ? 12.5 : 7), 0))) + 16;
    const from = x + 10 + wide > right ? x - 10 - wide : x + 10;
    make('rect', { x: from, y: top + 4, width: wide, height: texts.length * 17 + 8, rx: 5 }, box);
    texts.forEach(([t, tone], i) => { make('text', { x: from + 8, y: top + 21 + i * 17, class: tone }, box).textContent = t; });
  };
}
`;

/** A page that needs nothing but itself: no request leaves it. */
export function page(title: Both, body: Html): Html {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${esc(title.en)}</title><style>${STYLE}</style></head>
<body>${body}<script>${SCRIPT}</script></body></html>
`;
}

/** The switch between the languages, each under its own name. */
export const languageButton: Html = `<button type="button">${words({ en: '中文', zh: 'English' })}</button>`;
