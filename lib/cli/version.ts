/** The package's own version; a bundle has it inside. */
export function packageVersion(): string {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- JSON, outside of what is compiled
  return (require('../../package.json') as { version: string }).version;
}
