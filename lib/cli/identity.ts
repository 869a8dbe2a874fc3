/** What the program calls itself. */

export interface Identity {
  readonly program: string;
  readonly version: string;
  readonly package: string;
}

/** Of what --compat, or a link of that name, makes it. */
const ORIGINAL: Identity = { program: 'conntrack', version: '1.4.9', package: 'conntrack-tools' };

export function identityOf(compat: boolean, version: string): Identity {
  return compat ? ORIGINAL : { program: 'nfconntrack', version, package: 'nfconntrack' };
}

/** What stands before trailers and errors. */
export function prefixOf({ program, version, package: name }: Identity): string {
  return `${program} v${version} (${name}): `;
}

export function versionLine({ program, version, package: name }: Identity): string {
  return `${program} v${version} (${name})`;
}

export function tryLine({ program }: Identity): string {
  return `Try \`${program} -h' or '${program} --help' for more information.`;
}
