// Looks at every page in a real browser, as those who may see it, in every mode.
//
// Usage: check.js ADDRESS FOLDER [PICTURES], the address of the page of a server with the demo, its keys in the environment; a
// folder for what is validated, and one for a picture of each page.

'use strict';

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const { chromium } = require('playwright-core');
const vnu = require('vnu-jar');
const { FAULTS, plant } = require('./faults');
const { MODES, inMode, withoutScripts } = require('./look');
const { NOT_YET, PAGES } = require('./pages');

const CHROMIUM = '/usr/bin/chromium';
const PURPOSE = 'looking at every page';
const VALIDATOR_BYTES_MAX = 64 << 20;

/** Where the page is. */
let origin;
/** The cookies of those who have signed in already. */
const sessions = new Map();

/** Signs in with a key as a person does, with the keyboard and without scripts. */
async function session(browser, who) {
  const key = process.env[`CONSPECTUS_KEY_${who.toUpperCase().replaceAll('-', '_')}`];
  if (!key) throw new Error(`the demo has no key of ${who}`);
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${origin}/account`);
  await page.locator('#key').focus();
  await page.keyboard.type(key);
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => ['/account', '/sign-in/purpose'].includes(url.pathname));
  if (new URL(page.url()).pathname === '/sign-in/purpose') {
    await page.locator('input[name=purpose], textarea[name=purpose]').focus();
    await page.keyboard.type(PURPOSE);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${origin}/account`);
  }
  const state = await context.storageState();
  await context.close();
  return state;
}

/** A browser's context of somebody who is signed in. */
async function signIn(browser, who, options) {
  if (who === 'nobody') return browser.newContext(options);
  if (!sessions.has(who)) sessions.set(who, await session(browser, who));
  return browser.newContext({ ...options, storageState: sessions.get(who) });
}

/** The faults of pages in some modes, as one person sees them, and their HTML. `keep` gets the window of each for a picture. */
async function look(browser, who, pages, { modes = Object.keys(MODES), prepare, keep }) {
  const faults = [];
  const expected = new Map();
  const each = async (mode, options, find) => {
    const context = await signIn(browser, who, options);
    await prepare?.(context);
    const window = await context.newPage();
    for (const page of pages) {
      const found = await find(window, page);
      faults.push(...found.map((fault) => ({ ...fault, page: page.name, who, mode })));
      await keep?.(window, page, mode);
    }
    await context.close();
  };
  await each('without scripts', { javaScriptEnabled: false }, async (window, page) => {
    const found = await withoutScripts(window, page);
    expected.set(page, found);
    return found.faults;
  });
  for (const mode of modes) {
    await each(mode, MODES[mode], (window, page) => inMode(window, mode, { ...page, expected: expected.get(page).text }));
  }
  return { faults, html: new Map(pages.map((page) => [page.name, expected.get(page).html])) };
}

/** What the validator of the W3C says of files; each is named in what it says. */
async function validate(files) {
  const args = ['-jar', vnu, '--stdout', '--format', 'json', '--exit-zero-always', '--also-check-css', '--also-check-svg', ...files];
  const { stdout } = await promisify(execFile)('java', args, { maxBuffer: VALIDATOR_BYTES_MAX });
  return JSON.parse(stdout).messages.map(({ url, lastLine, message, extract }) => {
    const file = path.basename(new URL(url).pathname);
    const kind = path.extname(file).slice(1);
    return { kind, page: file, who: '', mode: `line ${lastLine}`, what: `${message} ${extract?.trim() ?? ''}` };
  });
}

const write = (folder, name, text) => {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text);
  return file;
};

const show = ({ kind, page, who, mode, what }) => `${page}${who && ` as ${who}`}, ${mode}: ${kind}: ${what}`;

/** Every page, as everybody who may see it. Pictures go to a folder, if there is one. */
async function everyPage(browser, address, folder, pictures) {
  const pages = PAGES.filter(({ name }) => !NOT_YET.has(name)).map((page) => ({ status: 200, url: address + page.path, ...page }));
  const faults = [];
  const files = [];
  const keep = (who) => async (window, page, mode) => {
    if (!(mode in MODES)) return;
    await window.evaluate(() => document.activeElement.blur());
    const file = `${page.name}-${who}-${mode}.png`;
    await window.screenshot({ path: path.join(pictures, file), fullPage: true });
  };
  const people = [...new Set(pages.flatMap((page) => page.as))];
  const seen = people.map((who) => {
    const theirs = pages.filter((page) => page.as.includes(who));
    return look(browser, who, theirs, { keep: pictures && keep(who) });
  });
  for (const [at, { faults: found, html }] of (await Promise.all(seen)).entries()) {
    faults.push(...found);
    for (const [name, text] of html) files.push(write(folder, `${name}-${people[at]}.html`, text));
  }
  for (const asset of ['style.css', 'icon.svg']) {
    files.push(write(folder, asset, await (await fetch(`${address}/${asset}`)).text()));
  }
  faults.push(...(await validate(files)));
  return { faults, looked: files.length };
}

/** The pages that are said not to be there, and are. */
async function early(browser, address) {
  const found = [];
  for (const page of PAGES.filter(({ name }) => NOT_YET.has(name))) {
    const context = await signIn(browser, page.as[0], {});
    const { faults } = await withoutScripts(await context.newPage(), { url: address + page.path, status: 404 });
    found.push(...faults.map(() => ({ kind: 'list', page: page.name, who: page.as[0], mode: '', what: 'it is there; take it off the list' })));
    await context.close();
  }
  return found;
}

/** Whether a planted fault is found. */
async function isFound(browser, address, folder, fault) {
  const name = `planted-${fault.kind}`;
  const page = { name, url: `${address}/`, status: 200 };
  const modes = [fault.mode ?? 'wide'];
  const { faults, html } = await look(browser, 'analyst', [page], { modes, prepare: (context) => plant(context, fault) });
  const sheet = await (await fetch(`${address}/style.css`)).text();
  const files = { html: html.get(name), css: fault.css?.(sheet) };
  if (fault.kind in files) faults.push(...(await validate([write(folder, `${name}.${fault.kind}`, files[fault.kind])])));
  return faults.some(({ kind }) => kind === fault.kind);
}

/** The kinds of planted faults that aren't found. */
async function unnoticed(browser, address, folder) {
  const found = await Promise.all(FAULTS.map((fault) => isFound(browser, address, folder, fault)));
  return FAULTS.filter((_, at) => !found[at]).map(({ kind }) => kind);
}

async function main(address, folder, pictures) {
  origin = address;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  try {
    const missed = await unnoticed(browser, address, folder);
    if (missed.length > 0) throw new Error(`faults that were planted aren't found: ${missed.join(', ')}`);
    console.log(`${FAULTS.length} planted faults, each found`);
    const { faults, looked } = await everyPage(browser, address, folder, pictures);
    faults.push(...(await early(browser, address)));
    for (const fault of faults) console.error(show(fault));
    if (faults.length > 0) throw new Error(`${faults.length} faults`);
    console.log(`${looked} pages and files in ${Object.keys(MODES).length + 1} modes, without a fault`);
  } finally {
    await browser.close();
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
