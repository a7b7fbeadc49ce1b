"""`GET /docs`: one page that draws /openapi.json and sends its examples. It loads nothing from anywhere else.

The page says nothing of the workspace by itself: what it shows it asks for with the token that is typed into it.
"""

from __future__ import annotations

import base64
import hashlib

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.4rem} h2{font-size:1.15rem;margin-top:2rem}
section{border:1px solid #d0d7de;border-radius:6px;padding:.6rem 1rem;margin:.8rem 0}
code,textarea,pre{font:13px/1.45 ui-monospace,monospace} textarea{width:100%;min-height:9rem;box-sizing:border-box}
pre{background:#f6f8fa;padding:.6rem;overflow:auto;white-space:pre-wrap} table{border-collapse:collapse}
td,th{text-align:left;padding:.1rem 1rem .1rem 0}
b{margin-right:.5rem} .bad{color:#b42318}
@media(prefers-color-scheme:dark){body{background:#16191d;color:#e6e8ea}
section{border-color:#3a4149}pre,textarea,input{background:#22272e;color:inherit}}
"""
_SCRIPT = """
'use strict';
const main = document.getElementById('main'), token = document.getElementById('token');
const make = (tag, text, into) => { const e = document.createElement(tag); if (text) e.textContent = text; into.append(e); return e; };
const headers = () => token.value ? {authorization: 'Bearer ' + token.value} : {};
const types = (schema) => [].concat(schema.type || 'any').join(' or ') + (schema.format ? ' (' + schema.format + ')' : '');
function inputs(schema, into) {
  const row = ((schema.properties || {}).dataframe_records || {}).items;
  if (!row) return;
  const table = make('table', '', into);
  const head = make('tr', '', table); make('th', 'Input', head); make('th', 'Type', head);
  for (const [name, kind] of Object.entries(row.properties)) {
    const line = make('tr', '', table); make('td', name, line); make('td', types(kind), line);
  }
}
function operation(path, verb, what) {
  const box = make('section', '', main);
  const title = make('div', '', box);
  make('b', verb.toUpperCase(), title); make('code', path, title); make('span', '  ' + (what.summary || ''), title);
  if (what.description) make('p', what.description, box);
  const content = what.requestBody && what.requestBody.content['application/json'];
  let body;
  if (content) {
    inputs(content.schema, box);
    body = make('textarea', '', box);
    body.value = JSON.stringify(content.example, null, 1);
    body.setAttribute('aria-label', 'Body for ' + path);
  }
  const send = make('button', 'Try it', box), out = make('pre', '', box);
  out.hidden = true;
  send.onclick = async () => {
    out.hidden = false; out.textContent = '...';
    const given = body ? {'content-type': 'application/json'} : {};
    try {
      const answer = await fetch(path, {method: verb.toUpperCase(), headers: {...given, ...headers()}, body: body && body.value});
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 1); } catch (error) { shown = text; }
      out.textContent = answer.status + '\\n' + shown;
    } catch (error) { out.textContent = String(error); }
  };
}
async function load() {
  main.textContent = '';
  const answer = await fetch('/openapi.json', {headers: headers()});
  const what = await answer.json();
  if (!answer.ok) { make('p', what.error, main).className = 'bad'; return; }
  let tag = '';
  for (const [path, verbs] of Object.entries(what.paths)) for (const [verb, one] of Object.entries(verbs)) {
    if (one.tags[0] !== tag) { tag = one.tags[0]; make('h2', tag, main); }
    operation(path, verb, one);
  }
}
token.onchange = load;
load();
"""
_TEXT = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>mlops gateway</title>
<style>{_STYLE}</style></head><body><h1>Deployments of this gateway</h1>
<p><label>Token, where one is needed: <input id="token" type="password" size="40" autocomplete="off"></label>
 The same as a document: <a href="/openapi.json">openapi.json</a></p>
<main id="main"></main><script>{_SCRIPT}</script></body></html>
"""


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


PAGE = _TEXT.encode()
# Only this script and this style run, and they may ask only this server.
HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; script-src {_source(_SCRIPT)}; style-src {_source(_STYLE)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
