/** Numbers as the C library reads them; scripts have come to depend on what it lets pass. */

const DECIMAL = /^[ \t\n\v\f\r]*([+-]?\d+)/;
const C_NOTATION = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/;
const LONG_MAX = 2n ** 63n - 1n;
const ULONG_MAX = 2n ** 64n - 1n;

/** atol(3): what begins as a decimal number is one, anything else is 0. */
export function atol(text: string): bigint {
  const number = BigInt(DECIMAL.exec(text)?.[1]?.replace('+', '') ?? 0);
  if (number > LONG_MAX) return LONG_MAX;
  return number < -LONG_MAX - 1n ? -LONG_MAX - 1n : number;
}

/** atoi(3), cut to an unsigned number of so many bits. */
export function atoi(text: string, bits: 8 | 16 | 32): number {
  return Number(BigInt.asUintN(bits, atol(text)));
}

function magnitude(digits: string): bigint {
  return /^0[0-7]/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits);
}

/** strtoul(3) with base 0, and what stands behind the number; without a number it is 0. */
export function strtoul(text: string): { value: bigint; rest: string; found: boolean } {
  const match = C_NOTATION.exec(text);
  if (match === null) return { value: 0n, rest: text, found: false };
  const [whole, sign, digits = '0'] = match;
  const rest = text.slice(whole.length);
  const absolute = magnitude(digits);
  if (absolute > ULONG_MAX) return { value: ULONG_MAX, rest, found: true };
  return { value: sign === '-' ? BigInt.asUintN(64, -absolute) : absolute, rest, found: true };
}

/** A number in C's notation and nothing else, of at most `max`. */
export function unsigned(text: string, max: number): number | undefined {
  const { value, rest, found } = strtoul(text);
  return found && rest === '' && value <= BigInt(max) ? Number(value) : undefined;
}

/** Decimal digits and nothing else. */
export function plain(text: string, max: number): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const number = Number(text);
  return number <= max ? number : undefined;
}
