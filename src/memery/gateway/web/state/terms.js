// The parts of a query: plain values, never changed in place.
// A term is { kind: "text" | "image" | "upload", value, boost }; a negative boost means "less of this".

/** Terms that a query may have: the server's limit. */
export const MOST_TERMS = 32;

const STEPS = [0.25, 0.5, 1, 2, 3, 4];
const BOOSTED = /^(.*[^\\])\^(\d+(?:\.\d*)?|\.\d+)$/s;
const QUOTED = '"[^"]+"|“[^“”]+”|„[^„“”]+[“”]|«[^«»]+»';
const PART = new RegExp(`(?:^|\\s)[-−](?:(?<phrase>${QUOTED})(?<boost>\\^(?:\\d+(?:\\.\\d*)?|\\.\\d+))?(?!\\S)|(?<word>\\p{L}\\S*))|(?<plain>${QUOTED}|[^])`, "gu");
const NAMES = {
  text: ["text", "not"],
  image: ["similar_to", "unlike"],
  upload: ["upload", "not_upload"],
};

/**
 * The terms that someone typed: `cup^2 -coffee -"red car"`. The server reads texts in the same way
 * (`parse_text` in words/query.py); tests/words/texts.json has the cases that both are held to.
 */
export function typed(words) {
  const less = [];
  let plain = "";
  for (const { groups } of words.matchAll(PART)) {
    if (groups.phrase) less.push(split(groups.phrase.slice(1, -1) + (groups.boost ?? "")));
    else if (groups.word) less.push(split(groups.word));
    else plain += groups.plain;
  }
  const { value, boost } = split(plain.trim());
  const terms = [{ value: value.replace(/(^|\s)\\(?=[-−])/gu, "$1"), boost }, ...less.map((one) => ({ ...one, boost: -one.boost }))];
  return terms.filter((term) => term.value.trim() && term.boost).map((term) => ({ kind: "text", ...term }));
}

/** The reverse of `typed` for one term. */
export function words(term) {
  if (term.boost > 0) return written(term);
  const isWord = /^\p{L}\S*$/u.test(term.value);
  return isWord ? `-${boosted(term)}` : `-"${term.value.replaceAll("^", "\\^")}"${boosted({ ...term, value: "" })}`;
}

/** The terms that an address or a request names, in their order. */
export function fromParameters(parameters) {
  const terms = [];
  for (const [name, text] of parameters) {
    if (name === "text") terms.push(...typed(text));
    for (const [kind, names] of Object.entries(NAMES)) {
      const sign = name === "text" ? undefined : [1, -1][names.indexOf(name)];
      const { value, boost } = sign ? split(text) : {};
      if (value?.trim() && boost) terms.push({ kind, value, boost: sign * boost });
    }
  }
  return terms;
}

/** Adds the terms to parameters of an address or a request: `text=beach^2`. */
export function toParameters(terms, parameters) {
  for (const term of terms) {
    const name = NAMES[term.kind][term.boost < 0 ? 1 : 0];
    parameters.append(name, name === "text" ? written(term) : boosted(term));
  }
}

export const more = (term) => ({ ...term, boost: Math.abs(term.boost) });
export const less = (term) => ({ ...term, boost: -Math.abs(term.boost) });
export const stronger = (term) => scaled(term, STEPS.find((step) => step > Math.abs(term.boost)));
export const weaker = (term) => scaled(term, STEPS.findLast((step) => step < Math.abs(term.boost)));
export const same = (one, other) => one.kind === other.kind && one.value === other.value;

/** The terms with one more; the same thing is never asked for twice. */
export function withTerm(terms, term) {
  return terms.some((one) => same(one, term))
    ? terms.map((one) => (same(one, term) ? term : one))
    : [...terms, term];
}

/** A state with as many terms as a query may have; `onFull` hears of more, the draft included. */
export function fitting(state, onFull) {
  const { terms, draft } = state;
  if (terms.length + typed(draft).length > MOST_TERMS) onFull();
  return { ...state, terms: terms.slice(0, MOST_TERMS) };
}

function scaled(term, size) {
  return size ? { ...term, boost: Math.sign(term.boost) * size } : term;
}

function split(text) {
  const match = BOOSTED.exec(text);
  const [value, boost] = match ? [match[1], Number(match[2])] : [text, 1];
  return { value: value.replaceAll("\\^", "^"), boost };
}

/** A text to find, with a backslash before each dash that would mean less. */
function written(term) {
  return boosted({ ...term, value: term.value.replace(/(^|\s)(?=[-−](?:\p{L}|["“„«]))/gu, "$1\\") });
}

function boosted({ value, boost }) {
  const size = Math.abs(boost);
  return value.replaceAll("^", "\\^") + (size === 1 ? "" : `^${size}`);
}
