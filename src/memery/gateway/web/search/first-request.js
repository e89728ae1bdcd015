// The first request: sent as soon as the few modules that it needs are here, before all the others.

import { asked, read, request } from "../state/url-state.js";
import { Results } from "../state/results.js";

const state = read();

/** The answer to the address that the page was opened with, under way. */
export const first = new Results(request(state), asked(state).length > 0);
first.load(0).catch(() => {}); // asked for again, and told, by whoever shows it
