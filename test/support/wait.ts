/** Waiting for what the kernel does in its own time. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** In ms; 10 000 unless said. */
  timeout?: number;
  /** Between two looks, in ms; 10 unless said. */
  interval?: number;
}

/**
 * Asks until the answer is neither false, null nor undefined, and gives that answer. Throws an
 * Error that says `what` was waited for.
 */
export async function waitFor<T>(
  what: string,
  look: () => T | Promise<T>,
  { timeout = 10_000, interval = 10 }: WaitOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const answer = await look();
    if (isThere(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeout} ms`);
    await sleep(interval);
  }
}

function isThere<T>(answer: T): answer is Exclude<T, false | null | undefined> {
  return answer !== false && answer !== null && answer !== undefined;
}
