/** A flow that has taken another one's place. */
import type { Conntrack, Flow, NewFlow } from '../../lib';

const TRIES = 200;

/**
 * Deletes `flow` and makes it anew, until it has another id: the id is a hash of where the kernel keeps
 * the flow, and what is freed is given out again first. Flows with other ports are made in between to
 * take that place.
 */
export async function replace(ct: Conntrack, flow: Flow, made: NewFlow): Promise<Flow> {
  for (let sport = 1; sport <= TRIES; sport += 1) {
    await ct.delete(flow);
    await ct.create({
      protocol: 'udp',
      orig: { src: '192.0.2.250', dst: '192.0.2.251', sport, dport: 9 },
      timeout: 1000,
      zone: 60_000,
    });
    await ct.create(made);
    const now = (await ct.get(made))!;
    if (now.id !== flow.id) return now;
  }
  throw new Error(`the kernel gave the same id ${TRIES} times`);
}
