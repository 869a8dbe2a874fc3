/** The library in a namespace of the test. */
import { Conntrack } from '../../lib';
import type { TestNamespace } from './netns';

const opened = new Set<Conntrack>();

/** Opens it; `closeOpened()` closes it after the test. */
export async function openIn(namespace: TestNamespace): Promise<Conntrack> {
  const ct = await Conntrack.open({ netns: namespace.path });
  opened.add(ct);
  return ct;
}

export async function closeOpened(): Promise<void> {
  const all = [...opened];
  opened.clear();
  await Promise.all(all.map((ct) => ct.close()));
}
