/** A copy of an object that lacks some of its members. */
export function without<T extends object, Name extends keyof T>(
  value: T,
  ...names: readonly Name[]
): Omit<T, Name> {
  const others = Object.entries(value).filter(([name]) => !names.includes(name as Name));
  return Object.fromEntries(others) as Omit<T, Name>;
}
