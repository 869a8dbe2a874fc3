import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ConntrackError, LabelMap } from '../../lib/index';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfconntrack-labels-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function file(text: string | Uint8Array): string {
  const path = join(directory, 'connlabel.conf');
  writeFileSync(path, text);
  return path;
}

function load(text: string | Uint8Array): Promise<LabelMap> {
  return LabelMap.load(file(text));
}

test('names bits and finds bits by name', async () => {
  const labels = await load('# the usual\n0 eth0-in\n1\teth0-out\n127 voip call\n');
  expect([...labels]).toEqual([
    [0, 'eth0-in'],
    [1, 'eth0-out'],
    [127, 'voip call'],
  ]);
  expect(labels.size).toBe(3);
  expect(labels.name(127)).toBe('voip call');
  expect(labels.name(2)).toBeUndefined();
  expect(labels.bit('eth0-out')).toBe(1);
  expect(labels.has('eth0-out')).toBe(true);
  expect(labels.has('eth1-out')).toBe(false);
  expect(labels.bits(['voip call', 'eth0-in'])).toEqual([127, 0]);
  expect(labels.names([0, 2, 127])).toEqual(['eth0-in', 'voip call']);
  expect(labels.names(undefined)).toEqual([]);
});

test('is in the order of the bits', async () => {
  expect([...(await load('9 c\n2 b\n5 a\n')).entries()]).toEqual([
    [2, 'b'],
    [5, 'a'],
    [9, 'c'],
  ]);
});

// As nfct_labelmap_new() of libnetfilter_conntrack reads the same lines.
test.each<[string, string, [number, string][]]>([
  ['the first name of a bit stays', '3 first\n3 second\n', [[3, 'first']]],
  ['the first bit of a name stays', '3 dup\n4 dup\n', [[3, 'dup']]],
  ['a refused line takes nothing', '3 a\n3 b\n4 b\n', [[3, 'a'], [4, 'b']]], // prettier-ignore
  ['blanks around', ' 2 lead\n5 with blank  \n15 crlf\r\n', [[2, 'lead'], [5, 'with blank'], [15, 'crlf']]], // prettier-ignore
  ['other bases', '0x10 hex\n021 octal\n+14 plus\n', [[14, 'plus'], [16, 'hex'], [17, 'octal']]], // prettier-ignore
  ['no blank between', '12name\n9x glued\n', [[9, 'x glued'], [12, 'name']]], // prettier-ignore
  ['an octal number ends at a 9', '09 nine\n', [[0, '9 nine']]],
  ['other characters', '6 under_score\n7 dot.name\n8 name # comment\n13 ümlaut\n', []],
  ['no name, no bit', '10 \n11\n\nfoo bar\n  # indented\n', []],
  ['a negative bit, and one too many', '-1 neg\n1024 too\n', []],
  ['a last line without an end', '18 end', [[18, 'end']]],
  ['nothing', '', []],
])('%s', async (_title, text, entries) => {
  expect([...(await load(text))]).toEqual(entries);
});

test('a bit that the kernel lacks keeps its name from others, and is not given', async () => {
  const path = file('128 far\n5 far\n127 near\n');
  const labels = await LabelMap.load(path);
  expect([...labels]).toEqual([[127, 'near']]);
  expect(labels.has('far')).toBe(false);
  expect(() => labels.bit('far')).toThrow(
    new ConntrackError(
      `there is no label "far"; in ${path} it is bit 128, and the kernel has bits 0 to 127`,
      { code: 'ENOENT' },
    ),
  );
});

test('says where it looked for a name', async () => {
  const path = file('0 a\n1 b\n');
  const labels = await LabelMap.load(path);
  const missing = expect.objectContaining({ name: 'ConntrackError', code: 'ENOENT' });
  expect(() => labels.bit('c')).toThrow(missing);
  expect(() => labels.bits(['a', 'c'])).toThrow(`there is no label "c"; ${path} names 2 of them`);
});

test('is empty without a file, and says so when asked for a name', async () => {
  const path = join(directory, 'nosuch.conf');
  const labels = await LabelMap.load(path);
  expect(labels.size).toBe(0);
  expect(labels.names([0, 1])).toEqual([]);
  expect(labels.name(0)).toBeUndefined();
  expect(labels.has('eth0-in')).toBe(false);
  expect(() => labels.bit('eth0-in')).toThrow(
    `there is no label "eth0-in"; there is no file ${path}; make it, of lines such as "0 eth0-in", or use the numbers of bits`,
  );
});

test('fails for what is no file', async () => {
  await expect(LabelMap.load(directory)).rejects.toMatchObject({
    name: 'ConntrackError',
    code: 'EISDIR',
    syscall: 'read',
    message: `cannot read the labels in ${directory}: EISDIR, illegal operation on a directory (read); it must be a readable file`,
  });
});

test('refuses wrong arguments by name', async () => {
  const labels = await load('0 a\n');
  const wrong = (value: unknown): never => value as never;
  await expect(LabelMap.load(wrong(7))).rejects.toThrow(TypeError('path must be a string, not 7'));
  await expect(LabelMap.load('a\0b')).rejects.toThrow('null bytes');
  expect(() => labels.bit(wrong(0))).toThrow(TypeError('name must be a string, not 0'));
  expect(() => labels.has(wrong(null))).toThrow(TypeError('name must be a string, not null'));
  expect(() => labels.name(wrong('a'))).toThrow(TypeError('bit must be a number, not "a"'));
  expect(() => labels.name(128)).toThrow(
    RangeError('bit must be an integer from 0 to 127, not 128'),
  );
  expect(() => labels.bits(wrong('a'))).toThrow(
    TypeError('names must be an array of names, not "a"'),
  );
  expect(() => labels.bits(['a', wrong(1)])).toThrow(TypeError('names[1] must be a string, not 1'));
  expect(() => labels.names(wrong(1))).toThrow(
    TypeError('bits must be an array of numbers, not 1'),
  );
  expect(() => labels.names([0, -1])).toThrow(
    RangeError('bits[1] must be an integer from 0 to 127, not -1'),
  );
});
