// The parts of a query: plain values, never changed in place.
// A term is { kind: "text" | "image" | "upload", value, boost }; a negative boost means "less of this".

/** Terms that a query may have: the server's limit. */
export const MOST_TERMS = 32;

const STEPS = [0.25, 0.5, 1, 2, 3, 4];
const BOOSTED = /^(.*[^\\])\^(\d+(?:\.\d*)?|\.\d+)$/s;
const NAMES = {
  text: ["text", "not"],
  image: ["similar_to", "unlike"],
  upload: ["upload", "not_upload"],
};

/** What someone typed: `beach`, `beach^2`, or `-people` for less of it. Null if it says nothing. */
export function typed(words) {
  const text = words.trim();
  const less = /^[-−]\S/.test(text);
  const { value, boost } = split(less ? text.slice(1) : text);
  return value.trim() && boost ? { kind: "text", value: value.trim(), boost: less ? -boost : boost } : null;
}

/** The reverse of `typed`. */
export function words(term) {
  return (term.boost < 0 ? "-" : "") + boosted(term);
}

/** The terms that an address or a request names, in their order. */
export function fromParameters(parameters) {
  const terms = [];
  for (const [name, text] of parameters) {
    for (const [kind, names] of Object.entries(NAMES)) {
      const sign = [1, -1][names.indexOf(name)];
      const { value, boost } = sign ? split(text) : {};
      if (value?.trim() && boost) terms.push({ kind, value, boost: sign * boost });
    }
  }
  return terms;
}

/** Adds the terms to parameters of an address or a request: `text=beach^2`. */
export function toParameters(terms, parameters) {
  for (const term of terms) parameters.append(NAMES[term.kind][term.boost < 0 ? 1 : 0], boosted(term));
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
  if (terms.length + Number(typed(draft) !== null) > MOST_TERMS) onFull();
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

function boosted({ value, boost }) {
  const size = Math.abs(boost);
  return value.replaceAll("^", "\\^") + (size === 1 ? "" : `^${size}`);
}
