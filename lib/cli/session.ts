/** A command under way. */
import type { Conntrack } from '../conntrack';
import type { Filter } from '../filter';
import { type Identity, prefixOf } from './identity';
import type { Invocation } from './invocation';
import type { Io } from './io';
import { lazy } from './lazy';

export interface Session {
  readonly ct: Conntrack;
  readonly io: Io;
  readonly identity: Identity;
  readonly invocation: Invocation;
  /** Of --where. */
  readonly where: Filter | undefined;
  /** Part of a batch: without trailers, and nothing to do is no failure. */
  readonly batch: boolean;
}

/** Does it; gives the exit code. */
export type Run = (session: Session) => Promise<number>;

export function openConntrack(netns: string | number | undefined): Promise<Conntrack> {
  return lazy.conntrack().Conntrack.open(netns === undefined ? undefined : { netns });
}

/** A line on stderr behind the program's name. */
export function say({ io, identity }: Pick<Session, 'io' | 'identity'>, text: string): void {
  io.error(`${prefixOf(identity)}${text}\n`);
}

/** What was done, at the end; a batch keeps it to itself. */
export function trailer(session: Session, text: string): void {
  if (!session.batch) say(session, text);
}
