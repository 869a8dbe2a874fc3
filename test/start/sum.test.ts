import { script, start } from './child';

const lastLine = (text: string): string | undefined => text.split('\n').at(-2);

test('the last line of npm test is the sum of the tests', async () => {
  const { code, stdout } = await start(
    process.execPath,
    script('test.mjs', 'test/start/prepare', '-t', 'nothing is missing'),
  ).ended;
  expect(lastLine(stdout)).toMatch(/^1 passed, 0 failed, [1-9]\d* skipped$/);
  expect(code).toBe(0);
});

test('a run without any test is a failed one', async () => {
  const { code, stdout } = await start(process.execPath, script('test.mjs', 'no/such/test')).ended;
  expect(lastLine(stdout)).toBe('0 passed, 1 failed');
  expect(code).toBe(1);
});
