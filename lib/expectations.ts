import type { Family } from './address';
import { flowAt } from './batch';
import type { Control } from './control';
import { ConntrackError } from './errors';
import { type Expectation, expectationAt } from './expectation';
import { ExpectationEvents, type ExpectationEventsOptions } from './expectation-events';
import {
  encodeExpectationKey,
  encodeWanted,
  type ExpectationKey,
  type ExpectationsOptions,
  isFlowKey,
  type MasterKey,
  tupleMembers,
} from './expectation-key';
import type { DirectionFilter } from './filter';
import { Flows } from './flows';
import { encodeKey, type FlowKey, protocolOf } from './key';
import { helperName, type NewExpectation, writeNewExpectation } from './new-expectation';
import { options } from './options';
import { BatchWriter, EXPECTATION } from './record-writer';
import { Records } from './records';
import { type ExpectationStats, expectationStats } from './stats';
import { present } from './tuple';

/** What the kernel means by its refusals, where the errno alone does not say it. */
const HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such master: no flow with this tuple, of this protocol, in this zone',
  EOPNOTSUPP:
    'the master has no helper: a rule such as `ct helper set "ftp"` gives it one, or create() its `helper`',
  EEXIST: 'something expects this tuple already, perhaps under a wider mask: delete() it first',
  EBUSY: 'another expectation of the same destination has a mask that overlaps this one',
  EALREADY: 'another master, or another class, expects the same already',
  EMFILE:
    'there are as many as there may be: of this master (its helper has a limit) or in all (sysctl nf_conntrack_expect_max)',
  EINVAL: 'the helper has no such class, or the kernel no such function or flags',
  ESHUTDOWN: 'the master is ending',
};

/** The expectations of one namespace: flows that helpers expect because of others. `ct.expectations`. */
export class Expectations {
  readonly #control: Control;

  /** @internal */
  constructor(control: Control) {
    this.#control = control;
  }

  /**
   * Lists them: of both families, of one, or of one master. Empty where the master has no helper;
   * ENOENT where there is no such flow.
   */
  async list(given?: ExpectationsOptions): Promise<Expectation[]> {
    const wanted = encodeWanted(given);
    const bytes = await this.#control.ask(
      'list the expectations',
      (answer) => {
        this.#control.native.listExpectations(wanted, answer);
      },
      HINTS,
    );
    return all(bytes);
  }

  /**
   * The expectation that expects a tuple, of a master in the key's zone. Undefined: there is none, or with
   * the id of the key no longer.
   */
  async get(key: ExpectationKey): Promise<Expectation | undefined> {
    const record = encodeExpectationKey(key);
    const bytes = await this.#control.find('get the expectation', (answer) => {
      this.#control.native.getExpectation(record, answer);
    });
    return bytes && all(bytes)[0];
  }

  /**
   * Makes an expectation (IPCTNL_MSG_EXP_NEW). A master has as many as its helper allows, mostly very few: a
   * further one takes the oldest one's place.
   */
  async create(expectation: NewExpectation): Promise<void> {
    const batch = new BatchWriter(1, EXPECTATION);
    const master = writeNewExpectation(batch.next(), 'expectation', expectation);
    if (expectation.helper !== undefined) await this.#checkHelper(master.key, expectation.helper);
    const attempt = 'create the expectation';
    const bytes = batch.finish();
    await this.#control.ask(
      attempt,
      (answer) => {
        this.#control.native.createExpectation(bytes, answer);
      },
      HINTS,
    );
  }

  /**
   * Deletes the expectation that get() would find; false if there is none. One that was listed carries its
   * id, so that another one that has taken its place since is left alone.
   */
  async delete(key: ExpectationKey): Promise<boolean> {
    if (await this.#deleteOne(key)) return true;
    for (const zone of await this.#zonesOf(key)) {
      if (await this.#deleteOne({ ...identityOf(key), zone })) return true;
    }
    return false;
  }

  /** Deletes the expectations of every flow that has this helper, of whatever family and zone. */
  async deleteByHelper(helper: string): Promise<void> {
    const name = helperName('helper', helper);
    await this.#control.ask('delete the expectations', (answer) => {
      this.#control.native.deleteExpectationsOf(name, answer);
    });
  }

  /** Deletes all of them, or all of a family. */
  async flush(given?: { family?: Family }): Promise<void> {
    const known: { family?: Family | undefined } = options('options', given, ['family']);
    if ('family' in known) {
      await this.#flushFamily(known.family);
      return;
    }
    await this.#control.ask('flush the expectations', (answer) => {
      this.#control.native.flushExpectations(answer);
    });
  }

  /**
   * Follows the expectations that are made and go; the subscription stands when this resolves. With the
   * sysctl nf_conntrack_events at 2, those of a master that was made while nobody listened are not announced.
   */
  async events(given?: ExpectationEventsOptions): Promise<ExpectationEvents> {
    return ExpectationEvents.subscribe(this.#control, given);
  }

  /** What each CPU has counted of them (Linux 3.6). */
  async stats(): Promise<ExpectationStats[]> {
    const bytes = await this.#control.ask('read the statistics', (answer) => {
      this.#control.native.expectationStats(answer);
    });
    return expectationStats(bytes);
  }

  /** The kernel would ignore the family, and flush them all. */
  async #flushFamily(family: Family | undefined): Promise<void> {
    // An option that is there but undefined was meant to narrow the flush.
    if (family === undefined) {
      throw new TypeError('options.family is undefined: leave it out, or give it a value');
    }
    for (const expectation of await this.list({ family })) await this.delete(expectation);
  }

  async #deleteOne(key: ExpectationKey): Promise<boolean> {
    const record = encodeExpectationKey(key);
    const bytes = await this.#control.find('delete the expectation', (answer) => {
      this.#control.native.deleteExpectation(record, answer);
    });
    return bytes !== undefined;
  }

  /**
   * The zones, other than the default one, of the flows that may be the master of an expectation that was
   * listed: the kernel wants to hear its zone, but does not say it.
   */
  async #zonesOf(key: ListedKey): Promise<Set<number>> {
    const zones = new Set<number>();
    const { zone, id, master } = key;
    if (zone !== undefined || id === undefined || master === undefined) return zones;
    if (isFlowKey(master) || !(await this.list()).some((listed) => listed.id === id)) return zones;
    const orig = present<DirectionFilter>(tupleMembers(master));
    const protocol = protocolOf('key.master', master);
    for await (const flow of new Flows(this.#control, { protocol, orig }, undefined)) {
      zones.add(flow.orig.zone ?? flow.zone);
    }
    zones.delete(0);
    return zones;
  }

  async #checkHelper(key: FlowKey, helper: string): Promise<void> {
    const record = encodeKey(key);
    const bytes = await this.#control.ask(
      'look up the master',
      (answer) => {
        this.#control.native.get(record, answer);
      },
      HINTS,
    );
    const { helper: own } = flowAt(new Records(bytes), 0);
    if (own === undefined || own === helper) return;
    throw new ConntrackError(
      `cannot create the expectation: the helper of its master is ${own}, not ${helper}`,
      { code: 'EOPNOTSUPP', hint: 'leave out `helper`: an expectation has that of its master' },
    );
  }
}

/** What a listed expectation is as a key: it has a master. */
type ListedKey = ExpectationKey & { readonly master?: MasterKey };

/** The members of a key but for its zone. */
function identityOf({ family, protocol, protonum, tuple, id }: ExpectationKey): ExpectationKey {
  return { family, protocol, protonum, tuple, id };
}

function all(bytes: Uint8Array): Expectation[] {
  const records = new Records(bytes);
  return Array.from({ length: records.length }, (_, index) => expectationAt(records, index));
}
