// A newcomer's first quarter of an hour, by keyboard alone and without scripts: the picture, why a figure is what it is, and a
// return with mistakes that is mended, submitted, and its receipt kept. Then, with a mouse and an impatient hand, a correction.
//
// Usage: newcomer.js ENGINE ADDRESS FOLDER, the address of the page of a server with the demo, its keys in the environment; a folder
// for the receipt (receipt.toml) and for pictures of the steps.

'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { ENGINES } = require('./engines');
const { until } = require('./until');

const DOCS = path.join(__dirname, '../../docs');
/** After so many presses of the Tab key something isn't on the page. */
const TABS_MAX = 300;
const SUBMITTER = 'portsmouth-childrens-services';

const key = (who) => process.env[`CONSPECTUS_KEY_${who.toUpperCase().replaceAll('-', '_')}`];

/** Somebody with a keyboard in front of a page. */
class Keyboard {
  constructor(page, folder) {
    this.page = page;
    this.folder = folder;
  }

  /** Presses Tab until the focus is on something of this selector. */
  async reach(selector) {
    for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
      await this.page.keyboard.press('Tab');
      if (await this.page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
    }
    throw new Error(`${this.page.url()}: the Tab key doesn't lead to ${selector}`);
  }

  /** Goes to a control, and presses Enter there; on to the page that this leads to. */
  async enter(selector, pathname) {
    await this.reach(selector);
    await this.leave(pathname, () => this.page.keyboard.press('Enter'));
  }

  /** Does what leads to another page, which may have the same address, and waits for that. */
  async leave(pathname, act) {
    await this.page.evaluate(() => (window.isLeft = true));
    await act();
    const isThere = (wanted) => !window.isLeft && location.pathname === wanted && document.readyState === 'complete';
    await until(pathname, () => this.page.evaluate(isThere, pathname).catch(() => false));
  }

  async type(selector, text) {
    await this.reach(selector);
    await this.page.keyboard.type(text);
  }

  async choose(selector, file) {
    await this.reach(selector);
    const [chooser] = await Promise.all([this.page.waitForEvent('filechooser'), this.page.keyboard.press('Space')]);
    await chooser.setFiles(file);
  }

  async download(selector, name) {
    await this.reach(selector);
    const [download] = await Promise.all([this.page.waitForEvent('download'), this.page.keyboard.press('Enter')]);
    const file = path.join(this.folder, name);
    await download.saveAs(file);
    return fs.readFileSync(file);
  }

  /** The page as it is read, which must have all of these. */
  async reads(...parts) {
    const text = await this.page.innerText('main');
    for (const part of parts) assert(text.includes(part), `${this.page.url()} doesn't say ${part}:\n${text}`);
  }

  async picture(name) {
    await this.page.screenshot({ path: path.join(this.folder, `${name}.png`) });
  }
}

/** An analyst sees Hampshire's picture of a year, and asks why. */
async function reads(keyboard, address) {
  const { page } = keyboard;
  await page.goto(address);
  await keyboard.type('#key', key('analyst'));
  await keyboard.picture('sign-in');
  await keyboard.enter('button', '/sign-in/purpose');
  await keyboard.type('#purpose', 'Section 11 audit');
  await keyboard.enter('button', '/');
  await keyboard.type('#area', 'Hampshire');
  await keyboard.type('#period', 'FY2021-22');
  await keyboard.enter('button', '/picture');
  await keyboard.reads('Hampshire', '153,033', '+21.3%');
  await keyboard.picture('picture');
  await keyboard.enter('a[href*="indicator=initial-contacts"][href^="/indicator"]', '/indicator');
  await keyboard.reads('Initial contacts in Hampshire rose from 126,153');
  await keyboard.picture('indicator');
  await page.goBack();
  await keyboard.enter('a[href*="indicator=initial-contacts"][href^="/explain"]', '/explain');
  await keyboard.reads('153,033', "Hampshire County Council Children's Services");
  await keyboard.picture('explain');
  await keyboard.enter('a[href="/account"]', '/account');
  await keyboard.enter('form[action="/sign-out"] button', '/sign-in');
}

/** An agency uploads a return with mistakes, mends it, submits it and keeps the receipt. */
async function submits(keyboard, address) {
  const { page } = keyboard;
  await page.goto(`${address}/due`);
  await keyboard.type('#key', key(SUBMITTER));
  await keyboard.enter('button', '/due');
  await keyboard.enter('nav a[href="/submit"]', '/submit');
  await keyboard.choose('#file', path.join(DOCS, 'return-with-mistakes.xlsx'));
  await keyboard.enter('form[action^="/submit/check"] button', '/submit/check');
  await keyboard.reads('3 problems in return-with-mistakes.xlsx', 'found `39.5`', 'found `n/a`', 'Nothing was stored.');
  await keyboard.picture('problems');
  const marked = await keyboard.download('a[download="problems.xlsx"]', 'problems.xlsx');
  assert.equal(marked.subarray(0, 2).toString(), 'PK', 'the rows with their problems are no workbook');

  // Three rows are empty on purpose, which is to be said.
  await keyboard.choose('#file', path.join(DOCS, 'return.xlsx'));
  await keyboard.reach('#skip_empty');
  await page.keyboard.press('Space');
  await keyboard.enter('form[action^="/submit/check"] button', '/submit/check');
  await keyboard.reads('No problems were found. Sending it would give: 8 new, 0 revised, 0 unchanged. Nothing is stored yet.');
  await keyboard.picture('preview');
  await keyboard.enter('form[action^="/submit/send"] button', '/submission');
  await keyboard.reads('Your figures were received.', '8 new', '395', '[x]');
  await keyboard.picture('receipt');
  const receipt = (await keyboard.download('a[href^="/submission/receipt"]', 'receipt.toml')).toString();
  const hash = await page.innerText('dd code');
  assert(receipt.includes(`receipt = "${hash}"`), `the receipt is another than the page's:\n${receipt}`);
}

/** How often the agency has submitted. */
async function submissions({ page }, address) {
  await page.goto(`${address}/submissions?agency=${SUBMITTER}`);
  return page.evaluate(() => document.querySelectorAll('tbody tr').length);
}

/** The agency corrects a figure, and clicks twice on the button that sends: one submission, and a receipt that is seen. */
async function clicksTwice(keyboard, address) {
  const { page } = keyboard;
  const before = await submissions(keyboard, address);
  await page.goto(`${address}/submit?agency=${SUBMITTER}`);
  await keyboard.choose('#file', path.join(DOCS, 'return-corrected.xlsx'));
  await keyboard.reach('summary');
  await page.keyboard.press('Enter');
  await keyboard.reach('#skip_empty');
  await page.keyboard.press('Space');
  await keyboard.enter('form[action^="/submit/check"] button', '/submit/check');
  await keyboard.type('#reason', 'counted by hand');
  await keyboard.leave('/submission', () => page.dblclick('form[action^="/submit/send"] button'));
  await keyboard.reads('revised', 'Download the receipt');
  await keyboard.picture('clicked-twice');
  assert.equal(await submissions(keyboard, address), before + 1, 'a double click is not one submission');
}

async function main(name, address, folder) {
  const browser = await ENGINES[name].launch();
  try {
    const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1100, height: 760 } });
    const page = await context.newPage();
    // From now on a press of a key opens no window of the system's, which nobody would see.
    page.on('filechooser', () => {});
    const keyboard = new Keyboard(page, folder);
    await reads(keyboard, address);
    await submits(keyboard, address);
    await clicksTwice(keyboard, address);
    console.log(`${name}: a newcomer's way, in ${Math.round(process.uptime())} s`);
  } finally {
    await browser.close();
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
