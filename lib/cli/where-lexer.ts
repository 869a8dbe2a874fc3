/** The words of a filter expression, each with its column. */
import { usage } from './failure';

export interface Token {
  readonly text: string;
  readonly kind: 'word' | 'quoted' | 'sign' | 'end';
  /** From 0. */
  readonly at: number;
}

const TOKEN = /\s*(?:"([^"]*)"|([(),]|==|!=|<=|>=|[=<>])|([^\s(),=<>!"]+)|($)|(.))/gy;

/** A mistake in an expression, shown in its place. */
export function mistake(expression: string, at: number, message: string): Error {
  const line = expression.replaceAll(/[\t\n\r]/g, ' ');
  return usage(`--where: ${message} (column ${at + 1})\n  ${line}\n  ${' '.repeat(at)}^`);
}

export function tokensOf(expression: string): Token[] {
  const tokens: Token[] = [];
  for (const match of expression.matchAll(TOKEN)) {
    const [whole, quoted, sign, word, , odd] = match;
    const text = quoted ?? sign ?? word ?? odd ?? '';
    const at = match.index + whole.length - text.length - (quoted === undefined ? 0 : 2);
    if (odd === '"') throw mistake(expression, at, 'this quote has no end');
    if (odd !== undefined) throw mistake(expression, at, `\`${odd}' means nothing here`);
    const kind =
      quoted !== undefined
        ? 'quoted'
        : sign !== undefined
          ? 'sign'
          : word !== undefined
            ? 'word'
            : 'end';
    tokens.push({ text, kind, at });
    if (kind === 'end') break;
  }
  return tokens;
}
