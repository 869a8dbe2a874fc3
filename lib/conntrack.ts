import type { FlowChanges } from './changes';
import { Control } from './control';
import { Events, type EventsOptions } from './events';
import { Expectations } from './expectations';
import type { Filter } from './filter';
import type { Flow } from './flow';
import { flowAt } from './batch';
import { Flows, type FlowsOptions } from './flows';
import { encodeKey, type FlowKey } from './key';
import { Mirror, type MirrorOptions } from './mirror';
import type { NewFlow } from './new-flow';
import {
  type DeleteWhereOptions,
  type DeleteWhereResult,
  type FlushOptions,
  type ManyOptions,
  type ManyResult,
  Mutations,
  type UpdateWhereOptions,
  type UpdateWhereResult,
} from './mutations';
import { resolveNetns } from './netns';
import { options } from './options';
import { Records } from './records';
import { type CpuStats, cpuStats, type Limits, limits } from './stats';
import { Sysctl } from './sysctl';

export interface OpenOptions {
  /**
   * The network namespace: a name that `ip netns` gave, a path such as /proc/123/ns/net, or the id of a
   * process; default: the caller's own. Entering another one needs CAP_SYS_ADMIN over it.
   */
  netns?: string | number;
}

/** Connection tracking of one network namespace. Needs CAP_NET_ADMIN over it. */
export class Conntrack {
  /** The kernel's settings, `net.netfilter.nf_conntrack_*`. */
  readonly sysctl: Sysctl;
  /** Flows that helpers expect because of others. */
  readonly expectations: Expectations;
  readonly #control: Control;
  readonly #mutations: Mutations;

  private constructor(control: Control) {
    this.#control = control;
    this.sysctl = new Sysctl(control);
    this.expectations = new Expectations(control);
    this.#mutations = new Mutations(control);
  }

  /**
   * Opens it. The namespace stays pinned: it is the same one for as long as this object lives, and no
   * thread of the program's own ever enters it.
   */
  static async open(given?: OpenOptions): Promise<Conntrack> {
    const known = options('options', given, ['netns']);
    const netns = resolveNetns(known.netns);
    return new Conntrack(await Control.open(netns.path, netns.name));
  }

  /** Lists the flows that `filter` matches, or all; see Flows. */
  flows(filter?: Filter, given?: FlowsOptions): Flows {
    return new Flows(this.#control, filter, given);
  }

  /**
   * Follows the events of the flows that `filter` matches, or of all; the subscription stands when this
   * resolves. A filter looks at what each event carries: NEW and UPDATE events lack counters, DESTROY events
   * labels and helper, and all of them a mark of 0. See Events.
   */
  async events(filter?: Filter, given?: EventsOptions): Promise<Events> {
    return Events.subscribe(this.#control, filter, given);
  }

  /**
   * Follows the table, of the flows that `filter` matches, or of all: a copy in native memory that is kept up
   * to date by events. The whole of it is there when this resolves. See Mirror.
   */
  async mirror(filter?: Filter, given?: MirrorOptions): Promise<Mirror> {
    return Mirror.start(this.#control, filter, given);
  }

  /**
   * Looks one flow up by its original or its reply tuple, in its zone (IPCTNL_MSG_CT_GET). Undefined: there
   * is none.
   */
  async get(key: FlowKey): Promise<Flow | undefined> {
    const record = encodeKey(key);
    const bytes = await this.#control.find('get the flow', (answer) => {
      this.#control.native.get(record, answer);
    });
    if (bytes === undefined) return undefined;
    const records = new Records(bytes);
    return records.length === 0 ? undefined : flowAt(records, 0);
  }

  /** Makes a flow (IPCTNL_MSG_CT_NEW); EEXIST if one with its tuple is there. */
  create(flow: NewFlow): Promise<void> {
    return this.#mutations.create(flow);
  }

  /** Makes a flow, or changes the one that is there. */
  add(flow: NewFlow): Promise<void> {
    return this.#mutations.add(flow);
  }

  /** Changes a flow, found by its original or its reply tuple in its zone; ENOENT if it is not there. */
  update(key: FlowKey, changes: FlowChanges): Promise<void> {
    return this.#mutations.update(key, changes, async (of) => (await this.get(of))?.status);
  }

  /**
   * Deletes a flow; false if it was not there. A `Flow` that was listed carries its id, so that another one
   * that has taken its place since is left alone.
   */
  delete(key: FlowKey): Promise<boolean> {
    return this.#mutations.delete(key);
  }

  /**
   * Makes many flows, several to a request. All are checked before the first is made; one that the kernel
   * refuses leaves the others alone and is listed in the result.
   */
  createMany(flows: Iterable<NewFlow>, given?: ManyOptions): Promise<ManyResult> {
    return this.#mutations.createMany(flows, given);
  }

  /** As createMany(), changing those that are there. */
  addMany(flows: Iterable<NewFlow>, given?: ManyOptions): Promise<ManyResult> {
    return this.#mutations.addMany(flows, given);
  }

  deleteMany(keys: Iterable<FlowKey>, given?: ManyOptions): Promise<ManyResult> {
    return this.#mutations.deleteMany(keys, given);
  }

  /**
   * Deletes every flow that `filter` matches, and none that has taken the place of one. Refuses a filter
   * that matches all.
   */
  deleteWhere(filter: Filter, given?: DeleteWhereOptions): Promise<DeleteWhereResult> {
    return this.#mutations.deleteWhere(filter, given);
  }

  /** Changes every flow that `filter` matches. Refuses a filter that matches all. */
  updateWhere(
    filter: Filter,
    changes: FlowChanges,
    given?: UpdateWhereOptions,
  ): Promise<UpdateWhereResult> {
    return this.#mutations.updateWhere(filter, changes, given);
  }

  /** Empties the table, or what of it has a family, a zone, a mark: exactly that, on every kernel. */
  flush(given?: FlushOptions): Promise<void> {
    return this.#mutations.flush(given);
  }

  /** How many flows the table has, by the kernel's own count, which lists nothing (Linux 3.6). */
  async count(): Promise<number> {
    return (await this.limits()).entries;
  }

  /** The table's size and how large it may grow (Linux 4.18). */
  async limits(): Promise<Limits> {
    const bytes = await this.#control.ask('read the limits', (answer) => {
      this.#control.native.globalStats(answer);
    });
    return limits(bytes);
  }

  /** What each CPU has counted (Linux 3.6). */
  async stats(): Promise<CpuStats[]> {
    const bytes = await this.#control.ask('read the statistics', (answer) => {
      this.#control.native.cpuStats(answer);
    });
    return cpuStats(bytes);
  }

  /**
   * The netlink port that requests of this object come from: the `portid` of events they cause, but for
   * `deleteWhere()` and `updateWhere()`, which have ports of their own; see `isOwn()`.
   */
  get portid(): number {
    return this.#control.portid;
  }

  /** Whether an event was caused by a request of this object. */
  isOwn(event: { readonly portid?: number | undefined }): boolean {
    return event.portid !== undefined && this.#control.isOwn(event.portid);
  }

  /**
   * Closes everything that was opened through it: loops over events end, loops over listings throw
   * (`ERR_CLOSED`), pending requests are answered first. May be called again.
   */
  close(): Promise<void> {
    return this.#control.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
