// Faults that are planted in a page, one of each kind, to see that each is found.

'use strict';

const { once } = require('node:events');
const http = require('node:http');

const within = (html) => (page) => page.replace('</main>', `${html}</main>`);

/**
 * `kind` is what must be found, in `mode`; `html` and `css` change what is served, and `policy` is what the page may load. The same is
 * served elsewhere, which `html` is given.
 */
const FAULTS = [
  { kind: 'status', status: 500 },
  { kind: 'console', html: within('<script>"refused by the policy"</script>') },
  { kind: 'elsewhere', html: (page, elsewhere) => within(`<img src="${elsewhere}/icon.svg" alt="">`)(page), policy: 'default-src *' },
  { kind: 'scripts', html: within('<p id="late"></p><script src="/late.js"></script>'), policy: "default-src 'self'" },
  { kind: 'scroll', mode: 'narrow', html: within(`<pre>${'wide '.repeat(400)}</pre>`) },
  { kind: 'axe', html: within('<p><input></p>') },
  { kind: 'keyboard', html: within('<p><a href="/" tabindex="1">first of all</a></p>') },
  { kind: 'focus', css: (sheet) => `${sheet}\na:focus-visible { outline: none; }\n` },
  { kind: 'html', html: within('<p><div>within a paragraph</div></p>') },
  { kind: 'css', css: (sheet) => `${sheet}\np { colour: red; }\n` },
];

const LATE = { headers: { 'content-type': 'text/javascript' }, body: 'document.getElementById("late").textContent = "added";' };

/** What is served for a request when a fault is planted. */
async function changed(address, fault, { url, headers }) {
  if (url === '/late.js') return { status: 200, ...LATE };
  const answer = await fetch(address + url, { headers: { cookie: headers.cookie ?? '' }, redirect: 'manual' });
  const isPage = answer.headers.get('content-type')?.startsWith('text/html');
  const kept = ['content-type', 'content-security-policy'].filter((name) => answer.headers.has(name));
  const served = Object.fromEntries(kept.map((name) => [name, answer.headers.get(name)]));
  if (fault.policy) served['content-security-policy'] = fault.policy;
  const elsewhere = `http://${headers.host.replace('127.0.0.1', 'localhost')}`;
  const change = (isPage ? fault.html : url.endsWith('.css') && fault.css) || ((text) => text);
  return { status: (isPage && fault.status) || answer.status, headers: served, body: change(await answer.text(), elsewhere) };
}

/** Serves the same as an address, with a fault; gives the address of that, and how to end it. */
async function plant(address, fault) {
  const server = http.createServer(async (request, response) => {
    const { status, headers, body } = await changed(address, fault, request);
    response.writeHead(status, headers).end(body);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const close = () => server.close() && server.closeAllConnections();
  return { address: `http://127.0.0.1:${server.address().port}`, close };
}

module.exports = { FAULTS, plant };
