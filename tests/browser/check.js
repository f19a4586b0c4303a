// Looks at every page in a real browser, as those who may see it: in every mode, or as far as engines differ.
//
// Usage: check.js ENGINE ADDRESS FOLDER [PICTURES], the address of the page of a server with the demo, its keys in the environment;
// a folder for what is validated, and one for a picture of each page.

'use strict';

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const vnu = require('vnu-jar');
const { ENGINES } = require('./engines');
const { FAULTS, plant } = require('./faults');
const { MODES, WALKED, inMode, withoutScripts } = require('./look');
const { NOT_YET, PAGES } = require('./pages');

const PURPOSE = 'looking at every page';
const VALIDATOR_BYTES_MAX = 64 << 20;
/** Kinds of faults that are the same in every engine. */
const FIRST_ONLY = ['scripts', 'html', 'css'];

/** Where the page is. */
let origin;
/** The cookies of those who sign in. */
const sessions = new Map();
/** For how many more windows there is room, and who waits for one. */
let room;
const waiting = [];

/** Signs in with a key as a person does, with the keyboard and without scripts. */
async function session(browser, who) {
  const key = process.env[`CONSPECTUS_KEY_${who.toUpperCase().replaceAll('-', '_')}`];
  if (!key) throw new Error(`the demo has no key of ${who}`);
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${origin}/account`);
  await page.focus('#key');
  await page.keyboard.type(key);
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => ['/account', '/sign-in/purpose'].includes(url.pathname));
  if (new URL(page.url()).pathname === '/sign-in/purpose') {
    await page.focus('#purpose');
    await page.keyboard.type(PURPOSE);
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.href === `${origin}/account`);
  }
  const state = await context.storageState();
  await context.close();
  return state;
}

/** A browser's context of somebody who is signed in. */
async function signIn(browser, who, options) {
  if (who === 'nobody') return browser.newContext(options);
  if (!sessions.has(who)) sessions.set(who, session(browser, who));
  return browser.newContext({ ...options, storageState: await sessions.get(who) });
}

/** What is found in a window of somebody, as soon as there is room for one more. */
async function inWindow(browser, who, options, find) {
  if (room === 0) await new Promise((resolve) => waiting.push(resolve));
  else room -= 1;
  try {
    const context = await signIn(browser, who, options);
    const found = await find(await context.newPage());
    await context.close();
    return found;
  } finally {
    const next = waiting.shift();
    if (next) next();
    else room += 1;
  }
}

/** The faults of pages as one person sees them in one mode; `find` is for each. */
const look = (browser, who, mode, options, pages, find) =>
  inWindow(browser, who, options, async (window) => {
    const faults = [];
    for (const page of pages) {
      const found = await find(window, page);
      faults.push(...found.map((fault) => ({ ...fault, page: page.name, who, mode })));
    }
    return faults;
  });

/** The same in some modes; with what `read` found without scripts, if it did. `keep` gets the window of each for a picture. */
async function inModes(browser, who, pages, modes, { read, keep }) {
  const found = await Promise.all(
    modes.map((mode) =>
      look(browser, who, mode, MODES[mode], pages, async (window, page) => {
        const faults = await inMode(window, mode, { ...page, expected: read?.get(page).text });
        await keep?.(window, page, mode);
        return faults;
      }),
    ),
  );
  return found.flat();
}

/** What pages are without scripts, and the faults of that. */
async function reading(browser, who, pages) {
  const read = new Map();
  const faults = await look(browser, who, 'without scripts', { javaScriptEnabled: false }, pages, async (window, page) => {
    const found = await withoutScripts(window, page);
    read.set(page, found);
    return found.faults;
  });
  return { read, faults };
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

/** The pages that an engine looks at: a file is chosen by Playwright alone, though the newcomer does so in each engine. */
const pagesOf = (engine) => PAGES.filter(({ name, upload }) => !NOT_YET.has(name) && (engine.isFirst || !upload));

/** Every page, as everybody who may see it. Pictures go to a folder, if there is one. */
async function everyPage(engine, browser, folder, pictures) {
  const pages = pagesOf(engine).map((page) => ({ status: 200, url: origin + page.path, ...page }));
  const people = [...new Set(pages.flatMap((page) => page.as))];
  const files = [];
  const keep = pictures && (async (window, page, mode, who) => {
    await window.evaluate(() => document.activeElement.blur());
    await window.screenshot({ path: path.join(pictures, `${page.name}-${who}-${mode}.png`), fullPage: true });
  });
  const seen = people.map(async (who) => {
    const theirs = pages.filter((page) => page.as.includes(who));
    const kept = keep && ((window, page, mode) => keep(window, page, mode, who));
    if (!engine.isFirst) return inModes(browser, who, theirs, WALKED, { keep: kept });
    const { read, faults } = await reading(browser, who, theirs);
    for (const [page, { html }] of read) files.push(write(folder, `${page.name}-${who}.html`, html));
    return [...faults, ...(await inModes(browser, who, theirs, Object.keys(MODES), { read, keep: kept }))];
  });
  const faults = (await Promise.all(seen)).flat();
  if (engine.isFirst) {
    for (const asset of ['style.css', 'icon.svg']) {
      files.push(write(folder, asset, await (await fetch(`${origin}/${asset}`)).text()));
    }
    faults.push(...(await validate(files)), ...(await early(browser)));
  }
  return faults;
}

/** The pages that are said not to be there, and are. */
async function early(browser) {
  const found = [];
  for (const page of PAGES.filter(({ name }) => NOT_YET.has(name))) {
    const absent = { ...page, url: origin + page.path, status: 404 };
    const { faults } = await reading(browser, page.as[0], [absent]);
    found.push(...faults.map(() => ({ kind: 'list', page: page.name, who: page.as[0], mode: '', what: 'it is there; take it off the list' })));
  }
  return found;
}

/** The kinds of faults that are found where one is planted, and what is to be validated of it. */
async function seenOf(engine, browser, folder, fault) {
  const planted = await plant(origin, fault);
  const page = { name: `planted-${fault.kind}`, url: `${planted.address}/`, status: 200 };
  const { read, faults } = engine.isFirst ? await reading(browser, 'analyst', [page]) : { faults: [] };
  faults.push(...(await inModes(browser, 'analyst', [page], [fault.mode ?? 'wide'], { read })));
  const files = [];
  if (fault.kind === 'html') files.push(write(folder, `${page.name}.html`, read.get(page).html));
  if (fault.kind === 'css') files.push(write(folder, `${page.name}.css`, await (await fetch(`${planted.address}/style.css`)).text()));
  planted.close();
  return { kinds: faults.map(({ kind }) => kind), files };
}

/** Plants faults, of the kinds that are looked for, and sees that each is found. */
async function plantEach(engine, browser, folder) {
  const isSought = ({ kind }) => engine.isFirst || ![...engine.misses, ...FIRST_ONLY].includes(kind);
  const faults = FAULTS.filter(isSought);
  const seen = await Promise.all(faults.map((fault) => seenOf(engine, browser, folder, fault)));
  const files = seen.flatMap((one) => one.files);
  const invalid = files.length > 0 ? await validate(files) : [];
  const isFound = ({ kind }, at) => [...seen[at].kinds, ...invalid.map((fault) => fault.kind)].includes(kind);
  const missed = faults.filter((fault, at) => !isFound(fault, at)).map(({ kind }) => kind);
  if (missed.length > 0) throw new Error(`faults that were planted aren't found: ${missed.join(', ')}`);
  return faults.length;
}

async function main(name, address, folder, pictures) {
  origin = address;
  const engine = ENGINES[name];
  room = engine.windowsMax;
  const browser = await engine.launch();
  try {
    const planted = await plantEach(engine, browser, folder);
    const faults = await everyPage(engine, browser, folder, pictures);
    for (const fault of faults) console.error(`${name}: ${show(fault)}`);
    if (faults.length > 0) throw new Error(`${faults.length} faults`);
    console.log(`${name}: ${planted} planted faults, each found; ${pagesOf(engine).length} pages without a fault, in ${Math.round(process.uptime())} s`);
  } finally {
    await browser.close();
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
