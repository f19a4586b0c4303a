// What is looked for on a page in a browser. Every fault is an object of a kind and what was found.

'use strict';

const path = require('node:path');
const axe = require('axe-core');

/** How a page is looked at. `narrow` is also 1280 px at 400%, and `zoomed` 1280 px at 200%. */
const MODES = {
  narrow: { viewport: { width: 320, height: 640 } },
  wide: { viewport: { width: 1280, height: 800 } },
  zoomed: { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  forced: { viewport: { width: 1280, height: 800 }, forcedColors: 'active' },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
};
/** The modes in which a page is gone through by keyboard. */
const WALKED = ['narrow', 'wide'];
/** WCAG 2.2 at level AA, and what axe-core recommends besides: one h1, headings in order, landmarks. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const DOCS = path.join(__dirname, '../../docs');
/** How many controls of a page are gone through at the most. */
const CONTROLS_MAX = 200;
/** How long a control that has the focus may be out of sight, in milliseconds: a browser that is busy scrolls late. */
const UNSEEN_MS_MAX = 2_000;

/** The words that people read, without the time and the revision at which it is: the audit log's own entries raise that. */
const text = async (page) => {
  const words = (await page.innerText('body')).replace(/\d{2}:\d{2}:\d{2} UTC|revision \d+/g, 'this moment');
  // A narrow window has its line breaks elsewhere.
  return words.replace(/\s+/g, ' ');
};

/** Opens a page; one that answers a form, by that form with a file of docs/. Its answer. */
async function answered(page, { url, upload }) {
  const answer = await page.goto(url, { waitUntil: 'load' });
  if (!upload) return answer;
  await page.setInputFiles('#file', path.join(DOCS, upload));
  await page.click('summary');
  await page.check('#skip_empty');
  const isSent = (it) => it.request().method() === 'POST';
  const [sent] = await Promise.all([page.waitForResponse(isSent), page.click('form[action^="/submit/check"] button')]);
  await page.waitForLoadState('load');
  return sent;
}

/** Opens a page and collects what the browser says meanwhile. */
async function open(page, { url, status, upload }) {
  const faults = [];
  const origin = new URL(url).origin;
  const heard = {
    console: (message) => {
      // Chromium says so of every answer that isn't a success, the page's own too.
      const isStatus = message.text().startsWith('Failed to load resource') && (message.location().url === url || upload);
      if (['error', 'warning'].includes(message.type()) && !isStatus) faults.push({ kind: 'console', what: message.text() });
    },
    pageerror: (error) => faults.push({ kind: 'console', what: String(error) }),
    request: (request) => {
      if (new URL(request.url()).origin !== origin) faults.push({ kind: 'elsewhere', what: request.url() });
    },
  };
  for (const [event, listener] of Object.entries(heard)) page.on(event, listener);
  const answer = await answered(page, { url, upload });
  if (answer.status() !== status) faults.push({ kind: 'status', what: `${answer.status()} instead of ${status}` });
  const close = () => Object.entries(heard).forEach(([event, listener]) => page.off(event, listener));
  return { faults, answer, close };
}

/** The page as it is without scripts: its bytes, and what is read. */
async function withoutScripts(page, asked) {
  const { faults, answer, close } = await open(page, asked);
  const found = { faults, html: await answer.text(), text: await text(page) };
  close();
  return found;
}

/** The page in one of the modes; `expected` is its text without scripts, where that is known. */
async function inMode(page, mode, { isLive, expected, ...asked }) {
  const { faults, close } = await open(page, asked);
  if (expected !== undefined && !isLive && (await text(page)) !== expected) faults.push({ kind: 'scripts', what: 'the text without scripts is another' });
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  if (content > window) faults.push({ kind: 'scroll', what: `${content} px wide in a window of ${window} px` });
  faults.push(...(await violations(page)));
  if (WALKED.includes(mode)) faults.push(...(await walk(page)));
  close();
  return faults;
}

async function violations(page) {
  await page.evaluate(axe.source);
  // What is sound is most of what axe-core finds, and stays in the page.
  const found = await page.evaluate(async (values) => {
    const { violations } = await window.axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'] });
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, html }) => `${id}: ${help}: ${target.join(' ')}: ${html.slice(0, 200)}`),
    );
  }, RULES);
  return found.map((what) => ({ kind: 'axe', what }));
}

/** Goes through the page with the Tab key: every control in the page's order, each where it can be seen, and marked. */
async function walk(page) {
  const names = await page.evaluate(() => {
    const controls = 'a[href], button, input, select, textarea, summary, [tabindex]';
    // Of a group of radio buttons the key reaches one.
    const group = (control) => control.type === 'radio' && [...document.querySelectorAll(`[name="${CSS.escape(control.name)}"]`)];
    const isReached = (control) => {
      const all = group(control);
      return !all || control === (all.find((one) => one.checked) ?? all[0]);
    };
    window.controls = [...document.querySelectorAll(controls)].filter(
      (control) => control.tabIndex >= 0 && !control.disabled && control.checkVisibility() && isReached(control),
    );
    return window.controls.map((control) => control.outerHTML.slice(0, 200));
  });
  const faults = [];
  for (const [at, name] of names.slice(0, CONTROLS_MAX).entries()) {
    await page.keyboard.press('Tab');
    const found = await page.evaluate(async (unseenMsMax) => {
      const control = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(control);
      const isSeen = () => {
        const { top, bottom, left, right, width, height } = control.getBoundingClientRect();
        return width > 0 && height > 0 && bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
      };
      // WebKit scrolls to a field a little after it has the focus.
      const began = performance.now();
      while (!isSeen() && performance.now() - began < unseenMsMax) await new Promise(requestAnimationFrame);
      return {
        at: window.controls.indexOf(control),
        name: control.outerHTML.slice(0, 200),
        isMarked: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
        isSeen: isSeen(),
      };
    }, UNSEEN_MS_MAX);
    if (found.at !== at) return [...faults, { kind: 'keyboard', what: `Tab leads to ${found.name} instead of ${name}` }];
    if (!found.isMarked) faults.push({ kind: 'focus', what: `nothing marks the focus of ${name}` });
    if (!found.isSeen) faults.push({ kind: 'focus', what: `the focus is out of sight: ${name}` });
  }
  return faults;
}

module.exports = { MODES, WALKED, inMode, withoutScripts };
