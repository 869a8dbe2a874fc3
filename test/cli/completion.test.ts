/** What bash proposes behind what was typed. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { LONG_OPTIONS } from '../../lib/cli/option-table';
import { PROTOCOLS } from '../../lib/cli/protocol-options';

const FILE = join(__dirname, '../../completion/nfconntrack.bash');

/** The last of the words is being typed. */
function proposals(...words: string[]): string[] {
  const script = `
    source "$0"; compopt() { :; }
    COMP_WORDS=(nfconntrack "$@"); COMP_CWORD=$#; _nfconntrack
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['-c', script, FILE, ...words], { encoding: 'utf8' });
  return output.split('\n').filter((line) => line !== '');
}

test.each([
  [
    ['-L', ''],
    ['conntrack', 'expect', 'dying', 'unconfirmed'],
  ],
  [
    ['-L', '-p', 'ud'],
    ['udp', 'udplite'],
  ],
  [['-L', '-p', 'tcp', '--state', 'ES'], ['ESTABLISHED']],
  [['-E', '-e', 'NEW,D'], ['NEW,DESTROY']],
  [['-L', '-o', 'ext'], ['extended']],
  [
    ['-L', '-f', ''],
    ['ipv4', 'ipv6'],
  ],
  [['do'], ['doctor']],
  [['-L', '--wh'], ['--where']],
  [['-L', '--sp'], []],
  [['-L', '-p', 'udp', '--sp'], ['--sport']],
  [['-L', '-p', 'icmp', '--icmp-t'], ['--icmp-type']],
])('%j', (words, expected) => {
  expect(proposals(...words)).toEqual(expected);
});

test('every option is proposed by its first name', () => {
  const proposed = new Set(proposals('-L', '--'));
  const first = new Map(LONG_OPTIONS.toReversed().map(({ code, name }) => [code, name]));
  // They do nothing.
  for (const code of ['a', 'c']) first.delete(code);
  for (const name of first.values()) expect([...proposed]).toContain(`--${name}`);
});

test('so is every option of a protocol that filters', () => {
  for (const { name = '', options } of PROTOCOLS) {
    const proposed = proposals('-L', '-p', name, '--');
    for (const { name: option } of options.filter(({ rules }) => /^[^-]|^..R/.test(rules))) {
      expect(proposed).toContain(`--${option}`);
    }
  }
});
