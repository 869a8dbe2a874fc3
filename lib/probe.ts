/**
 * What this kernel's filters really do, found out by trying them: on a few flows of our own, in a network
 * namespace that is made for it and gone afterwards, never on a table of the user's.
 */
import { FlowBatch } from './batch';
import type { BatchReader } from './batch-reader';
import type { NewFlow } from './new-flow';
import { Control } from './control';
import { AF_INET, AF_INET6 } from './address';
import { FlowHas, FlowOffset, TupleHas, TupleOffset } from './layout';
import { Mutations } from './mutations';
import { IPPROTO_SCTP, IPPROTO_UDP } from './protocol';
import { type KernelFacts, type KernelPart, learnFacts } from './plan';
import { BatchWriter, type RecordWriter } from './record-writer';

const LIST = 1;
const TIMEOUT = 60;

const UDP = { protocol: 'udp', timeout: TIMEOUT } as const;
const SCTP = { protocol: 'sctp', timeout: TIMEOUT, state: 'ESTABLISHED' } as const;

/** Two flows of each kind, so that each filter should find one of two. */
const FLOWS: readonly NewFlow[] = [
  { ...UDP, orig: { src: '192.0.2.1', dst: '192.0.2.9', sport: 1, dport: 53 }, mark: 1, zone: 1 },
  {
    ...UDP,
    orig: { src: '192.0.2.2', dst: '192.0.2.9', sport: 2, dport: 54 },
    status: ['ASSURED'],
  },
  { ...UDP, orig: { src: '2001:db8::1', dst: '2001:db8::9', sport: 1, dport: 53 } },
  { ...UDP, orig: { src: '2001:db8::2', dst: '2001:db8::9', sport: 2, dport: 54 } },
  { ...SCTP, orig: { src: '192.0.2.3', dst: '192.0.2.9', sport: 1, dport: 53 } },
  { ...SCTP, orig: { src: '192.0.2.4', dst: '192.0.2.9', sport: 2, dport: 54 } },
];

interface Trial {
  /** Asks the kernel for the flow of FLOWS that it should find. */
  readonly write: (record: RecordWriter) => void;
  readonly finds: (source: string | undefined) => boolean;
  readonly markMask?: number;
  readonly statusMask?: number;
}

function family(record: RecordWriter, number: number): void {
  record.u8(FlowOffset.family, number);
  record.tuple(FlowOffset.orig).family(number);
}

function ports(record: RecordWriter, protonum: number): void {
  family(record, AF_INET);
  record.has(FlowHas.orig);
  const tuple = record.tuple(FlowOffset.orig);
  tuple.u8(TupleOffset.protonum, TupleHas.protonum, protonum);
  tuple.u16(TupleOffset.sport, TupleHas.sport, 1);
  tuple.u16(TupleOffset.dport, TupleHas.dport, 53);
}

/** Both ends: of two comparisons one may be right and the other inverted. */
function ends(record: RecordWriter, number: number, src: string, dst: string): void {
  family(record, number);
  record.has(FlowHas.orig);
  const tuple = record.tuple(FlowOffset.orig);
  tuple.address(TupleOffset.src, TupleHas.src, src);
  tuple.address(TupleOffset.dst, TupleHas.dst, dst);
}

const only =
  (wanted: string) =>
  (found: string | undefined): boolean =>
    found === wanted;

const TRIALS: Readonly<Record<keyof KernelFacts, Trial>> = {
  ipv4Addresses: {
    write: (record) => {
      ends(record, AF_INET, '192.0.2.1', '192.0.2.9');
    },
    finds: only('192.0.2.1'),
  },
  ipv6Addresses: {
    write: (record) => {
      ends(record, AF_INET6, '2001:db8::1', '2001:db8::9');
    },
    finds: only('2001:db8::1'),
  },
  ports: {
    write: (record) => {
      ports(record, IPPROTO_UDP);
    },
    finds: only('192.0.2.1'),
  },
  sctpPorts: {
    write: (record) => {
      ports(record, IPPROTO_SCTP);
    },
    finds: only('192.0.2.3'),
  },
  mark: {
    write: (record) => {
      record.optionalU32(FlowOffset.mark, FlowHas.mark, 1);
    },
    markMask: 0xffff_ffff,
    finds: only('192.0.2.1'),
  },
  status: {
    write: (record) => {
      record.optionalU32(FlowOffset.status, FlowHas.status, 4);
    },
    statusMask: 4,
    finds: only('192.0.2.2'),
  },
  zone: {
    write: (record) => {
      record.u16(FlowOffset.zone, 1);
      record.has(FlowHas.zone);
    },
    finds: only('192.0.2.1'),
  },
};

function kernelPart(trial: Trial): KernelPart {
  const batch = new BatchWriter(1);
  trial.write(batch.next());
  return {
    pattern: batch.firstRecord(),
    markMask: trial.markMask ?? 0,
    statusMask: trial.statusMask ?? 0,
  };
}

async function sourcesOf(reader: BatchReader): Promise<(string | undefined)[]> {
  const sources: (string | undefined)[] = [];
  for (let records = await reader.next(); records !== undefined; records = await reader.next()) {
    for (const flow of new FlowBatch(records)) sources.push(flow.orig.src);
  }
  return sources;
}

const SOURCES = FLOWS.map((flow) => flow.orig.src);

/** Whether the kernel found what it should, and nothing else. */
async function succeeds(control: Control, trial: Trial): Promise<boolean> {
  const dump = control.dump({
    command: LIST,
    kernel: kernelPart(trial),
    filter: undefined,
    signal: undefined,
  });
  const found = await sourcesOf(dump);
  const wanted = SOURCES.filter(trial.finds);
  return found.length === wanted.length && found.every((one) => wanted.includes(one));
}

async function tryAll(): Promise<KernelFacts> {
  const control = await Control.openFresh();
  try {
    // What a kernel does not track, or in no zone, it can not filter either.
    const { done, failed } = await new Mutations(control).createMany(FLOWS);
    if (done === 0 && failed[0] !== undefined) throw failed[0].error;
    const facts: Partial<Record<keyof KernelFacts, boolean>> = {};
    for (const [name, trial] of Object.entries(TRIALS)) {
      facts[name as keyof KernelFacts] = await succeeds(control, trial);
    }
    return facts as KernelFacts;
  } finally {
    await control.close();
  }
}

let running: Promise<KernelFacts> | undefined;

/**
 * Tries the kernel's filters, once in a process; later plans go by what was found. Needs CAP_SYS_ADMIN, to
 * make a network namespace: throws a ConntrackError (EPERM) without.
 */
export function probe(): Promise<KernelFacts> {
  running ??= tryAll().then(learnFacts);
  return running;
}
