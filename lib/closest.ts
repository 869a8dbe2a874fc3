/** How many letters must be put in, taken out or replaced to make one word of the other (Levenshtein). */
function distance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let line = 0; line < from.length; line += 1) {
    const row = [line + 1];
    for (let at = 0; at < to.length; at += 1) {
      const replaced = (above[at] ?? 0) + (from[line] === to[at] ? 0 : 1);
      row.push(Math.min(replaced, (above[at + 1] ?? 0) + 1, (row[at] ?? 0) + 1));
    }
    above = row;
  }
  return above[to.length] ?? 0;
}

/** The candidate that `word` was most likely meant to be; undefined where none is near. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  // A quarter of the letters: more would make one word of any other.
  let least = Math.max(2, word.length >> 2) + 1;
  for (const candidate of candidates) {
    const far = distance(word, candidate);
    if (far < least) [best, least] = [candidate, far];
  }
  return best;
}
