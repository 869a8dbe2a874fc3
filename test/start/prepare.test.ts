import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { script, start, testWithUserNamespace } from './child';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nfconntrack-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Prepares with a PATH of its own, as a user who is not root: one without any id in a namespace. */
const prepareAsUser = (path: string) =>
  start('/usr/bin/unshare', ['--user', process.execPath, ...script('prepare.mjs', '--tests')], {
    PATH: path,
  }).ended;

test('prepares nothing, silently, where nothing is missing', async () => {
  const prepared = await start(process.execPath, script('prepare.mjs', '--tests')).ended;
  expect(prepared).toMatchObject({ code: 0, stdout: '', stderr: '' });
});

testWithUserNamespace(
  'tells an ordinary user the one command that installs what is missing',
  async () => {
    writeFileSync(join(directory, 'apt-get'), '#!/bin/false\n', { mode: 0o755 });
    const prepared = await prepareAsUser(directory);
    expect(prepared.code).toBe(1);
    expect(prepared.stdout).toBe('');
    expect(prepared.stderr).toMatch(
      /^Missing on this system: .*\bpkg-config libmnl-dev .*\bg\+\+ /m,
    );
    expect(prepared.stderr).toMatch(
      /^What to do: sudo apt-get update && sudo apt-get install -y pkg-config libmnl-dev .*$/m,
    );
  },
);

testWithUserNamespace('names the projects where the system has no apt', async () => {
  const prepared = await prepareAsUser(directory);
  expect(prepared.code).toBe(1);
  expect(prepared.stderr).toMatch(/^Missing on this system: pkgconf libmnl libnfnetlink /m);
  expect(prepared.stderr).toMatch(
    /^What to do: install these with the system's package manager: pkgconf libmnl /m,
  );
  expect(prepared.stderr).not.toContain('apt-get');
});
