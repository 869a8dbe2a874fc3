/** What the decoder costs, in instructions: times would be noise. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { MessageType } from '../support/ctnetlink';
import { TestNamespace } from '../support/netns';
import { testing } from '../support/testing';

const ROOT = join(__dirname, '../..');
const CORE = join(ROOT, 'native/core');
const SOURCES = ['flow_decoder', 'tuple_decoder', 'message', 'record_batch'];
const FLOWS = 400;
const TIMES = 50;

/** Measured: 1,496 and 1,277 with GCC 12 on x86-64, some 45 attributes a message; others may need a fifth more. */
const MOST = { tcp: 1800, udp: 1540 };

const hasValgrind = spawnSync('valgrind', ['--version']).status === 0;
let directory: string;
let program: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfconntrack-cost-'));
  program = join(directory, 'decode_cost');
  const sources = SOURCES.map((name) => join(CORE, `${name}.cc`));
  const args = ['-O2', '-std=c++20', '-I', CORE, join(__dirname, 'decode_cost.cc'), ...sources];
  const { status, stderr } = spawnSync(process.env['CXX'] ?? 'g++', [...args, '-o', program]);
  if (status !== 0) throw new Error(String(stderr));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
  TestNamespace.closeAll();
});

/** The dump of a table of flows of one protocol, with accounting on, in a file. */
function dumped(proto: 6 | 17): string {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_acct', 1);
  namespace.run(() => testing.fill({ count: FLOWS, proto }));
  const capture = namespace.run(() => new testing.NetlinkCapture([]));
  const messages = capture.dump(MessageType.ctGet);
  capture.close();
  expect(messages).toHaveLength(FLOWS);
  const path = join(directory, String(proto));
  writeFileSync(path, Buffer.concat(messages));
  return path;
}

function instructions(path: string, times: number): number {
  const output = `--callgrind-out-file=${join(directory, 'out')}`;
  const args = ['--tool=callgrind', output, program, path, String(times)];
  const { stdout, stderr } = spawnSync('valgrind', args, { encoding: 'utf8' });
  expect(Number(stdout)).toBe(FLOWS * times);
  return Number(/Collected : (\d+)/.exec(stderr)![1]);
}

(hasValgrind ? test : test.skip).each([
  ['tcp', 6],
  ['udp', 17],
] as const)('a flow of %s', (name, proto) => {
  const path = dumped(proto);
  const once = instructions(path, 1);
  const often = instructions(path, 1 + TIMES);
  const each = (often - once) / (TIMES * FLOWS);
  process.stdout.write(`decoding a flow of ${name}: ${each.toFixed(0)} instructions\n`);
  expect(each).toBeGreaterThan(100);
  expect(each).toBeLessThan(MOST[name]);
});
