// WebKit, of which Playwright drives only its own build: Debian's MiniBrowser on a display of its own, by W3C WebDriver. What is
// here has the names of Playwright's and does the same, as far as look.js, check.js and newcomer.js ask for it.

'use strict';

const { spawn } = require('node:child_process');
const { EventEmitter, once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { WAIT_MS_MAX, until } = require('./until');

const MINI_BROWSER = '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser';
const KEYS = { Tab: '\uE004', Enter: '\uE007', Space: ' ' };

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** The one window of a browser. */
class Page extends EventEmitter {
  constructor(session, downloads) {
    super();
    this.session = session;
    this.downloads = downloads;
    this.address = 'about:blank';
    this.keyboard = {
      press: (key) => this.#keys([KEYS[key]]),
      type: (text) => this.#keys([...text]),
    };
  }

  /** WebDriver says nothing of the answer, so that the same is asked for once more, for its status. */
  async goto(url) {
    await this.session('POST', 'url', { url });
    const [address, loaded] = await this.evaluate(() => [location.href, performance.getEntriesByType('resource').map(({ name }) => name)]);
    this.address = address;
    for (const name of loaded) this.emit('request', { url: () => name });
    const cookie = (await this.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { headers: { cookie } });
    await answer.body.cancel();
    return { status: () => answer.status };
  }

  cookies() {
    return this.session('GET', 'cookie');
  }

  url() {
    return this.address;
  }

  /** Runs a function, or a text, in the page. */
  async evaluate(work, value) {
    if (typeof work === 'string') return this.session('POST', 'execute/sync', { script: work, args: [] });
    const script = `const [value, done] = arguments; Promise.resolve(value).then(${work}).then((found) => done({ found }), (error) => done({ error: String(error) }));`;
    const { found, error } = await this.session('POST', 'execute/async', { script, args: [value ?? null] });
    if (error) throw new Error(error);
    return found;
  }

  innerText(selector) {
    return this.evaluate((wanted) => document.querySelector(wanted).innerText, selector);
  }

  focus(selector) {
    return this.evaluate((wanted) => document.querySelector(wanted).focus(), selector);
  }

  async dblclick(selector) {
    await this.evaluate((wanted) => document.querySelector(wanted).scrollIntoView({ block: 'center' }), selector);
    const origin = await this.session('POST', 'element', { using: 'css selector', value: selector });
    const press = [{ type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }];
    await this.#act({ type: 'pointer', id: 'mouse', actions: [{ type: 'pointerMove', origin, x: 0, y: 0 }, ...press, ...press] });
  }

  waitForURL(isWanted) {
    return until(`a page, after ${this.address}`, async () => {
      const [address, state] = await this.evaluate(() => [location.href, document.readyState]).catch(() => []);
      if (state !== 'complete' || !isWanted(new URL(address))) return false;
      this.address = address;
      return true;
    });
  }

  async goBack() {
    await this.session('POST', 'back', {});
  }

  /** A file that is asked for, or that comes; until WebDriver tells of them, it is looked for. */
  async waitForEvent(event) {
    if (event === 'filechooser') return { setFiles: async (file) => this.session('POST', `element/${await this.#focused()}/value`, { text: file }) };
    const before = new Set(fs.readdirSync(this.downloads));
    // The name is taken by an empty file, which what arrived replaces in the end.
    const isWhole = (file) => !before.has(file) && !file.endsWith('.wkdownload') && fs.statSync(path.join(this.downloads, file)).size > 0;
    const name = await until('a download', () => fs.readdirSync(this.downloads).find(isWhole));
    return { saveAs: async (file) => fs.copyFileSync(path.join(this.downloads, name), file) };
  }

  async screenshot({ path: file }) {
    fs.writeFileSync(file, Buffer.from(await this.session('GET', 'screenshot'), 'base64'));
  }

  async #focused() {
    return Object.values(await this.session('GET', 'element/active'))[0];
  }

  #keys(values) {
    const actions = values.flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]);
    return this.#act({ type: 'key', id: 'keyboard', actions });
  }

  #act(source) {
    return this.session('POST', 'actions', { actions: [source] });
  }
}

/** A browser of one window, with nothing in common with others. */
class Context {
  static async open(display, { viewport = { width: 1280, height: 800 }, javaScriptEnabled = true, storageState }) {
    const context = new Context();
    context.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'webkit-'));
    context.viewport = viewport;
    const port = await freePort();
    const env = { ...process.env, DISPLAY: display, XDG_CONFIG_HOME: context.folder };
    context.driver = spawn('WebKitWebDriver', [`--port=${port}`], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    context.call = async (method, address, body) => {
      const signal = AbortSignal.timeout(WAIT_MS_MAX);
      const answer = await fetch(`http://127.0.0.1:${port}/${address}`, { method, body: body && JSON.stringify(body), signal });
      const { value } = await answer.json();
      if (!answer.ok) throw new Error(`WebKit, ${method} ${address}: ${value.error}: ${value.message}`);
      return value;
    };
    try {
      await context.#start(javaScriptEnabled, storageState);
    } catch (error) {
      await context.close();
      throw error;
    }
    return context;
  }

  async #start(javaScriptEnabled, storageState) {
    // Without this the buttons above the page keep the window from being as narrow as 320 px.
    fs.mkdirSync(path.join(this.folder, 'gtk-3.0'));
    fs.writeFileSync(path.join(this.folder, 'gtk-3.0/gtk.css'), '* { font-size: 1px; min-width: 0; padding: 0; margin: 0; border-width: 0; }');
    fs.writeFileSync(path.join(this.folder, 'user-dirs.dirs'), `XDG_DOWNLOAD_DIR="${this.folder}/downloads"`);
    fs.mkdirSync(path.join(this.folder, 'downloads'));
    await until('WebKitWebDriver', () => this.call('GET', 'status').catch(() => undefined));
    const args = ['--automation', `--enable-javascript-markup=${javaScriptEnabled}`];
    const wanted = { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': { binary: MINI_BROWSER, args } };
    const { sessionId } = await this.call('POST', 'session', { capabilities: { alwaysMatch: wanted } });
    this.session = (method, address, body) => this.call(method, path.posix.join('session', sessionId, address), body);
    this.page = new Page(this.session, path.join(this.folder, 'downloads'));
    await this.#resize();
    for (const { url, cookie } of storageState ?? []) {
      if (this.page.url() !== url) await this.page.goto(url);
      await this.session('POST', 'cookie', { cookie });
    }
  }

  /** The height is the window's, a little more than the page's. */
  async #resize() {
    await this.session('POST', 'window/rect', this.viewport);
    await until('the window', () => this.page.evaluate((width) => innerWidth === width, this.viewport.width));
  }

  async newPage() {
    return this.page;
  }

  async storageState() {
    return (await this.page.cookies()).map((cookie) => ({ url: this.page.url(), cookie }));
  }

  async close() {
    if (this.driver.exitCode !== null || this.driver.signalCode !== null) return;
    await this.session?.('DELETE', '').catch(() => undefined);
    this.driver.kill('SIGKILL');
    await once(this.driver, 'exit');
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * A display, and the browsers on it. The window in which the pointer is has the focus; it is in the middle, which is to be within the
 * narrowest of them.
 */
async function launch() {
  const stdio = ['ignore', 'ignore', 'ignore', 'pipe'];
  const display = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '600x600x24', '-nolisten', 'tcp', '-noreset'], { stdio });
  const [number] = await once(readline.createInterface({ input: display.stdio[3] }), 'line');
  const contexts = new Set();
  return {
    newContext: async (options) => {
      const context = await Context.open(`:${number}`, options);
      contexts.add(context);
      return context;
    },
    close: async () => {
      await Promise.all([...contexts].map((context) => context.close()));
      display.kill();
      await once(display, 'exit');
    },
  };
}

module.exports = { launch };
