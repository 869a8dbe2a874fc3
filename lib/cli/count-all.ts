/** -C of all flows: asks the kernel for its own count, without the rest of the library, which would take longer to load. */
import { Control } from '../control';
import { resolveNetns } from '../netns';
import { type Limits, limits } from '../stats';
import type { Invocation } from './invocation';
import type { Io } from './io';
import { Output } from './keywords';

async function readLimits(netns: string | number | undefined): Promise<Limits> {
  const { path, name } = resolveNetns(netns);
  const control = await Control.open(path, name);
  try {
    return limits(
      await control.ask('read the limits', (answer) => {
        control.native.globalStats(answer);
      }),
    );
  } finally {
    await control.close();
  }
}

export async function countAll(
  { output }: Invocation,
  io: Io,
  netns: string | number | undefined,
): Promise<number> {
  const found = await readLimits(netns);
  const isJson = (output & Output.json) !== 0;
  await io.write(`${isJson ? JSON.stringify(found) : found.entries}\n`);
  return 0;
}
