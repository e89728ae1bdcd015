// The first request: sent as soon as the few modules that it needs are here, before all others.

import { Results } from "../state/results.js";
import { activeTerms, parseUrl, requestParameters } from "../state/url-state.js";

const state = parseUrl(location.search);

/** The results for the URL that the page was opened with, being loaded. */
export const firstResults = new Results(requestParameters(state), activeTerms(state).length > 0);
firstResults.load(0).catch(() => {}); // the search controller loads it too, and reports the error
