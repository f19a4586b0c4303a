// The browsers that look at the page, one of each engine: Debian's packages.

'use strict';

const { chromium, firefox } = require('playwright-core');
const webkit = require('./webkit');

/** A list of downloads doesn't take the focus from the page. */
const FIREFOX_SETTINGS = { 'browser.download.alwaysOpenPanel': false };

/**
 * `isFirst` is the one that looks in every mode, and without scripts; the further ones look at what engines differ in. `misses` are
 * kinds of faults of which an engine says nothing, and `windowsMax` is how many are looked at beside each other: only one is marked as
 * having the focus, except in Chromium without a display. Later releases of playwright-core than package.json's ask of Firefox what the
 * extended support release 153 can't do yet.
 */
const ENGINES = {
  chromium: {
    isFirst: true,
    windowsMax: 3,
    misses: [],
    launch: () => chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] }),
  },
  firefox: {
    windowsMax: 1,
    misses: [],
    launch: () => firefox.launch({ channel: 'moz-firefox', executablePath: '/usr/bin/firefox-esr', firefoxUserPrefs: FIREFOX_SETTINGS }),
  },
  webkit: { windowsMax: 1, misses: ['console'], launch: webkit.launch },
};

module.exports = { ENGINES };
