// The terms of a query: parsing, formatting, changing. Terms are plain values, never changed in place.

/** @import { PageState, Term } from "../types.d.ts" */

/** The server's limit of terms in a query. */
export const MAX_TERMS = 32;

const BOOST_STEPS = [0.25, 0.5, 1, 2, 3, 4];
const BOOSTED = /^(.*[^\\])\^(\d+(?:\.\d*)?|\.\d+)$/s;
const QUOTED = '"[^"]+"|“[^“”]+”|„[^„“”]+[“”]|«[^«»]+»';
const PART = new RegExp(`(?:^|\\s)[-−](?:(?<phrase>${QUOTED})(?<boost>\\^(?:\\d+(?:\\.\\d*)?|\\.\\d+))?(?!\\S)|(?<word>\\p{L}\\S*))|(?<plain>${QUOTED}|[^])`, "gu");

/** REST parameters by kind of term: for "more of this", and for "less of this". */
const PARAMETERS = { text: ["text", "not"], image: ["similar_to", "unlike"], upload: ["upload", "not_upload"] };

/**
 * Parses what a user typed: `cup^2 -coffee -"red car"`. The server parses texts in the same way
 * (`parse_text` in Python); both are tested with the cases of tests/query/texts.json.
 * @param {string} text
 * @returns {Term[]}
 */
export function parseText(text) {
  const negatives = [];
  let plain = "";
  for (const { groups = {} } of text.matchAll(PART)) {
    if (groups.phrase) negatives.push(splitBoost(groups.phrase.slice(1, -1) + (groups.boost ?? "")));
    else if (groups.word) negatives.push(splitBoost(groups.word));
    else plain += groups.plain;
  }
  const { value, boost } = splitBoost(plain.trim());
  const positive = { value: value.replace(/(^|\s)\\(?=[-−])/gu, "$1"), boost };
  return [positive, ...negatives.map((one) => ({ ...one, boost: -one.boost }))]
    .filter((term) => term.value.trim() && term.boost)
    .map((term) => ({ kind: /** @type {const} */ ("text"), ...term }));
}

/**
 * The text of a term, as a user would type it: the reverse of `parseText`.
 * @param {Term} term
 */
export function formatTerm(term) {
  if (term.boost > 0) return escapeDashes(term);
  const isWord = /^\p{L}\S*$/u.test(term.value);
  return isWord ? `-${withBoost(term)}` : `-"${term.value.replaceAll("^", "\\^")}"${withBoost({ ...term, value: "" })}`;
}

/**
 * The terms in the parameters of a URL, in their order.
 * @param {URLSearchParams} parameters
 * @returns {Term[]}
 */
export function fromParameters(parameters) {
  return [...parameters].flatMap(([name, text]) => (name === "text" ? parseText(text) : parseParameter(name, text)));
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {Term[]}
 */
function parseParameter(name, text) {
  for (const kind of /** @type {const} */ (["text", "image", "upload"])) {
    const place = PARAMETERS[kind].indexOf(name);
    const { value, boost } = splitBoost(text);
    if (place >= 0 && value.trim() && boost) return [{ kind, value, boost: place ? -boost : boost }];
  }
  return [];
}

/**
 * Adds terms to the parameters of a URL: `text=beach^2`.
 * @param {Term[]} terms
 * @param {URLSearchParams} parameters changed in place
 */
export function addToParameters(terms, parameters) {
  for (const term of terms) {
    const name = PARAMETERS[term.kind][term.boost < 0 ? 1 : 0];
    parameters.append(name, name === "text" ? escapeDashes(term) : withBoost(term));
  }
}

/** @param {Term} term */
export const more = (term) => ({ ...term, boost: Math.abs(term.boost) });
/** @param {Term} term */
export const less = (term) => ({ ...term, boost: -Math.abs(term.boost) });
/** @param {Term} term */
export const stronger = (term) => scale(term, BOOST_STEPS.find((step) => step > Math.abs(term.boost)));
/** @param {Term} term */
export const weaker = (term) => scale(term, BOOST_STEPS.findLast((step) => step < Math.abs(term.boost)));

/**
 * The terms with one more; a term with the same value is replaced.
 * @param {Term[]} terms
 * @param {Term} term
 */
export function withTerm(terms, term) {
  const isSame = (/** @type {Term} */ other) => other.kind === term.kind && other.value === term.value;
  return terms.some(isSame) ? terms.map((one) => (isSame(one) ? term : one)) : [...terms, term];
}

/**
 * Whether a state has more terms than a query may have, the draft included.
 * @param {PageState} state
 */
export const exceedsLimit = ({ terms, draft }) => terms.length + parseText(draft).length > MAX_TERMS;

/**
 * @param {Term} term
 * @param {number | undefined} size
 */
function scale(term, size) {
  return size ? { ...term, boost: Math.sign(term.boost) * size } : term;
}

/** @param {string} text */
function splitBoost(text) {
  const match = BOOSTED.exec(text);
  const [value, boost] = match ? [match[1], Number(match[2])] : [text, 1];
  return { value: value.replaceAll("\\^", "^"), boost };
}

/**
 * A text with a backslash before each dash that would mean "less of this".
 * @param {Term} term
 */
function escapeDashes(term) {
  return withBoost({ ...term, value: term.value.replace(/(^|\s)(?=[-−](?:\p{L}|["“„«]))/gu, "$1\\") });
}

/** @param {Term} term */
function withBoost({ value, boost }) {
  const size = Math.abs(boost);
  return value.replaceAll("^", "\\^") + (size === 1 ? "" : `^${size}`);
}
