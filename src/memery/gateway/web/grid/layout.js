// Justified rows: pictures of one height side by side, each row as wide as the page.
//
// The break points are chosen together, as Knuth and Plass (1981) break a paragraph into lines: a
// row costs the square of how far its height is from the wished one, and the cheapest sum wins. So
// the last row is as full as the others, and one block of pictures can follow another.

const LEAST = 0.4; // narrower pictures are cut in the grid, so that a tower does not become a line
const MOST = 3.2;
const STRETCH = 1.3; // times the wished height that a last row grows to at most to become full

/** Width by height as the grid shows it. */
export function ratio({ width, height }) {
  return width > 0 && height > 0 ? Math.min(MOST, Math.max(LEAST, width / height)) : 1;
}

/**
 * Boxes for pictures of these ratios.
 * @param {number[]} ratios width by height of each
 * @param {{width: number, height: number, gap: number, loose: boolean}} wish width of the page,
 *   height of a row, space between, and whether the last row may stay short
 * @returns {{boxes: {x, y, width, height, row}[], height: number}} height with the gap below
 */
export function justified(ratios, wish) {
  const starts = breaks(ratios, wish);
  const boxes = [];
  let y = 0;
  starts.forEach((start, row) => {
    const end = starts[row + 1] ?? ratios.length;
    const full = rowHeight(ratios, start, end, wish);
    const isLast = end === ratios.length;
    const isShort = isLast && wish.loose && full > STRETCH * wish.height;
    const height = isShort ? wish.height : Math.min(full, 2 * wish.height);
    let x = 0;
    for (let i = start; i < end; i += 1) {
      const fits = i === end - 1 && height === full;
      const width = fits ? wish.width - x : Math.round(ratios[i] * height);
      boxes.push({ x, y, width, height: Math.round(height), row });
      x += width + wish.gap;
    }
    y += Math.round(height) + wish.gap;
  });
  return { boxes, height: y };
}

/** The height of a block of pictures that are not known yet. */
export function guessed(count, meanRatio, { width, height, gap }) {
  const inRow = Math.max(1, (width + gap) / (meanRatio * height + gap));
  return Math.ceil(count / inRow) * (height + gap);
}

function rowHeight(ratios, start, end, { width, gap }) {
  let sum = 0;
  for (let i = start; i < end; i += 1) sum += ratios[i];
  return (width - gap * (end - start - 1)) / sum;
}

function breaks(ratios, wish) {
  const best = [{ cost: 0, start: 0 }]; // best[end]: the cheapest way to fill rows up to `end`
  for (let end = 1; end <= ratios.length; end += 1) {
    best[end] = { cost: Infinity, start: end - 1 };
    for (let start = end - 1; start >= 0; start -= 1) {
      const height = rowHeight(ratios, start, end, wish);
      const isShort = end === ratios.length && wish.loose && height > STRETCH * wish.height;
      // A short row costs what it leaves blank: one image is not left alone where others can be joined by it.
      const cost = best[start].cost + (isShort ? 1 - wish.height / height : height / wish.height - 1) ** 2;
      if (cost < best[end].cost) best[end] = { cost, start };
      if (height < wish.height / 3) break; // longer rows only get worse
    }
  }
  const starts = [];
  for (let end = ratios.length; end > 0; end = best[end].start) starts.unshift(best[end].start);
  return starts;
}
