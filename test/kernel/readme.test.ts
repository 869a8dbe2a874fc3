import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { TestNamespace } from '../support/netns';
import { testing } from '../support/testing';
import { waitFor } from '../support/wait';

const ROOT = join(__dirname, '../..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

interface Block {
  language: string;
  code: string;
}

const BLOCKS: Block[] = [...README.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
  ([, language = '', code = '']) => ({ language, code }),
);

function blocksOf(language: string): string[] {
  return BLOCKS.filter((block) => block.language === language).map((block) => block.code);
}

interface Run {
  child: ChildProcess;
  output: () => string;
}

function start(namespace: TestNamespace, code: string): Run {
  const child = namespace.run(() =>
    spawn(process.execPath, ['--input-type=module', '--eval', code], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, output: () => text };
}

/** What a block says of three flows that are there. */
const SAID =
  /tcp 10\.0\.0\.0 -> 192\.0\.2\.1|bytes sent in 3 flows|no such flow|3 web connections|0 of 0 flows deleted|432000 seconds|ASSURED -s 10\.0\.0\.0 /;

function prepared(): TestNamespace {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_acct', 1);
  namespace.sysctl('nf_conntrack_events', 1);
  namespace.run(() => testing.fill({ count: 3 }));
  return namespace;
}

afterEach(() => {
  TestNamespace.closeAll();
});

// The unit is tried out in privilege.test.ts.
test('there are blocks of the languages that are run here, and no others', () => {
  expect(new Set(BLOCKS.map((block) => block.language))).toEqual(new Set(['js', 'sh', 'ini']));
});

test('the commands are those of package.json, which the tests of test/start run', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const commands = blocksOf('sh').map((code) => code.trim());
  expect(commands).toEqual(['npm start', 'npm test']);
  for (const command of commands) expect(scripts).toHaveProperty(command.replace('npm ', ''));
});

/** What a block that goes on for ever says of a flow that comes, and of one that goes. */
function wordsOf(code: string): readonly [comes: RegExp, goes: RegExp] | undefined {
  if (code.includes('ct.events(')) {
    return [
      /new tcp 10\.0\.0\.|\[NEW\] tcp .* src=10\.0\.0\./,
      /destroy tcp 10\.0\.0\.|\[DESTROY\] tcp .* src=10\.0\.0\./,
    ];
  }
  return code.includes('mirror.changes(') ? [/add 10\.0\.0\./, /remove 10\.0\.0\./] : undefined;
}

test.each(blocksOf('js').filter((code) => wordsOf(code) === undefined))(
  'a block that ends by itself: %#',
  async (code) => {
    const { child, output } = start(prepared(), code);
    const [status] = await once(child, 'close');
    expect(output()).toMatch(SAID);
    expect(status).toBe(0);
  },
);

test.each(blocksOf('js').filter((code) => wordsOf(code) !== undefined))(
  'a block that follows: %#',
  async (code) => {
    const [comes, goes] = wordsOf(code)!;
    const namespace = prepared();
    const { child, output } = start(namespace, code);
    try {
      let first = 10;
      await waitFor('what comes', () => {
        namespace.run(() => testing.fill({ count: 1, first: (first += 1) }));
        return comes.test(output());
      });
      namespace.run(() => {
        testing.flush();
      });
      await waitFor('what goes', () => goes.test(output()));
      expect(child.exitCode).toBeNull();
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  },
);
