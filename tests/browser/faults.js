// Faults that are planted in a page, one of each kind, to see that each is found.

'use strict';

const within = (html) => (page) => page.replace('</main>', `${html}</main>`);

/** `kind` is what must be found, in `mode`; `html` and `css` change what is served, and `policy` is what the page may load. */
const FAULTS = [
  { kind: 'status', status: 500 },
  { kind: 'console', html: within('<script>"refused by the policy"</script>') },
  { kind: 'elsewhere', html: within('<img src="https://elsewhere.test/pixel" alt="">'), policy: 'default-src *' },
  { kind: 'scripts', html: within('<p id="late"></p><script src="/late.js"></script>'), policy: "default-src 'self'" },
  { kind: 'scroll', mode: 'narrow', html: within(`<pre>${'wide '.repeat(400)}</pre>`) },
  { kind: 'axe', html: within('<p><input></p>') },
  { kind: 'keyboard', html: within('<p><a href="/" tabindex="1">first of all</a></p>') },
  { kind: 'focus', css: (sheet) => `${sheet}\na:focus-visible { outline: none; }\n` },
  { kind: 'html', html: within('<p><div>within a paragraph</div></p>') },
  { kind: 'css', css: (sheet) => `${sheet}\np { colour: red; }\n` },
];

/** Serves what a fault changes. */
async function plant(context, fault) {
  await context.route('**/late.js', (route) =>
    route.fulfill({ contentType: 'text/javascript', body: 'document.getElementById("late").textContent = "added";' }),
  );
  await context.route('**/*', async (route) => {
    const { resourceType, url } = { resourceType: route.request().resourceType(), url: route.request().url() };
    const change = resourceType === 'document' ? (fault.html ?? ((html) => html)) : url.endsWith('.css') && fault.css;
    if (!change) return route.fallback();
    const response = await route.fetch();
    const headers = { ...response.headers() };
    if (fault.policy) headers['content-security-policy'] = fault.policy;
    const status = resourceType === 'document' ? (fault.status ?? response.status()) : response.status();
    return route.fulfill({ response, status, headers, body: change(await response.text()) });
  });
}

module.exports = { FAULTS, plant };
