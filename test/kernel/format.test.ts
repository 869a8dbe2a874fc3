/** Our texts of tables and events, held byte for byte against the installed conntrack(8) 1.4.7. */
import fc from 'fast-check';

import { format, LabelMap, XML_FRAME, type Conntrack, type FormatOptions } from '../../lib';
import {
  formatBatch,
  formatEventBatch,
  type BatchFormatOptions,
  type FormatKind,
} from '../../lib/format';
import { createTable, prepareForTables, TABLE_REQUEST } from '../support/arbitrary-flow';
import { TestNamespace } from '../support/netns';
import { closeOpened, openIn } from '../support/opened';
import { LabelFile } from '../support/oracle-print';
import { testing } from '../support/testing';

const NAMES = new Map([
  [0, 'eth0-in'],
  [1, 'voip call'],
  [63, 'bulk'],
]);

let file: LabelFile;
let labels: LabelMap;

beforeAll(async () => {
  file = new LabelFile(NAMES);
  labels = await file.load();
});

afterAll(() => {
  file.remove();
});

afterEach(async () => {
  await closeOpened();
  TestNamespace.closeAll();
});

/** conntrack(8) with a connlabel.conf of ours, in a mount namespace of its own; what it prints. */
function conntrack(namespace: TestNamespace, ...args: string[]): string {
  const script = [
    'mount -t tmpfs tmpfs /etc',
    'mkdir /etc/xtables',
    'cat > /etc/xtables/connlabel.conf',
    'exec conntrack "$@"',
  ].join(' && ');
  const config = [...NAMES].map(([bit, name]) => `${bit} ${name}\n`).join('');
  const command = ['--mount', 'sh', '-c', script, 'conntrack', ...args];
  return namespace.exec('unshare', command, { input: config });
}

async function ours(
  ct: Conntrack,
  kind: FormatKind,
  options: BatchFormatOptions = {},
): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const batch of ct.flows().batches()) parts.push(formatBatch(batch, kind, options));
  const text = Buffer.concat(parts).toString();
  const { header, footer } = XML_FRAME.flows;
  return kind === 'xml' && text !== '' ? header + text + footer : text;
}

async function randomTable(seed: number): Promise<[TestNamespace, Conntrack]> {
  const namespace = TestNamespace.create();
  prepareForTables(namespace);
  namespace.sysctl('nf_conntrack_timestamp', 1);
  const capture = namespace.run(() => new testing.NetlinkCapture([]));
  try {
    const [table] = fc.sample(TABLE_REQUEST, { numRuns: 1, seed });
    createTable(namespace, capture, table!);
  } finally {
    capture.close();
  }
  return [namespace, await openIn(namespace)];
}

const OUTPUTS: readonly (readonly [words: string, kind: FormatKind, options: FormatOptions])[] = [
  ['', 'line', {}],
  ['userspace', 'line', {}],
  ['extended', 'line', { extended: true }],
  ['id', 'line', { id: true }],
  ['timestamp', 'line', { timestamp: true }],
  ['ktimestamp', 'line', { ktimestamp: true }],
  ['extended,id,ktimestamp', 'line', { extended: true, id: true, ktimestamp: true }],
  ['xml', 'xml', {}],
  ['xml,extended,id,timestamp', 'xml', { extended: true, id: true, timestamp: true }],
  ['xml,ktimestamp', 'xml', { ktimestamp: true }],
  ['save', 'save', {}],
];

/** Prints with both until no second has ended between them, as the texts show. */
async function compare(theirs: () => string, mine: () => Promise<string>): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const [before, other, after] = [await mine(), theirs(), await mine()];
    expect(before).not.toBe('');
    if (before !== after && attempt < 20) continue;
    expect(before).toBe(other);
    return;
  }
}

describe.each([1, 2, 3])('a random table (%i)', (seed) => {
  test('is listed alike in every output', async () => {
    const [namespace, ct] = await randomTable(seed);
    for (const [words, kind, options] of OUTPUTS) {
      const args = words === '' ? [] : ['-o', words];
      await compare(
        () => namespace.exec('conntrack', ['-L', ...args]),
        () => ours(ct, kind, options),
      );
    }
    for (const kind of ['line', 'xml'] as const) {
      await compare(
        () => conntrack(namespace, '-L', '-o', kind === 'xml' ? 'xml,labels' : 'labels'),
        () => ours(ct, kind, { labels }),
      );
    }
  });
});
