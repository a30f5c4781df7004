/** In which browsers a test plays: at each change, a Firefox with a Chromium stands for a Chromium with its like too. */

/** @typedef {'chromium' | 'firefox'} Kind */

/** Is everything tried? `make test-page-all` says so. */
export const whole = process.env['WHOLE'] === '1';

/** In these languages. @type {readonly ('chromium' | 'chromium-in-french')[]} */
export const languages = whole ? ['chromium', 'chromium-in-french'] : ['chromium'];

/** Whose side a test is about; the other side is a Chromium's. @type {readonly Kind[]} */
export const kinds = whole ? ['chromium', 'firefox'] : ['firefox'];

/** @type {readonly [caller: Kind, callee: Kind][]} */
export const pairs = [...(whole ? [/** @type {[Kind, Kind]} */ (['chromium', 'chromium'])] : []), ['firefox', 'chromium'], ['chromium', 'firefox']];
