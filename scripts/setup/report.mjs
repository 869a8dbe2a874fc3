// What a person sees of the preparation: one line per step, on stderr, so that stdout stays the
// program's own.
const live = process.stderr.isTTY;
const HEARTBEAT_MS = live ? 200 : 15_000;
const TAIL_LINES = 25;

/** A step that failed, with what its program printed and what a person can do about it. */
export class StepError extends Error {
  constructor(message, { output = '', remedy = '' } = {}) {
    super(message);
    this.output = output;
    this.remedy = remedy;
  }
}

/** Runs `work(progress)` and shows its title, its latest output and its outcome with the time. */
export async function step(title, work) {
  const started = performance.now();
  let latest = '';
  const elapsed = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const beat = setInterval(() => show(title, `${elapsed()} ${latest}`), HEARTBEAT_MS);
  if (!live) process.stderr.write(`${title} ...\n`);
  try {
    const outcome = await work((line) => (latest = line));
    finish(`${title}: ${outcome ?? 'done'} (${elapsed()})`);
  } catch (error) {
    finish(`${title}: failed (${elapsed()})`);
    throw error;
  } finally {
    clearInterval(beat);
  }
}

function show(title, text) {
  const line = `${title} ... ${text}`.slice(0, (process.stderr.columns ?? 80) - 1);
  process.stderr.write(live ? `\r${line}\x1b[K` : `${line}\n`);
}

function finish(line) {
  process.stderr.write(live ? `\r${line}\x1b[K\n` : `${line}\n`);
}

/** Prints the failure of a step as a person needs it; anything else is a mistake of ours. */
export function explain(error) {
  if (!(error instanceof StepError)) {
    process.stderr.write(`${error.stack}\n`);
    return;
  }
  const lines = error.output.trimEnd().split('\n').slice(-TAIL_LINES);
  process.stderr.write(`\n${error.message}\n`);
  if (error.output !== '') process.stderr.write(lines.map((line) => `  | ${line}\n`).join(''));
  if (error.remedy !== '') process.stderr.write(`What to do: ${error.remedy}\n`);
}

/** The frame of every command here: its failure is explained, and gives exit code 1. */
export async function command(main) {
  try {
    await main();
  } catch (error) {
    explain(error);
    process.exit(1);
  }
}
