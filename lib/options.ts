/** Checks of what users pass: a TypeError or RangeError that names the property, before anything happens. */

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array' : 'an object';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

export function mustBe(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`${name} must be ${wanted}, not ${shown(value)}`);
}

export function integer(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw mustBe(name, 'a number', value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be an integer from ${min} to ${max}, not ${value}`);
  }
  return value;
}

export function optionalInteger(
  name: string,
  value: unknown,
  min: number,
  max: number,
): number | undefined {
  return value === undefined ? undefined : integer(name, value, min, max);
}

export function optionalBoolean(name: string, value: unknown): boolean | undefined {
  if (value !== undefined && typeof value !== 'boolean') throw mustBe(name, 'a boolean', value);
  return value;
}

export function optionalFunction<T>(name: string, value: T): T {
  if (value !== undefined && typeof value !== 'function') throw mustBe(name, 'a function', value);
  return value;
}

export function string(name: string, value: unknown): string {
  if (typeof value !== 'string') throw mustBe(name, 'a string', value);
  return value;
}

export function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    throw mustBe(name, `one of ${allowed.map((word) => `'${word}'`).join(', ')}`, value);
  }
  return found;
}

/** Of an object literal, of this realm or another. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Refuses what would seem to be an object without members: a Map, an instance of a class. */
export function plainObject(name: string, value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw mustBe(name, 'an object', value);
  }
  if (!isPlain(value)) throw new TypeError(`${name} must be a plain object`);
  return value;
}

/** Refuses members that nobody knows, and such as enumeration would pass over: a misspelt one must not be ignored. */
export function refuseUnknown(name: string, value: object, known: readonly string[]): void {
  if (Array.isArray(value)) throw mustBe(name, 'an object', value);
  for (const key of Reflect.ownKeys(value).map(String)) {
    if (!known.includes(key) || !Object.prototype.propertyIsEnumerable.call(value, key)) {
      throw unknownMember(name, key, known);
    }
  }
}

export function unknownMember(name: string, key: string, known: Iterable<string>): TypeError {
  return new TypeError(`${name}.${key} is not known; known are ${[...known].join(', ')}`);
}

/**
 * An object whose properties are all among `known`: a copy, so that each is read once, and that nothing which
 * others put into Object.prototype is taken for one of them.
 */
export function options<T extends object>(
  name: string,
  value: T | undefined,
  known: readonly (keyof T & string)[],
): Partial<T> {
  const own = Object.create(null) as Partial<T>;
  if (value === undefined) return own;
  refuseUnknown(name, plainObject(name, value), known);
  return Object.assign(own, value);
}

export function optionalSignal(name: string, value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  throw mustBe(name, 'an AbortSignal', value);
}
