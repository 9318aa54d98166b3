/** A browser for the test that runs limbeck in one: Chromium or Chrome, which compute on a software driver of their own. */
import { candidate, install } from './packages.mjs';
import { onPath } from './run.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The program to start, or undefined. */
export const findChromium = () => process.env.CHROME_BIN || names.map(onPath).find(Boolean);

export const chromiumMissing =
  'The test in a browser needs Chromium or Chrome and none was found: install one (Debian: chromium), or name the program in CHROME_BIN';

/** Installs Chromium where there is none and Debian's can be had; what cannot be done is said, and again by the test. */
export async function provideChromium() {
  if (findChromium()) return;
  try {
    // Ubuntu's package of another name only points to another packaging system.
    if (await candidate('chromium')) await install(['chromium'], 'A browser for the tests');
  } catch (error) {
    console.error(error.message);
  }
  if (!findChromium()) console.error(chromiumMissing);
}
